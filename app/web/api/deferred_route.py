"""Routes that FastAPI works out when they are first asked for, and once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from inspect import get_annotations
from typing import Any

from fastapi import APIRouter, params
from fastapi.routing import APIRoute
from starlette.routing import compile_path, get_name

from app.web.api.model_builder import build

ADDRESS = ("path_regex", "path_format", "param_convertors")


class DeferredRoute(APIRoute):
    """Knows its path, methods, name and endpoint from the start. All else (``dependant``, ``response_field``, ``app``)
    is worked out by ``APIRoute`` when it is first read: by the route's first request or by the API's description. So
    are its models that have ``defer_build``.

    FastAPI's own way works out each route while its module is imported, and each included one again with the first
    requests: with some 340 routes half of the time in which Livery starts, and for nothing where a process sees few.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._lock, self._worked_out = threading.RLock(), False
        self.path, self.endpoint, self.options = path, endpoint, options
        self.name = options.get("name") or get_name(endpoint)
        self.methods = {method.upper() for method in options.get("methods") or ("GET",)}
        self.include_in_schema = options.get("include_in_schema", True)

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there yet. Raises what ``APIRoute`` raises where the route is not a sound one."""
        if name.startswith("__") or "_lock" not in self.__dict__:
            raise AttributeError(name)
        if name in ADDRESS:
            self.path_regex, self.path_format, self.param_convertors = compile_path(self.path)
            return self.__dict__[name]
        with self._lock:
            if not self._worked_out:
                self._worked_out = True  # set first: working out reads attributes, too
                try:
                    for annotation in (*get_annotations(self.endpoint).values(), self.options.get("response_model")):
                        build(annotation)
                    super().__init__(self.path, self.endpoint, **self.options)
                except BaseException:
                    self._worked_out = False
                    raise
        return object.__getattribute__(self, name)

    def included(
        self, prefix: str, dependencies: Sequence[params.Depends], *, include_in_schema: bool
    ) -> "DeferredRoute":
        """The same route below ``prefix``, with more dependencies, which come first."""
        options = self.options | {
            "dependencies": [*dependencies, *(self.options.get("dependencies") or ())],
            "include_in_schema": include_in_schema and self.include_in_schema,
        }
        return DeferredRoute(prefix + self.path, self.endpoint, **options)


def included(
    router: APIRouter, prefix: str = "", dependencies: Sequence[params.Depends] = (), *, include_in_schema: bool = True
) -> Iterator[DeferredRoute]:
    """What ``include_router`` would add, as routes of their own.

    Raises:
        TypeError: the router has a route that is not a ``DeferredRoute``, which would miss the dependencies.
    """
    for route in router.routes:
        if not isinstance(route, DeferredRoute):
            raise TypeError(f"{route!r} is not deferred: make its router with route_class=DeferredRoute")
        yield route.included(prefix, dependencies, include_in_schema=include_in_schema)
