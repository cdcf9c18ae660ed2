"""Logs as one JSON object a line, with whatever the caller adds: request, job, workspace."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_everywhere: dict[str, object] = {}
"""What every line of this process carries just now: a worker does one job at a time, in several threads."""
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request being answered; carried by every line that is written for it."""


@contextmanager
def lines_carry(**fields: object) -> Iterator[None]:
    """Until the block ends, every line of this process carries these fields, whichever thread writes it."""
    _everywhere.update(fields)
    try:
        yield
    finally:
        for name in fields:
            _everywhere.pop(name, None)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_everywhere,
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
