"""The blind vote on two texts of one brief, and where it stands."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from app.projects import queries as projects
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId
from app.writings import service
from app.writings.forms import VoteForm
from app.writings.recipe import ARMS
from app.writings.vote import queries as ballots
from app.writings.vote.arms import ARM_NAMES

router = APIRouter(route_class=DeferredRoute)


@router.get("/projects/{project_id}/blind-vote")
def show_vote(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    return _ballot(request, session, visitor, project_id)


@router.post("/blind-pairs/{pair_id}/vote")
@audited("vote.cast")
def vote(
    request: Request, session: WriteSession, visitor: Editor, pair_id: RowId, form: Annotated[VoteForm, Form()]
) -> Response:
    ballot = service.vote(
        session,
        workspace_id=visitor.workspace.id,
        pair_id=pair_id,
        user_id=visitor.user.id,
        choice=form.choice,
    )
    if is_htmx(request):
        return _ballot(request, session, visitor, ballot.project_id, told=ballot.pair_id)
    return go(request, f"/projects/{ballot.project_id}/blind-vote")


def _ballot(
    request: Request, session: ReadSession, visitor: Visitor, project_id: str, told: str | None = None
) -> Response:
    """The next pair and the standings; ``told`` is the pair just voted on, whose arms may be named now."""
    workspace_id, user_id = visitor.workspace.id, visitor.user.id
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    context: dict[str, Any] = {
        "project": project,
        "view": ballots.next_pair(session, workspace_id=workspace_id, project_id=project_id, user_id=user_id),
        "left": ballots.pairs_left(session, workspace_id=workspace_id, project_id=project_id, user_id=user_id),
        "standings": ballots.results(session, workspace_id=workspace_id, project_id=project_id),
        "told": None,
        "arms": ARMS,
        "arm_names": ARM_NAMES,
    }
    if told is not None:
        pair = ballots.pair(session, workspace_id=workspace_id, pair_id=told)
        ballot = ballots.vote_of(session, pair_id=told, user_id=user_id)
        context["told"] = (ballots.arms_of_pair(session, pair), ballot.choice if ballot else "same")
        return fragment(request, "partials/ballot.html", **context)
    return page(request, "pages/blind_vote.html", **context)
