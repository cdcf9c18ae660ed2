"""What may be asked of the log."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from app.audit.queries import Wanted
from app.web.text import RowId

Group = Literal["people", "brands", "pictures", "texts", "trainings", "adapters", "results", "base_models", "operation"]
Sequence = Annotated[int, Field(ge=1, lt=2**53)]


def _filled(value: object) -> object:
    """A form sends what is not filled in as nothing."""
    return value or None


class AuditFilter(BaseModel, defer_build=True):
    """By whom, what about, and when; days are days in UTC."""

    person: Annotated[RowId | None, BeforeValidator(_filled)] = None
    group: Annotated[Group | None, BeforeValidator(_filled)] = None
    since: Annotated[date | None, BeforeValidator(_filled)] = None
    until: Annotated[date | None, BeforeValidator(_filled)] = None

    def wanted(self) -> Wanted:
        end = _start(self.until) + timedelta(days=1) if self.until and self.until < date.max else None
        return Wanted(self.person, self.group, _start(self.since) if self.since else None, end)


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
