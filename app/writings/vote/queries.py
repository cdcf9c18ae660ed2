"""What may be seen of the blind vote: pairs that wait, who voted how, and where it stands."""

from dataclasses import dataclass
from typing import cast

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from app.adapters.models import Adapter
from app.base_models import queries as base_models
from app.db import own
from app.writings.models import BlindPair, BlindVote, Writing, WritingVariant
from app.writings.recipe import ARMS, Arm
from app.writings.vote.statistics import Cast, Duel, duels


@dataclass(frozen=True)
class PairView:
    """Two texts without a word of who wrote them."""

    pair: BlindPair
    writing: Writing
    left: str
    right: str
    is_own: bool
    """The voter made the request."""


def pair(session: Session, *, workspace_id: str, pair_id: str) -> BlindPair:
    """Raises ``NotFound`` for another workspace's pair too."""
    return own(session, BlindPair, pair_id, workspace_id)


def next_pair(session: Session, *, workspace_id: str, project_id: str, user_id: str) -> PairView | None:
    """A pair that this member has not voted on: others' requests before their own, else in the pairs' random order."""
    voted = exists().where(BlindVote.pair_id == BlindPair.id, BlindVote.user_id == user_id)
    found = session.scalars(
        select(BlindPair)
        .join(Writing, Writing.id == BlindPair.writing_id)
        .where(BlindPair.workspace_id == workspace_id, BlindPair.project_id == project_id, ~voted)
        .order_by(func.coalesce(Writing.created_by, "") == user_id, BlindPair.id)
        .limit(1)
    ).first()
    return None if found is None else pair_view(session, found, user_id)


def pair_view(session: Session, found: BlindPair, user_id: str) -> PairView:
    writing = session.get_one(Writing, found.writing_id)
    left, right = (session.get_one(WritingVariant, one).text for one in (found.left_id, found.right_id))
    return PairView(found, writing, left, right, writing.created_by == user_id)


def arms_of_pair(session: Session, found: BlindPair) -> tuple[Arm, Arm]:
    """Who wrote left and right; to be told only after the vote."""
    left, right = (session.get_one(WritingVariant, one).arm for one in (found.left_id, found.right_id))
    return cast(Arm, left), cast(Arm, right)


def vote_of(session: Session, *, pair_id: str, user_id: str) -> BlindVote | None:
    return session.scalar(select(BlindVote).where(BlindVote.pair_id == pair_id, BlindVote.user_id == user_id))


def pairs_left(session: Session, *, workspace_id: str, project_id: str, user_id: str) -> int:
    """How many pairs this member has not voted on."""
    voted = exists().where(BlindVote.pair_id == BlindPair.id, BlindVote.user_id == user_id)
    counted = select(func.count()).where(
        BlindPair.workspace_id == workspace_id, BlindPair.project_id == project_id, ~voted
    )
    return session.scalar(counted) or 0


@dataclass(frozen=True)
class Standing:
    """How the vote stands where one voice wrote over one base model, or that base without a voice."""

    adapter_id: str | None
    """None where no voice wrote."""
    adapter: Adapter | None
    """None once it is deleted; its votes stay."""
    base_model: str
    base_name: str
    duels: list[Duel]


def results(session: Session, *, workspace_id: str, project_id: str) -> list[Standing]:
    """Every two arms that the brand's members voted on, by the voice that wrote and its base model: what an older
    version lost says nothing of a newer one. The newest voice first, deleted ones and none at the end."""
    left, right = aliased(WritingVariant), aliased(WritingVariant)
    rows = session.execute(
        select(
            # From the frozen order, as a deleted voice leaves no other trace; the voice's arm is the first.
            Writing.recipe[("arms", 0, "adapter_id")].as_string(),
            Writing.recipe[("arms", 0, "recipe", "base_model")].as_string(),
            left.arm,
            right.arm,
            BlindVote.choice,
            BlindVote.user_id,
            Writing.created_by,
        )
        .select_from(BlindVote)
        .join(BlindPair, BlindPair.id == BlindVote.pair_id)
        .join(left, left.id == BlindPair.left_id)
        .join(right, right.id == BlindPair.right_id)
        .join(Writing, Writing.id == BlindPair.writing_id)
        .where(BlindVote.workspace_id == workspace_id, BlindVote.project_id == project_id)
    )
    votes_of: dict[tuple[str | None, str], list[Cast]] = {}
    for adapter_id, base_model, first, second, choice, user_id, ordered_by in rows:
        better = cast(Arm | None, {"left": first, "right": second}.get(choice))
        own = user_id is not None and user_id == ordered_by
        votes_of.setdefault((adapter_id, base_model), []).append(
            Cast(cast(Arm, first), cast(Arm, second), better, own=own)
        )
    known = select(Adapter).where(
        Adapter.workspace_id == workspace_id, Adapter.id.in_([adapter_id for adapter_id, _ in votes_of if adapter_id])
    )
    adapters = {row.id: row for row in session.scalars(known)}
    names = base_models.names(session, workspace_id=workspace_id, keys={base_model for _, base_model in votes_of})
    standings = [
        Standing(adapter_id, adapters.get(adapter_id or ""), base_model, names[base_model], duels(votes, ARMS))
        for (adapter_id, base_model), votes in votes_of.items()
    ]
    return sorted(standings, key=_newest_first)


def _newest_first(one: Standing) -> tuple[bool, bool, int, str, str]:
    version = one.adapter.version if one.adapter else 0
    return one.adapter_id is None, one.adapter is None, -version, one.adapter_id or "", one.base_name
