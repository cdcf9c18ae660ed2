"""What people say of finished pictures: favourite, approved, rejected, kept. It is set, never toggled, and every act
can be taken back: what each picture was before is written down beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db import Database, changed, new_id, now
from app.errors import NotFound
from app.gallery import queries
from app.gallery.errors import NothingChosen
from app.gallery.filters import Review
from app.gallery.models import OutputChange
from app.generations import queries as generations
from app.generations.models import Generation, Output
from app.sign_off import service as sign_off
from app.sign_off.errors import TooLateToUndo
from app.sign_off.service import Recorded


@dataclass(frozen=True)
class Marks:
    """What to say of pictures; what is None stays as it is."""

    review: Review | None = None
    favourite: bool | None = None
    in_gallery: bool | None = None

    def columns(self, moment: datetime) -> dict[str, Any]:
        """The columns to write, the moment of a judgement with it. Whoever makes something of a picture keeps it."""
        given = {
            name: value for name in ("review", "favourite", "in_gallery") if (value := getattr(self, name)) is not None
        }
        if self.review is not None:
            given["reviewed_at"] = None if self.review == "open" else moment
        if self.review in ("approved", "rejected") or self.favourite:
            given["in_gallery"] = True
        return given


@dataclass(frozen=True)
class Marked:
    """The pictures that were meant and are there, in the order of the gallery, and how many of them were changed."""

    outputs: tuple[Output, ...]
    count: int
    change_id: str | None
    """What undoes it; None where nothing was changed."""
    explained: int = 0
    """How many stayed as they were and got a reason."""
    left_out: int = 0
    """How many are whoever marks' own, which they may not approve."""


def mark(
    session: Session, *, workspace_id: str, output_ids: list[str], marks: Marks, user_id: str | None, reason: str = ""
) -> Marked:
    """Set ``marks`` on these pictures; those that are so already stay untouched. ``reason`` says why they are approved,
    rejected or open again. Raises ``NothingChosen``, and ``OwnWork`` where nothing but one's own would be approved."""
    found = _held(session, workspace_id, output_ids[: queries.MOST_CHOSEN])
    if not found:
        raise NothingChosen()
    change_id, columns = new_id(), marks.columns(now())
    recorded = _sign_off(session, workspace_id, found, marks, user_id, reason, change_id)
    said = [name for name in columns if name != "reviewed_at"]
    changed_ids = set()
    for output in found:
        if output.id in recorded.left_out or all(getattr(output, name) == columns[name] for name in said):
            continue
        before = {name: getattr(output, name) for name in columns}
        for name, value in columns.items():
            setattr(output, name, value)
        session.add(
            OutputChange(
                id=change_id,
                output_id=output.id,
                workspace_id=workspace_id,
                before=_as_json(before),
                after=_as_json(columns),
            )
        )
        changed_ids.add(output.id)
    session.flush()
    return Marked(
        outputs=tuple(found),
        count=len(changed_ids),
        change_id=change_id if changed_ids else None,
        explained=len(set(recorded.said) - changed_ids),
        left_out=len(recorded.left_out),
    )


def _sign_off(
    session: Session,
    workspace_id: str,
    found: list[Output],
    marks: Marks,
    user_id: str | None,
    reason: str,
    change_id: str,
) -> Recorded:
    """The verdicts of one act, on those that are not so already or get a reason."""
    if marks.review is None:
        return Recorded()
    ids = [output.id for output in found if reason or output.review != marks.review]
    ordered = select(Output.id).join(Generation, Generation.id == Output.generation_id)
    own = session.scalars(ordered.where(Output.id.in_(ids), Generation.created_by == user_id)) if user_id else ()
    return sign_off.record(
        session,
        workspace_id=workspace_id,
        subject_kind=queries.KIND,
        subject_ids=ids,
        state=marks.review,
        reason=reason,
        user_id=user_id,
        own_ids=set(own),
        projects={output.id: output.project_id for output in found},
        act_id=change_id,
    )


def mark_one(
    session: Session, *, workspace_id: str, output_id: str, marks: Marks, user_id: str | None, reason: str = ""
) -> Marked:
    """Raises ``NotFound`` for another workspace's picture, and for a deleted one; ``OwnWork``."""
    generations.output(session, workspace_id=workspace_id, output_id=output_id)
    return mark(session, workspace_id=workspace_id, output_ids=[output_id], marks=marks, user_id=user_id, reason=reason)


def undo(session: Session, *, workspace_id: str, change_id: str, user_id: str | None) -> tuple[Output, ...]:
    """Make the pictures of one act what they were before it. What was said of one since then stays.

    Raises ``NotFound`` for an act that nobody remembers, ``TooLateToUndo`` when nothing is left of it.
    """
    rows = session.scalars(
        select(OutputChange).where(OutputChange.workspace_id == workspace_id, OutputChange.id == change_id)
    )
    acts = {row.output_id: row for row in rows}
    if not acts:
        raise NotFound()
    back = [
        output
        for output in _held(session, workspace_id, list(acts))
        if _as_json({name: getattr(output, name) for name in acts[output.id].after}) == acts[output.id].after
    ]
    if not back:
        raise TooLateToUndo()
    for output in back:
        for name, value in acts[output.id].before.items():
            is_moment = name == "reviewed_at" and value is not None
            setattr(output, name, datetime.fromisoformat(value) if is_moment else value)
        if output.favourite or output.review != "open":
            output.in_gallery = True  # by what somebody else has said of it since
    sign_off.take_back(
        session,
        workspace_id=workspace_id,
        subject_kind=queries.KIND,
        subject_ids=[output.id for output in back],
        act_id=change_id,
        user_id=user_id,
    )
    session.flush()
    return tuple(back)


def _held(session: Session, workspace_id: str, output_ids: list[str]) -> list[Output]:
    """Those of the pictures that are there; whoever else judges them waits."""
    found = {
        output.id: output
        for output in session.scalars(
            select(Output)
            .where(Output.workspace_id == workspace_id, Output.id.in_(output_ids), Output.deleted_at.is_(None))
            .order_by(Output.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    return sorted(found.values(), key=lambda output: (output.created_at, output.id), reverse=True)


def _as_json(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in columns.items()}


def forget_changes(database: Database, *, older_than: timedelta) -> int:
    """What was changed longer ago than ``older_than`` cannot be undone any more. Says how many rows went."""
    with database.write() as session:
        return changed(session, delete(OutputChange).where(OutputChange.created_at < now() - older_than))
