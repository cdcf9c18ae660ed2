"""Pages of trainings: plan one, watch it, look back."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response

from app.base_models import queries as base_models
from app.db import new_id
from app.errors import N_
from app.images.captions import TRIGGER_PLACEHOLDER
from app.images.view import shown
from app.projects import queries as projects
from app.trainings import queries, service
from app.trainings.look import again
from app.trainings.look.forms import StartForm, TrainingForm
from app.trainings.look.presets import PURPOSES
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import Training
from app.trainings.rows import PAGE
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import send
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
WILL_STOP = N_("It stops after this step and keeps what it has learned.")
NOT_STARTED = N_("The training was taken out of the queue.")
Count = Annotated[int, Query(ge=0, le=1_000_000)]


@router.get("/projects/{project_id}/trainings")
def of_project(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    before: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    workspace_id = visitor.workspace.id
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    found = queries.of_project(session, workspace_id=workspace_id, project_id=project_id, before=from_cursor(before))
    there, more = found[:PAGE], found[PAGE:]
    return page(
        request,
        "pages/trainings.html",
        project=project,
        views=queries.views(session, there),
        older=f"/projects/{project_id}/trainings?before={to_cursor(there[-1].created_at, there[-1].id)}"
        if more
        else None,
    )


@router.get("/projects/{project_id}/trainings/new")
def new(
    request: Request,
    session: ReadSession,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[TrainingForm, Query()],
) -> Response:
    context = _planned(session, visitor, project_id, form)
    response = page(
        request,
        "pages/new_training.html",
        purposes=PURPOSES,
        models=base_models.offered(session, workspace_id=visitor.workspace.id),
        order_id=new_id(),
        form=form,
        **context,
    )
    return _at_its_address(request, response, project_id)


@router.get("/projects/{project_id}/trainings/summary")
def summary(
    request: Request,
    session: ReadSession,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[TrainingForm, Query()],
) -> Response:
    """The one card, worked out again when a choice changes."""
    response = fragment(request, "partials/training_summary.html", **_planned(session, visitor, project_id, form))
    return _at_its_address(request, response, project_id)


def _at_its_address(request: Request, response: Response, project_id: str) -> Response:
    """Let the browser's address tell all that was chosen, so that reloading, going back and sending it to a colleague
    lose nothing."""
    if is_htmx(request):
        chosen = [(name, value) for name, value in request.query_params.multi_items() if value.strip()]
        response.headers["HX-Replace-Url"] = f"/projects/{project_id}/trainings/new?{urlencode(chosen)}"
    return response


def _planned(session: ReadSession, visitor: Visitor, project_id: str, form: TrainingForm) -> dict[str, Any]:
    plan = service.plan_training(session, workspace_id=visitor.workspace.id, project_id=project_id, choices=form)
    return {"plan": plan, "project": plan.project, "shown": shown}


@router.post("/projects/{project_id}/trainings")
@audited("training.started")
def start(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[StartForm, Form()]
) -> Response:
    given = service.start_training(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        choices=form,
        created_by=visitor.user.id,
        order_id=form.order_id,
    )
    return go(request, f"/trainings/{given.id}")


@router.get("/trainings/{training_id}")
def show(request: Request, session: ReadSession, visitor: Viewer, training_id: RowId) -> Response:
    given = queries.training(session, workspace_id=visitor.workspace.id, training_id=training_id)
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=given.project_id)
    return page(
        request,
        "pages/training.html",
        project=project,
        pictures=queries.pictures_left(session, given),
        oob=False,
        shown=shown,
        **_live(session, given),
        **_samples(session, given),
    )


@router.get("/trainings/{training_id}/live")
def live(request: Request, session: ReadSession, visitor: Viewer, training_id: RowId, samples: Count = 0) -> Response:
    """What moves while it runs; ``samples`` is how many pictures the page shows already."""
    given = queries.training(session, workspace_id=visitor.workspace.id, training_id=training_id)
    response = fragment(request, "partials/training_live.html", oob=True, **_live(session, given))
    if queries.sample_count(session, given.id) != samples:
        response.headers["HX-Trigger"] = "livery:samples"
    return response


@router.get("/trainings/{training_id}/samples")
def samples(request: Request, session: ReadSession, visitor: Viewer, training_id: RowId) -> Response:
    given = queries.training(session, workspace_id=visitor.workspace.id, training_id=training_id)
    return fragment(request, "partials/training_samples.html", training=given, **_samples(session, given))


def _live(session: ReadSession, given: Training) -> dict[str, Any]:
    seen = queries.view(session, given)
    base = base_models.find(session, workspace_id=given.workspace_id, key=given.base_model)
    offers = [] if seen.is_active else again.retries(given, base, seen.job)
    return {
        "view": seen,
        "training": given,
        "points": queries.smoothed(queries.loss_points(session, given.id)),
        "sample_count": queries.sample_count(session, given.id),
        "retries": [
            (offer.pair, f"/projects/{given.project_id}/trainings/new?{urlencode(offer.fields, doseq=True)}")
            for offer in offers
        ],
    }


def _samples(session: ReadSession, given: Training) -> dict[str, Any]:
    recipe = TrainingRecipe.model_validate(given.recipe)
    prompts = tuple(prompt.replace(TRIGGER_PLACEHOLDER, recipe.trigger_word) for prompt in recipe.sample_prompts)
    return {"prompts": prompts, "rows": queries.sample_rows(queries.samples(session, given.id), prompts)}


@router.get("/trainings/{training_id}/samples/{sample_id}.webp")
def sample(
    session: ReadSession, visitor: Viewer, storage: FileStorage, training_id: RowId, sample_id: RowId
) -> Response:
    """A row never changes its picture, so its id in the address is as good as a hash."""
    found = queries.sample(session, workspace_id=visitor.workspace.id, training_id=training_id, sample_id=sample_id)
    return send(storage, found.key, "image/webp")


@router.post("/trainings/{training_id}/cancel")
@audited("training.cancelled")
def cancel(request: Request, session: WriteSession, visitor: Editor, training_id: RowId) -> Response:
    service.cancel_training(session, workspace_id=visitor.workspace.id, training_id=training_id)
    given = queries.training(session, workspace_id=visitor.workspace.id, training_id=training_id)
    told = WILL_STOP if queries.view(session, given).is_active else NOT_STARTED
    return go(request, f"/trainings/{training_id}", Flash("ok", translate(request.state.locale, told)))
