"""The blind vote, as JSON."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.projects import queries as projects
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import RowId
from app.writings import service
from app.writings.forms import Choice
from app.writings.recipe import Arm
from app.writings.vote import queries as ballots

router = APIRouter(tags=["Blind vote"], route_class=DeferredRoute)


class PairOut(BaseModel, defer_build=True):
    """Two texts of one brief. Who wrote them is told after the vote."""

    id: str
    brief: str
    channel: str
    left: str
    right: str
    is_own: bool = Field(description="True: you gave the order and may have seen who wrote what.")


class NextPair(BaseModel, defer_build=True):
    """A pair that you have not voted on; null when there is none left."""

    pair: PairOut | None
    pairs_left: int


class VoteIn(JsonBody):
    """The better side."""

    choice: Choice


class VoteOut(BaseModel, defer_build=True):
    """Your vote, and who wrote what."""

    pair_id: str
    choice: Choice
    left: Arm
    right: Arm


class DuelOut(BaseModel, defer_build=True):
    """Two arms against each other, over one base model and, where a voice wrote, with that one. At 95 %, ``first`` gets
    between ``low`` and ``high`` of the decided votes."""

    adapter_id: str | None = Field(description="The voice whose orders these are; null without one.")
    base_model: str
    first: Arm
    second: Arm
    first_wins: int
    second_wins: int
    no_difference: int
    by_who_ordered: int
    low: float
    high: float
    too_early: bool
    winner: Arm | None


class VoteResults(BaseModel, defer_build=True):
    """Every two arms that were voted on."""

    items: list[DuelOut]


@router.get("/projects/{project_id}/blind-pair", summary="Get the next two texts to compare")
def get_pair(session: ReadSession, visitor: Viewer, project_id: RowId) -> NextPair:
    """The answer does not reveal who wrote the texts."""
    workspace_id, user_id = visitor.workspace.id, visitor.user.id
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    found = ballots.next_pair(session, workspace_id=workspace_id, project_id=project_id, user_id=user_id)
    shown = None
    if found is not None:
        shown = PairOut(
            id=found.pair.id,
            brief=found.writing.brief,
            channel=found.writing.channel,
            left=found.left,
            right=found.right,
            is_own=found.is_own,
        )
    left = ballots.pairs_left(session, workspace_id=workspace_id, project_id=project_id, user_id=user_id)
    return NextPair(pair=shown, pairs_left=left)


@router.post("/blind-pairs/{pair_id}/vote", status_code=201, summary="Vote for the better text")
@audited("vote.cast")
def vote(session: WriteSession, visitor: Editor, pair_id: RowId, wanted: VoteIn) -> VoteOut:
    """Each member can vote once on each pair."""
    workspace_id = visitor.workspace.id
    ballot = service.vote(
        session, workspace_id=workspace_id, pair_id=pair_id, user_id=visitor.user.id, choice=wanted.choice
    )
    pair = ballots.pair(session, workspace_id=workspace_id, pair_id=ballot.pair_id)
    left, right = ballots.arms_of_pair(session, pair)
    return VoteOut(pair_id=ballot.pair_id, choice=wanted.choice, left=left, right=right)


@router.get("/projects/{project_id}/blind-results", summary="Get the results so far: which arm is winning")
def get_results(session: ReadSession, visitor: Viewer, project_id: RowId) -> VoteResults:
    """The result includes the exact binomial interval of Clopper and Pearson; fewer than ten decided votes are too
    early to tell."""
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    found = ballots.results(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return VoteResults(
        items=[
            DuelOut(
                adapter_id=standing.adapter_id,
                base_model=standing.base_model,
                first=one.first,
                second=one.second,
                first_wins=one.first_wins,
                second_wins=one.second_wins,
                no_difference=one.same,
                by_who_ordered=one.own,
                low=one.low,
                high=one.high,
                too_early=one.is_early,
                winner=one.winner,
            )
            for standing in found
            for one in standing.duels
        ]
    )
