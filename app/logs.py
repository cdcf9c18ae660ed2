"""Logs as one JSON object a line, with whatever the caller adds: request, job, workspace."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from types import MappingProxyType

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_carried: ContextVar[Mapping[str, object]] = ContextVar("carried", default=MappingProxyType({}))
"""What the lines of this thread carry just now; a thread that works on the same thing is started by ``same_lines``."""
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request being answered; carried by every line that is written for it."""


@contextmanager
def lines_carry(**fields: object) -> Iterator[None]:
    """Until the block ends, every line that this thread writes carries these fields. Others go on without them: a
    worker also returns jobs of lost workers, sweeps, and listens to wake-ups, which is nothing of the job it runs."""
    token = _carried.set({**_carried.get(), **fields})
    try:
        yield
    finally:
        _carried.reset(token)


def same_lines(target: Callable[[], None]) -> Callable[[], None]:
    """``target`` for a new thread, whose lines carry what those of this one do."""
    context = copy_context()
    return lambda: context.run(target)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_carried.get(),
        }
        if (request := request_id.get()) is not None:
            entry["request"] = request
        entry |= {key: value for key, value in vars(record).items() if key not in _STANDARD and value is not None}
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def start_logging(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
    for chatty in ("alembic", "pyvips", "bitsandbytes", "httpx", "botocore"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
