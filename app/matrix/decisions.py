"""What is decided about cells: open, approved or rejected, with who, when and why (``app.sign_off``)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.layouts.findings import SENTENCES
from app.matrix import queries
from app.matrix.cells import Author
from app.matrix.errors import NotDrawnYet
from app.matrix.queries import CellView
from app.matrix.text_rules import FieldFinding
from app.sign_off import service as sign_off
from app.sign_off.queries import State, SubjectKind

KIND: SubjectKind = "cell"


@dataclass(frozen=True)
class Decided:
    """``left_out`` are one's own, where the workspace's members may not approve those."""

    count: int
    left_out: int


def decide(session: Session, author: Author, cell_ids: list[str], review: State, reason: str = "") -> Decided:
    """Decide about the version of each cell that counts. What is so already is not said twice. An approval keeps what
    was found against the ad at that moment.

    Raises ``NotFound`` for another campaign's cell, ``ReasonMissing`` for a rejection without one, ``NotDrawnYet``
    where one that is to be approved has not been laid out, ``OwnWork`` where nothing but one's own is left.
    """
    where = {"workspace_id": author.workspace_id, "campaign_id": author.campaign_id}
    row = queries.brief_row(session, **where)
    cells = {one: queries.cell(session, **where, cell_id=one) for one in dict.fromkeys(cell_ids)}
    views = queries.views(session, list(cells.values()))
    unfinished = sum(view.state in ("waiting", "laying_out", "problem") for view in views)
    if unfinished and review == "approved":
        raise NotDrawnYet(count=unfinished)
    own = [view for view in views if view.version and view.version.made_by == author.user_id]
    mine = {view.cell.id for view in own} if author.user_id else set()
    told = queries.text_findings(session, row, views) if review == "approved" else {}
    recorded = sign_off.record(
        session,
        workspace_id=author.workspace_id,
        subject_kind=KIND,
        subject_ids=list(cells),
        state=review,
        reason=reason.strip(),
        user_id=author.user_id,
        own_ids=mine,
        versions={one.id: one.version for one in cells.values()},
        projects=dict.fromkeys(cells, row.project_id),
        needs_reason=True,
        despite={view.cell.id: _against(view, told.get(view.cell.id, [])) for view in views},
    )
    changed = [cell for cell in cells.values() if cell.id not in recorded.left_out and cell.review != review]
    for cell in changed:
        cell.review = review
    session.flush()
    return Decided(len(set(recorded.said) | {cell.id for cell in changed}), len(recorded.left_out))


def _against(view: CellView, told: list[FieldFinding]) -> list[dict[str, Any]]:
    """What the layout and the text rules have found, as a verdict keeps it."""
    of_layout = [
        {"code": one["code"], "slot": one["slot"], "sentence": SENTENCES[one["code"]], "params": one["numbers"]}
        for one in (view.version.findings if view.version is not None else [])
    ]
    of_words = [
        {"code": one.finding.kind, "slot": one.field, "sentence": one.finding.sentence, "params": one.finding.params}
        for one in told
    ]
    return of_layout + of_words
