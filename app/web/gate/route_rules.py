"""What each route asks of a request before a byte of its body is read: the least role, the kind of body, its size.

Worked out from the routes themselves, so a new route is covered from its first day: its role from its dependencies
(``signed_in``), its kind of body from its parameters. Only what a route cannot tell stands in a table: how much one
may take that takes files or long texts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import params
from fastapi.dependencies.models import Dependant
from starlette.routing import BaseRoute, Route

from app.lora_files.safetensors_file import MAX_HEADER_BYTES
from app.settings import Settings
from app.web.gate import signed_in

MB = 1_000_000
SMALL_BYTES = 64_000
"""The limit for strangers, and for routes that read nothing but a form's token."""
USUAL_BYTES = 1 * MB
TEXT_BYTES = 4 * MB
MOST_LOGO_BYTES = 8 * MB
MOST_FONT_BYTES = 24 * MB
MOST_GUIDELINE_BYTES = 60 * MB
FORM_MARGIN_BYTES = 1 * MB
"""What a form says around its files: names, types, its other fields."""
API = "/api/"
URLENCODED, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"


def _pictures(settings: Settings) -> int:
    """Several pictures or one archive of them."""
    return max(settings.max_image_mb, settings.max_archive_mb) * MB


def _picture(settings: Settings) -> int:
    return settings.max_image_mb * MB


def _text_file(settings: Settings) -> int:
    return settings.max_text_mb * MB


def _adapter(settings: Settings) -> int:
    return settings.max_adapter_mb * MB


def _beginning_of_an_adapter(_settings: Settings) -> int:
    return MAX_HEADER_BYTES + MB


def _logo(_settings: Settings) -> int:
    return MOST_LOGO_BYTES


def _fonts(_settings: Settings) -> int:
    """One large font, or the cuts of a usual family."""
    return MOST_FONT_BYTES


def _guideline(_settings: Settings) -> int:
    return MOST_GUIDELINE_BYTES


UPLOADS: Mapping[str, Callable[[Settings], int]] = {
    "/projects/{project_id}/images": _pictures,
    "/projects/{project_id}/voice/files": _text_file,
    "/projects/{project_id}/starts": _picture,
    "/projects/{project_id}/adapters/voice": _adapter,
    "/projects/{project_id}/brand-kit/logos": _logo,
    "/projects/{project_id}/brand-kit/fonts": _fonts,
    "/projects/{project_id}/brand-kit/guidelines": _guideline,
    "/adapter-files": _adapter,
    "/adapter-files/passport": _beginning_of_an_adapter,
    "/api/v1/projects/{project_id}/images": _pictures,
    "/api/v1/projects/{project_id}/voice/imports": _text_file,
    "/api/v1/projects/{project_id}/starts": _picture,
    "/api/v1/projects/{project_id}/adapters/voice": _adapter,
    "/api/v1/projects/{project_id}/brand-kit/logos": _logo,
    "/api/v1/projects/{project_id}/brand-kit/fonts": _fonts,
    "/api/v1/projects/{project_id}/brand-kit/guidelines": _guideline,
    "/api/v1/adapter-files": _adapter,
}
"""Bytes of the files that a route takes. A route with a file that is missing here takes the usual size, no more."""
LONG_TEXTS = frozenset({"/projects/{project_id}/voice/paste", "/api/v1/projects/{project_id}/voice/texts"})
_ROLE_OF = {signed_in.viewer: "viewer", signed_in.editor: "editor", signed_in.owner: "owner"}
_STRONGEST_FIRST = ("owner", "editor", "viewer")


@dataclass(frozen=True)
class Rule:
    """What one route asks of a request. ``role`` is None where strangers may come."""

    path: str
    methods: frozenset[str]
    role: str | None
    media_types: tuple[str, ...]
    most_bytes: int

    @property
    def is_upload(self) -> bool:
        return self.media_types == (MULTIPART,)


class RouteRules:
    """The rules of an application's routes, each worked out with the first request that needs it."""

    def __init__(self, routes: Sequence[BaseRoute], settings: Settings) -> None:
        self._routes, self._settings = routes, settings
        self._known: dict[int, Rule] = {}

    def rule_for(self, method: str, path: str) -> Rule | None:
        """The rule of the route that will answer, None where none will: the first that fits, as the router does it."""
        return next((self._rule(route) for route in self._at(path) if method in (route.methods or ())), None)

    def methods_of(self, path: str) -> list[str]:
        """Every method that an address knows, sorted; empty for an address that nobody has."""
        return sorted({method for route in self._at(path) for method in route.methods or ()})

    def __iter__(self) -> Iterator[Rule]:
        return (self._rule(route) for route in self._routes if isinstance(route, Route))

    def _at(self, path: str) -> list[Route]:
        """The routes of an address. One that is written out is itself, whatever also fits it as a parameter.

        Mounted folders are left out: they read no bodies.
        """
        is_api, fitting = path.startswith(API), []
        for route in self._routes:
            if isinstance(route, Route) and route.path.startswith(API) is is_api and route.path_regex.match(path):
                fitting.append(route)
        return [route for route in fitting if route.path == path] or fitting

    def _rule(self, route: Route) -> Rule:
        rule = self._known.get(id(route))
        if rule is None:
            dependant = getattr(route, "dependant", None)
            role = _least_role(dependant) if dependant is not None else None
            media_types, most_bytes = self._body(route.path, role, getattr(route, "body_field", None))
            rule = self._known[id(route)] = Rule(
                route.path, frozenset(route.methods or ()), role, media_types, most_bytes
            )
        return rule

    def _body(self, path: str, role: str | None, body_field: Any) -> tuple[tuple[str, ...], int]:
        if body_field is None:
            return (URLENCODED, JSON), SMALL_BYTES
        kind = body_field.field_info
        if isinstance(kind, params.File):
            named = UPLOADS.get(path)
            return (MULTIPART,), USUAL_BYTES if named is None else named(self._settings) + FORM_MARGIN_BYTES
        media_types = (URLENCODED,) if isinstance(kind, params.Form) else (JSON,)
        if role is None:
            return media_types, SMALL_BYTES
        return media_types, TEXT_BYTES if path in LONG_TEXTS else USUAL_BYTES


def _least_role(dependant: Dependant) -> str | None:
    asked = {_ROLE_OF.get(call) for call in _calls(dependant)}
    return next((role for role in _STRONGEST_FIRST if role in asked), None)


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for needed in dependant.dependencies:
        yield from _calls(needed)
