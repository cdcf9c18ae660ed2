"""The studio: asking for pictures and watching them come."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request, Response

from app.campaigns import queries as campaigns
from app.generations import queries, requests, service, studio
from app.generations.enlarging import service as enlarging
from app.generations.enlarging.steps import choices
from app.generations.forms import DrawnWith, MoreForm, StudioForm, Written
from app.generations.models import Generation
from app.generations.queries import GenerationView
from app.generations.start_pictures import routes as start_routes
from app.images import queries as images
from app.images.view import faces
from app.projects import queries as projects
from app.projects.models import Project
from app.trainings import queries as trainings
from app.trainings.look.warnings import FEWEST
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.paging import Cursor, from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
router.routes += start_routes.router.routes
Shown = Annotated[str, Query(pattern="^[0-9.]{0,60}$")]


@router.get("/studio")
def any_studio(request: Request, session: ReadSession, visitor: Viewer) -> Response:
    last = queries.recent(session, workspace_id=visitor.workspace.id, limit=1)
    brands = projects.projects(session, workspace_id=visitor.workspace.id, limit=1)
    if not last and not brands:
        return page(request, "pages/studio_start.html")
    return go(request, f"/projects/{last[0].project_id if last else brands[0].id}/studio")


@router.get("/projects/{project_id}/studio")
def show(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    source: Annotated[RowId | None, Query(alias="from")] = None,
    again: RowId | None = None,
    adapter: RowId | None = None,
    start: RowId | None = None,
    before: Cursor = None,
) -> Response:
    workspace_id = visitor.workspace.id
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    found = studio.stream(session, workspace_id=workspace_id, project_id=project_id, before=from_cursor(before))
    shown, more = split(found, len(queries.light(found[: queries.PAGE])))
    history: dict[str, Any] = {
        "views": studio.stream_views(session, shown),
        "more": more,
        "project": project,
    }
    if is_htmx(request) and before:
        return fragment(request, "partials/generation_list.html", **history)
    state = studio.form_state(
        session,
        workspace_id=workspace_id,
        project_id=project_id,
        source=source,
        again=again,
        adapter=adapter,
        start=start,
    )
    sheet: dict[str, Any] = {
        "form_state": state,
        "campaigns": campaigns.campaigns(session, workspace_id=workspace_id),
        "most": requests.MOST_PICTURES,
        "project": project,
    }
    if request.headers.get("hx-target") == "composer":
        return fragment(request, "partials/studio_composer.html", **sheet)
    brands = projects.projects(session, workspace_id=workspace_id)
    return page(
        request,
        "pages/studio.html",
        brands=brands,
        faces=faces(session, [brand.id for brand in brands]),
        comes_next=None if state.has_own else _comes_next(session, workspace_id, project_id),
        **sheet | history,
    )


def _comes_next(session: ReadSession, workspace_id: str, project_id: str) -> dict[str, Any]:
    """What leads to the brand's first adapter: the trainings that run, or the pictures to learn from."""
    count = images.counts(session, [project_id])[project_id].included
    running = trainings.running_of(session, workspace_id=workspace_id, project_id=project_id)
    return {
        "running": running,
        "learns_look": any(training.modality == "image" for training in running),
        "count": count,
        "can_train": count >= FEWEST,
    }


@router.get("/projects/{project_id}/studio/mix")
def mix(request: Request, session: ReadSession, visitor: Editor, project_id: RowId) -> Response:
    """The places for further adapters, when somebody unfolds them."""
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    state = studio.form_state(session, workspace_id=visitor.workspace.id, project_id=project.id)
    return fragment(request, "partials/studio_mix.html", form_state=replace(state, adapters=()), project=project)


@router.get("/projects/{project_id}/studio/base")
def on_base(
    request: Request,
    session: ReadSession,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[DrawnWith, Query()],
) -> Response:
    """What of the form depends on the base model, when another adapter or another base is chosen."""
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    state = studio.form_state_on(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project.id,
        adapter_ids=form.adapters,
        base_model=form.base_model or None,
        channel=form.channel,
        negative_prompt=form.negative_prompt,
        start=form.start_id,
    )
    chosen = request.headers.get("hx-trigger") == "adapter-0"
    return fragment(request, "partials/studio_base.html", form_state=state, adapter_is_new=chosen)


@router.get("/projects/{project_id}/studio/words")
def words(
    request: Request,
    session: ReadSession,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[Written, Query()],
) -> Response:
    """What the base model does not know of the prompt, while it is written."""
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    told = studio.words_of(
        session,
        workspace_id=project.workspace_id,
        prompt=form.prompt,
        adapter_ids=form.adapters,
        base_model=form.base_model or None,
    )
    return fragment(request, "partials/told_words.html", words=told, state="told-words-before")


@router.post("/projects/{project_id}/generations")
@audited("generation.ordered")
def create(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    storage: FileStorage,
    project_id: RowId,
    form: Annotated[StudioForm, Form()],
) -> Response:
    requested = service.order_pictures(
        session,
        request.app.state.database,
        storage,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        user_id=visitor.user.id,
        request=form.generation_request(),
        start=form.start(),
        source_output_id=form.source,
        campaign_id=form.campaign,
    )
    return _came(request, session, visitor, requested.generation)


@router.get("/generations/{generation_id}")
def show_one(request: Request, session: ReadSession, visitor: Viewer, generation_id: RowId) -> Response:
    generation = queries.generation(session, workspace_id=visitor.workspace.id, generation_id=generation_id)
    [view] = studio.stream_views(session, [generation])
    return page(request, "pages/generation.html", view=view, project=_brand(session, visitor, generation))


@router.get("/generations/{generation_id}/progress")
def progress(
    request: Request, session: ReadSession, visitor: Viewer, generation_id: RowId, shown: Shown | None = None
) -> Response:
    """What has come since the pictures at the positions ``shown``, beside the line that says how far it is; of a
    comparison that has ended, all."""
    view = queries.view(session, workspace_id=visitor.workspace.id, generation_id=generation_id)
    project = _brand(session, visitor, view.generation)
    if not view.is_active and view.is_strip:
        ends = shown is not None
        response = fragment(
            request, "partials/comparison.html", view=view, project=project, is_open=True, asked_again=ends
        )
        response.headers["HX-Retarget"] = f"#comparison-{generation_id}"
        return response
    known = set((shown or "").split("."))
    fresh = [output for output in view.outputs if str(output.position) not in known]
    return fragment(
        request, "partials/generation_progress.html", view=view, project=project, fresh=fresh, asked_again=True
    )


@router.post("/generations/{generation_id}/cancel")
@audited("generation.cancelled")
def cancel(request: Request, session: WriteSession, visitor: Editor, generation_id: RowId) -> Response:
    service.cancel(session, workspace_id=visitor.workspace.id, generation_id=generation_id)
    generation = queries.generation(session, workspace_id=visitor.workspace.id, generation_id=generation_id)
    if is_htmx(request):
        [view] = studio.stream_views(session, [generation])
        return _shown(request, session, visitor, view)
    return go(request, f"/projects/{generation.project_id}/studio")


@router.post("/generations/{generation_id}/again")
@audited("generation.ordered")
def again(request: Request, session: WriteSession, visitor: Editor, generation_id: RowId) -> Response:
    generation = service.again(
        session, workspace_id=visitor.workspace.id, generation_id=generation_id, user_id=visitor.user.id
    )
    return _came(request, session, visitor, generation)


@router.get("/outputs/{output_id}/menu")
def menu(request: Request, session: ReadSession, visitor: Viewer, output_id: RowId) -> Response:
    output = queries.output(session, workspace_id=visitor.workspace.id, output_id=output_id)
    larger = choices(output.width, output.height)
    return fragment(request, "partials/output_menu_items.html", output=output, larger=larger)


@router.post("/outputs/{output_id}/more-like-this")
@audited("generation.ordered")
def more_like_this(
    request: Request, session: WriteSession, visitor: Editor, output_id: RowId, form: Annotated[MoreForm, Form()]
) -> Response:
    generation = service.more_like(
        session,
        workspace_id=visitor.workspace.id,
        output_id=output_id,
        user_id=visitor.user.id,
        count=form.count,
    )
    return _came(request, session, visitor, generation)


@router.post("/outputs/{output_id}/compare")
@audited("generation.ordered")
def compare(request: Request, session: WriteSession, visitor: Editor, output_id: RowId) -> Response:
    return _strip(request, session, visitor, output_id, requests.COMPARED_STRENGTHS)


@router.post("/outputs/{output_id}/strip")
@audited("generation.ordered")
def strip(request: Request, session: WriteSession, visitor: Editor, output_id: RowId) -> Response:
    return _strip(request, session, visitor, output_id, requests.STRIP_STRENGTHS)


@router.post("/outputs/{output_id}/enlarge/{times}")
@audited("generation.ordered")
def enlarge(
    request: Request, session: WriteSession, visitor: Editor, output_id: RowId, times: Literal["2", "4"]
) -> Response:
    generation = enlarging.enlarge(
        session,
        workspace_id=visitor.workspace.id,
        output_id=output_id,
        user_id=visitor.user.id,
        times=2 if times == "2" else 4,
    )
    return _came(request, session, visitor, generation)


def _strip(
    request: Request, session: WriteSession, visitor: Visitor, output_id: str, strengths: tuple[float, ...]
) -> Response:
    generation = service.strip(
        session,
        workspace_id=visitor.workspace.id,
        output_id=output_id,
        user_id=visitor.user.id,
        strengths=strengths,
    )
    return _came(request, session, visitor, generation)


def _came(request: Request, session: WriteSession, visitor: Visitor, generation: Generation) -> Response:
    """A new generation where the page has a place for it, else in its studio."""
    view = queries.view(session, workspace_id=visitor.workspace.id, generation_id=generation.id)
    place = f"comparisons-{studio.order_compared(session, generation)}" if view.is_strip else "results"
    if is_htmx(request) and request.headers.get("hx-target") == place:
        return _shown(request, session, visitor, view, is_new=True)
    return go(request, f"/projects/{generation.project_id}/studio#{_anchor(view)}")


def _shown(
    request: Request, session: WriteSession, visitor: Visitor, view: GenerationView, *, is_new: bool = False
) -> Response:
    template = "partials/comparison.html" if view.is_strip else "partials/generation.html"
    project = _brand(session, visitor, view.generation)
    return fragment(request, template, view=view, project=project, is_open=True, is_new=is_new)


def _anchor(view: GenerationView) -> str:
    return f"{'comparison' if view.is_strip else 'generation'}-{view.generation.id}"


def _brand(session: ReadSession, visitor: Visitor, generation: Generation) -> Project:
    return projects.project(session, workspace_id=visitor.workspace.id, project_id=generation.project_id)
