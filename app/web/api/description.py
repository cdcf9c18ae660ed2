"""The API's description, with what every operation may answer besides what it is for."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

MAY_ANSWER = {
    "401": "No token, or one that opens nothing",
    "403": "The token may only read, or its person's role does not allow that",
    "404": "There is nothing with this address or id in the workspace",
    "409": "It does not fit what is there by now",
    "422": "Something in the request is not right; `fields` say what",
    "429": "Too much at once: wait as long as Retry-After says",
    "503": "Not just now: wait as long as Retry-After says",
    "507": "The disk is nearly full",
}
OF_BODIES = {
    "400": "The body cannot be read",
    "408": "The body did not arrive in time",
    "413": "The body is larger than the operation takes",
    "415": "The body is of another kind than the operation takes",
}


class FieldProblem(BaseModel, defer_build=True):
    """What is wrong with one field of a request."""

    field: str
    problem: str


class Refusal(BaseModel, defer_build=True):
    """Every answer of 400 and above: what is wrong and what to do, in the language of the token's person."""

    ok: bool
    code: str = Field(description="tells this error apart; stays the same when its sentence is worded anew")
    sentence: str
    fields: list[FieldProblem] | None = None


def describe(app: FastAPI) -> dict[str, Any]:
    """As ``app.openapi`` makes it, once in a process. Added here and not by ``responses=``, which FastAPI would work
    out for every route, at each start, as models of its own."""
    if app.openapi_schema is None:
        description = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = description.setdefault("components", {}).setdefault("schemas", {})
        refusal = Refusal.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= refusal.pop("$defs") | {"Refusal": refusal}
        for item in description["paths"].values():
            for operation in item.values():
                _add_refusals(operation)
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = description
    return app.openapi_schema


def _add_refusals(operation: dict[str, Any]) -> None:
    told = MAY_ANSWER | (OF_BODIES if "requestBody" in operation else {})
    schema = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    for status, meaning in told.items():
        operation["responses"][status] = {"description": meaning, "content": schema}
