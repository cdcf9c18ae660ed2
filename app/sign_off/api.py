"""Verdicts as JSON; whatever can be judged has one as ``verdict``."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from app.sign_off.queries import State, VerdictView


class DespiteOut(BaseModel, defer_build=True):
    """A finding that an approval was given in spite of."""

    code: str
    slot: str = Field(description="The part of the ad; empty for the whole.")
    params: dict[str, Any]


class VerdictOut(BaseModel, defer_build=True):
    """What somebody said."""

    state: State
    by: str | None = Field(description="Name of who said it; null where it is not known any more.")
    at: datetime
    reason: str = Field(description="Empty where none was given.")
    version: int | None = Field(description="Of what was judged, where it has versions.")
    despite_findings: list[DespiteOut] = Field(description="What stood against it when it was approved.")

    @classmethod
    def of(cls, view: VerdictView | None) -> Self | None:
        return None if view is None else cls.model_validate(view, from_attributes=True)


class SaidOut(VerdictOut):
    """A verdict in a history; one that was undone says since when and by whom."""

    taken_back_at: datetime | None
    taken_back_by: str | None


class HistoryOut(BaseModel, defer_build=True):
    """All that was said, the newest first."""

    items: list[SaidOut]
    next: str | None = None

    @classmethod
    def of_all(cls, views: list[VerdictView]) -> Self:
        return cls(items=[SaidOut.model_validate(view, from_attributes=True) for view in views])
