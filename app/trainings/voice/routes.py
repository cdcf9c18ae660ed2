"""Pages of the trainings of a voice: plan one, watch it, read what it measured."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response

from app.base_models import queries as base_models
from app.db import new_id
from app.errors import N_
from app.projects import queries as projects
from app.trainings import queries
from app.trainings.models import Training
from app.trainings.rows import PAGE
from app.trainings.voice import again
from app.trainings.voice import queries as voice_queries
from app.trainings.voice import service as voice_service
from app.trainings.voice.forms import StartVoiceForm, VoiceForm
from app.trainings.voice.measures import copies, verdict
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
WILL_STOP = N_("It stops after this step and keeps what it has learned.")
NOT_STARTED = N_("The training was taken out of the queue.")


@router.get("/projects/{project_id}/voice-trainings")
def of_project(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    before: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    workspace_id = visitor.workspace.id
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    found = voice_queries.of_project(
        session, workspace_id=workspace_id, project_id=project_id, before=from_cursor(before)
    )
    there, more = found[:PAGE], found[PAGE:]
    older = f"/projects/{project_id}/voice-trainings?before="
    return page(
        request,
        "pages/voice_trainings.html",
        project=project,
        views=voice_queries.views(session, there),
        older=older + to_cursor(there[-1].created_at, there[-1].id) if more else None,
    )


@router.get("/projects/{project_id}/voice-trainings/new")
def new(
    request: Request, session: ReadSession, visitor: Editor, project_id: RowId, form: Annotated[VoiceForm, Query()]
) -> Response:
    return page(
        request,
        "pages/new_voice.html",
        models=base_models.text_offered(session, workspace_id=visitor.workspace.id),
        order_id=new_id(),
        form=form,
        **_planned(session, visitor, project_id, form),
    )


@router.get("/projects/{project_id}/voice-trainings/summary")
def summary(
    request: Request, session: ReadSession, visitor: Editor, project_id: RowId, form: Annotated[VoiceForm, Query()]
) -> Response:
    """The one card, worked out again when a choice changes."""
    return fragment(request, "partials/voice_summary.html", **_planned(session, visitor, project_id, form))


def _planned(session: ReadSession, visitor: Visitor, project_id: str, form: VoiceForm) -> dict[str, Any]:
    plan = voice_service.plan_voice(session, workspace_id=visitor.workspace.id, project_id=project_id, choices=form)
    return {"plan": plan, "project": plan.project}


@router.post("/projects/{project_id}/voice-trainings")
@audited("voice_training.started")
def start(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[StartVoiceForm, Form()]
) -> Response:
    given = voice_service.start_voice(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        choices=form,
        created_by=visitor.user.id,
        order_id=form.order_id,
    )
    return go(request, f"/voice-trainings/{given.id}")


@router.get("/voice-trainings/{voice_training_id}")
def show(request: Request, session: ReadSession, visitor: Viewer, voice_training_id: RowId) -> Response:
    given = voice_queries.training(session, workspace_id=visitor.workspace.id, training_id=voice_training_id)
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=given.project_id)
    return page(request, "pages/voice_training.html", project=project, oob=False, **_live(session, given))


@router.get("/voice-trainings/{voice_training_id}/live")
def live(request: Request, session: ReadSession, visitor: Viewer, voice_training_id: RowId) -> Response:
    """What moves while it runs."""
    given = voice_queries.training(session, workspace_id=visitor.workspace.id, training_id=voice_training_id)
    return fragment(request, "partials/voice_live.html", oob=True, **_live(session, given))


def _live(session: ReadSession, given: Training) -> dict[str, Any]:
    seen = voice_queries.view(session, given)
    measured = seen.measures.held_out if seen.measures else None
    base = base_models.find_text(session, workspace_id=given.workspace_id, key=given.base_model)
    offers = [] if seen.is_active else again.retries(given, base, seen.job)
    return {
        "view": seen,
        "training": given,
        "points": queries.smoothed(queries.loss_points(session, given.id)),
        "held_out": [(point.step, point.loss) for point in voice_queries.held_out_points(session, given.id)],
        "rows": voice_queries.sample_rows(voice_queries.texts(session, given.id)),
        "measured": measured,
        "verdict": verdict(measured) if measured else None,
        "copies": copies(measured) if measured else None,
        "retries": [
            (offer.pair, f"/projects/{given.project_id}/voice-trainings/new?{urlencode(offer.fields)}")
            for offer in offers
        ],
    }


@router.post("/voice-trainings/{voice_training_id}/cancel")
@audited("voice_training.cancelled")
def cancel(request: Request, session: WriteSession, visitor: Editor, voice_training_id: RowId) -> Response:
    given = voice_service.cancel_voice(session, workspace_id=visitor.workspace.id, training_id=voice_training_id)
    told = WILL_STOP if voice_queries.view(session, given).is_active else NOT_STARTED
    return go(request, f"/voice-trainings/{given.id}", Flash("ok", translate(request.state.locale, told)))
