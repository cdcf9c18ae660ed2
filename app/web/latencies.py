"""How long this process took to answer, by route and status."""

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import Scope

UNMATCHED = "unmatched"
"""Addresses that no route has: a label for all, or anybody could make as many as they like."""


class Latencies:
    """Until the answer's first byte; counted per process, as every process is asked for its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "livery_http_request_seconds",
            "Time until an answer began",
            ("method", "route", "status"),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        self._seconds.labels(method, _route(scope), str(status)).observe(seconds)


def _route(scope: Scope) -> str:
    """The template of the address, such as ``/projects/{project_id}``."""
    if scope["path"].startswith("/static/"):
        return "/static"
    return getattr(scope.get("route"), "path", UNMATCHED)
