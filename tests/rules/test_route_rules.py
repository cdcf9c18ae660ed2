"""Every route says what it takes before it takes it: who may come, which kind of body, how much."""

import pytest
from fastapi import FastAPI, params
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.gate.middleware import PUBLIC
from app.web.gate.route_rules import LONG_TEXTS, MULTIPART, SMALL_BYTES, UPLOADS, USUAL_BYTES, RouteRules, Rule
from tests.app.web.test_gate import token_of
from tests.conftest import SignedIn
from tests.rules.test_other_workspaces import PUBLIC as OPEN

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def rules(app: FastAPI, settings: Settings) -> tuple[Rule, ...]:
    return tuple(RouteRules(app.routes, settings))


def test_what_is_asked_is_worked_out_when_a_request_comes(app: FastAPI, settings: Settings) -> None:
    rules = RouteRules(app.routes, settings)
    assert rules.methods_of("/projects") == ["GET", "POST"]
    assert rules.rule_for("POST", "/projects").role == "editor"  # type: ignore[union-attr]
    assert rules.rule_for("PUT", "/projects") is None
    assert rules.methods_of("/nothing") == []
    assert rules.methods_of("/api/v1/outputs/download") == ["POST"], "though it fits an output's address, too"
    assert rules.methods_of(f"/api/v1/outputs/{'0' * 32}") == ["DELETE", "GET", "PATCH"]


def test_an_address_of_the_api_names_all_its_methods(app: FastAPI, owner: SignedIn) -> None:
    client = TestClient(app, headers={"authorization": f"Bearer {token_of(app, owner)}"})
    for method, path, allowed in (
        ("OPTIONS", "/api/v1/projects", "GET, POST"),
        ("DELETE", "/api/v1/outputs/download", "POST"),
        ("TRACE", f"/api/v1/outputs/{'0' * 32}", "DELETE, GET, PATCH"),
        ("PUT", "/api/openapi.json", "GET, HEAD"),
    ):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed), path
        assert answer.json()["sentence"]
    assert client.get("/api/v1/nothing").status_code == 404
    assert client.get("/api/v1/base-models/%00").status_code == 404


def test_every_route_has_a_rule(app: FastAPI, rules: tuple[Rule, ...]) -> None:
    routes = {(context.path, method) for context in iter_route_contexts(app.routes) for method in context.methods or ()}
    assert {(rule.path, method) for rule in rules for method in rule.methods} == routes
    assert len(routes) > 300


def test_every_changing_route_asks_for_a_role_or_is_listed_as_open(rules: tuple[Rule, ...]) -> None:
    without = {f"{method} {rule.path}" for rule in rules for method in rule.methods & CHANGING if rule.role is None}
    assert without == {one for one in OPEN if not one.startswith("GET")}
    assert all(rule.path.startswith(PUBLIC) for rule in rules if rule.role is None and rule.methods & CHANGING)


def test_what_strangers_may_send_is_small_and_has_no_files(rules: tuple[Rule, ...]) -> None:
    for rule in rules:
        if rule.role is None:
            assert rule.most_bytes == SMALL_BYTES, rule.path
            assert MULTIPART not in rule.media_types, rule.path


def test_what_takes_files_is_named_with_its_size_and_nothing_else_takes_more_than_usual(
    app: FastAPI, rules: tuple[Rule, ...]
) -> None:
    with_files = {
        context.path
        for context in iter_route_contexts(app.routes)
        if isinstance(getattr(getattr(context, "body_field", None), "field_info", None), params.File)
    }
    assert with_files == set(UPLOADS)
    assert {rule.path for rule in rules if rule.is_upload} == with_files
    larger = {rule.path for rule in rules if rule.most_bytes > USUAL_BYTES}
    assert larger == with_files | LONG_TEXTS
