"""What may be said of pictures, texts and cells, and by whom. Each room writes its own column of the state in the same
transaction, for what ``record`` names."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Workspace
from app.db import now, own
from app.errors import NotFound
from app.sign_off import queries
from app.sign_off.errors import NotApproved, OwnWork, ReasonMissing, SomeNotApproved, TooLateToUndo
from app.sign_off.models import Verdict
from app.sign_off.queries import State, SubjectKind


@dataclass(frozen=True)
class Recorded:
    """Ids of subjects, in the order in which they were given."""

    said: tuple[str, ...] = ()
    """Of which a verdict was written, or got its reason."""
    left_out: tuple[str, ...] = ()
    """One's own, which this workspace's members may not approve."""


def record(
    session: Session,
    *,
    workspace_id: str,
    subject_kind: SubjectKind,
    subject_ids: Sequence[str],
    state: State,
    reason: str = "",
    user_id: str | None,
    own_ids: Collection[str] = (),
    versions: Mapping[str, int] | None = None,
    projects: Mapping[str, str] | None = None,
    needs_reason: bool = False,
    despite: Mapping[str, list[dict[str, Any]]] | None = None,
    act_id: str | None = None,
) -> Recorded:
    """Write down what ``user_id`` says of these subjects, which must be the workspace's. What is in force already is
    not said twice; a reason that follows completes the verdict of the same person.

    ``own_ids`` are the subjects that are the person's own work, ``versions`` and ``projects`` (brands) are by subject,
    ``needs_reason`` refuses a rejection without one, ``despite`` are findings by subject that an approval is given in
    spite of, and ``act_id`` is what ``take_back`` knows this by.

    Raises ``ReasonMissing``, and ``OwnWork`` where nothing but one's own is left.
    """
    if needs_reason and state == "rejected" and not reason:
        raise ReasonMissing()
    barred = set(own_ids) if state == "approved" and own_ids and _forbids_own(session, workspace_id) else set()
    meant = [one for one in subject_ids if one not in barred]
    if subject_ids and not meant:
        raise OwnWork()
    versions, projects, despite = versions or {}, projects or {}, despite or {}
    before = queries.in_force(session, workspace_id=workspace_id, subject_kind=subject_kind, subject_ids=meant)
    said = []
    for one in meant:
        last = before.get(one)
        if last is not None and (last.state, last.version) == (state, versions.get(one)):
            if not reason or reason == last.reason:
                continue
            if last.reason == "" and last.by_user is not None and last.by_user == user_id:
                last.reason = reason
                said.append(one)
                continue
        session.add(
            Verdict(
                workspace_id=workspace_id,
                project_id=projects.get(one),
                subject_kind=subject_kind,
                subject_id=one,
                version=versions.get(one),
                state=state,
                reason=reason,
                despite_findings=despite.get(one, []) if state == "approved" else [],
                by_user=user_id,
                act_id=act_id,
            )
        )
        said.append(one)
    session.flush()
    return Recorded(tuple(said), tuple(one for one in subject_ids if one in barred))


def _forbids_own(session: Session, workspace_id: str) -> bool:
    return bool(session.scalar(select(Workspace.forbids_own_approval).where(Workspace.id == workspace_id)))


def take_back(
    session: Session,
    *,
    workspace_id: str,
    subject_kind: SubjectKind,
    subject_ids: Collection[str],
    act_id: str,
    user_id: str | None,
) -> None:
    """What one act said of these subjects is in force no more, and what was before it is again."""
    session.execute(
        update(Verdict)
        .where(
            Verdict.workspace_id == workspace_id,
            Verdict.subject_kind == subject_kind,
            Verdict.subject_id.in_(subject_ids),
            Verdict.act_id == act_id,
            Verdict.taken_back_at.is_(None),
        )
        .values(taken_back_at=now(), taken_back_by=user_id)
    )


def take_back_one(
    session: Session,
    *,
    workspace_id: str,
    subject_kind: SubjectKind,
    subject_id: str,
    verdict_id: str,
    user_id: str | None,
) -> State:
    """Take back what was said of one subject, while nothing has been said since. Returns the state in force now.

    Raises ``NotFound``, ``TooLateToUndo``.
    """
    about: dict[str, Any] = {"workspace_id": workspace_id, "subject_kind": subject_kind}
    verdict = own(session, Verdict, verdict_id, workspace_id)
    if (verdict.subject_kind, verdict.subject_id) != (subject_kind, subject_id):
        raise NotFound()
    last = queries.in_force(session, **about, subject_ids=[subject_id]).get(subject_id)
    if last is None or last.id != verdict_id:
        raise TooLateToUndo()
    verdict.taken_back_at, verdict.taken_back_by = now(), user_id
    session.flush()
    before = queries.in_force(session, **about, subject_ids=[subject_id]).get(subject_id)
    return cast(State, before.state) if before else "open"


def forget(session: Session, *, subject_kind: SubjectKind, subject_ids: Collection[str]) -> None:
    """The subjects are removed for good, and what was said of them with them."""
    session.execute(delete(Verdict).where(Verdict.subject_kind == subject_kind, Verdict.subject_id.in_(subject_ids)))


def check_download(states: Sequence[str], *, may_all: bool) -> None:
    """Whether things in these states may leave the house; ``may_all`` where whoever asks may have unapproved ones too.

    Raises ``NotApproved``, ``SomeNotApproved``.
    """
    others = sum(state != "approved" for state in states)
    if may_all or not others:
        return
    if len(states) == 1:
        raise NotApproved()
    raise SomeNotApproved(count=others, all=len(states))
