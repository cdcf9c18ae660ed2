"""Routes are worked out when they are asked for, and once."""

import json
import subprocess
import sys
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import FastAPIError
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.main import PAGES, _routes
from app.web.api.deferred_route import DeferredRoute, included
from app.web.gate.csrf import check_form


class Unknown:
    """No type that pydantic knows."""


class Answer(BaseModel):
    number: int
    said: list[str]


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all routes that were worked out, in order."""
    paths: list[str] = []
    before = APIRoute.__init__

    def counting(self: APIRoute, path: str, *args: Any, **options: Any) -> None:
        paths.append(path)
        before(self, path, *args, **options)

    monkeypatch.setattr(APIRoute, "__init__", counting)
    return paths


def application() -> FastAPI:
    said: list[str] = []
    router = APIRouter(prefix="/rooms", tags=["Rooms"], route_class=DeferredRoute, dependencies=[Depends(_inner(said))])

    @router.get("/{number}", summary="One room")
    def one(number: int, word: Annotated[str, Depends(lambda q="": q)]) -> Answer:
        return Answer(number=number, said=[*said, word])

    @router.post("/{number}", include_in_schema=False)
    def change(number: int) -> Answer:
        return Answer(number=-number, said=[])

    outer = [Depends(_outer(said))]
    return FastAPI(routes=list(included(router, prefix="/api", dependencies=outer)))


def _outer(said: list[str]) -> Any:
    return lambda: said.append("outer")


def _inner(said: list[str]) -> Any:
    return lambda: said.append("inner")


def test_a_route_is_worked_out_by_its_first_request_and_not_again(worked_out: list[str]) -> None:
    app = application()
    assert worked_out == []
    with TestClient(app) as client:
        assert client.get("/api/nowhere").status_code == 404
        assert worked_out == []
        answer = client.get("/api/rooms/4")
        assert answer.json() == {"number": 4, "said": ["outer", "inner", ""]}, "outer dependencies come first"
        client.get("/api/rooms/5")
        assert worked_out == ["/api/rooms/{number}"]
        assert client.get("/api/rooms/five").status_code == 422
        assert client.post("/api/rooms/5").json()["number"] == -5
        assert client.put("/api/rooms/5").status_code == 405
        app.openapi()
    assert worked_out == ["/api/rooms/{number}"] * 2
    assert app.url_path_for("one", number="7") == "/api/rooms/7"


def test_the_description_is_that_of_included_routers() -> None:
    app = application()
    operations = app.openapi()["paths"]["/api/rooms/{number}"]
    assert list(operations) == ["get"], "what is left out of the description stays out"
    assert operations["get"]["tags"] == ["Rooms"]
    assert operations["get"]["operationId"] == "one_api_rooms__number__get"
    schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Answer"}


def test_a_router_without_deferred_routes_is_refused() -> None:
    router = APIRouter()
    router.get("/")(lambda: None)
    with pytest.raises(TypeError, match="route_class=DeferredRoute"):
        list(included(router))


def test_an_unsound_route_says_so_each_time_it_is_asked_for() -> None:
    router = APIRouter(route_class=DeferredRoute)
    router.get("/", response_model=Unknown)(lambda: None)
    for _ in range(2):
        with pytest.raises(FastAPIError):
            _ = router.routes[0].app  # type: ignore[attr-defined]


def test_every_route_of_livery_is_sound_and_every_page_checks_its_forms() -> None:
    pages = {route.endpoint for module in PAGES for route in module.router.routes if isinstance(route, DeferredRoute)}
    ours = [route for route in _routes() if isinstance(route, DeferredRoute)]
    assert len(ours) > 300
    for route in ours:
        calls = [dependant.call for dependant in route.dependant.dependencies]
        assert (calls[:1] == [check_form]) == (route.endpoint in pages), route.path


HOW_MODELS_ARE_BUILT = """
import json, sys, warnings
from fastapi import FastAPI
from pydantic import BaseModel
from app.main import _routes
from app.web.api.description import describe
from app.web.api.deferred_route import DeferredRoute

def subclasses(model):
    return {model}.union(*(subclasses(one) for one in model.__subclasses__()))

def described(routes):
    return json.dumps(describe(FastAPI(routes=routes)))

warnings.simplefilter("error")
models = sorted((one for one in subclasses(BaseModel) if one.__module__.startswith("app.")), key=repr)
at_import = [f"{one.__module__}.{one.__qualname__}" for one in models if one.__pydantic_complete__]
first = described(list(_routes()))
for route in _routes():
    if isinstance(route, DeferredRoute):
        for field in (route.body_field, route.response_field, *route.dependant.body_params):
            if field is not None:
                field.validate({})
for model in models:
    model.model_config["defer_build"] = False
    model.model_rebuild(force=True)
_routes.cache_clear()
print(json.dumps({"models": len(models), "at import": at_import, "same": described(list(_routes())) == first}))
"""


@pytest.mark.slow
def test_models_are_built_with_the_routes_that_need_them_and_describe_the_same_api() -> None:
    """In a process of its own, for other tests build models too. Every warning is an error there."""
    ended = subprocess.run([sys.executable, "-c", HOW_MODELS_ARE_BUILT], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["models"] > 200
    assert told["at import"] == ["app.base_models.catalogue.Sentence", "app.settings.Settings"], (
        "each other model has defer_build=True: what is built at import slows every start"
    )
    assert told["same"], "the description does not depend on when models are built"
