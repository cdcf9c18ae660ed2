"""Pages of trainings, for both kinds alike: plan one, watch it, look back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Query, Request, Response

from app.db import new_id
from app.errors import N_
from app.images.captions import TRIGGER_PLACEHOLDER
from app.images.view import picture_view
from app.projects import queries as projects
from app.trainings import queries, service
from app.trainings.bases.rows import rows
from app.trainings.kind import AnyKind
from app.trainings.look import queries as look_queries
from app.trainings.look.forms import StartForm, TrainingForm
from app.trainings.look.kind import LOOK
from app.trainings.look.presets import PURPOSES
from app.trainings.queries import PAGE
from app.trainings.views import TrainingView, view, views
from app.trainings.voice import queries as voice_queries
from app.trainings.voice.forms import StartVoiceForm, VoiceForm
from app.trainings.voice.kind import VOICE
from app.trainings.voice.measures import copies, verdict
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import send
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.paging import from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
READ_FIRST = N_("The training has not started yet. Please read the warnings first.")
WILL_STOP = N_("The training stops after this step and keeps what it has learned.")
NOT_STARTED = N_("The training was removed from the queue.")
Count = Annotated[int, Query(ge=0, le=1_000_000)]
AnyView = TrainingView[Any, Any]


@dataclass(frozen=True)
class Pages:
    """Where one kind's pages are, and what they show that the other's do not."""

    kind: AnyKind
    path: str
    training_id: str
    """Parameter of its addresses."""
    event: str
    """What its events begin with."""
    form: type[Any]
    start_form: type[Any]
    list_page: str
    form_page: str
    summary: str
    show_page: str
    live: str
    of_form: Mapping[str, Any] = field(default_factory=dict)
    of_show: Callable[[ReadSession, AnyView], dict[str, Any]] = lambda session, seen: {}
    of_live: Callable[[ReadSession, AnyView], dict[str, Any]] = lambda session, seen: {}

    def address(self, project_id: str) -> str:
        return f"/projects/{project_id}/{self.path}"


def _samples(session: ReadSession, seen: AnyView) -> dict[str, Any]:
    recipe = seen.recipe
    prompts = tuple(prompt.replace(TRIGGER_PLACEHOLDER, recipe.trigger_word) for prompt in recipe.sample_prompts)
    drawn = look_queries.samples(session, seen.training.id)
    return {"prompts": prompts, "rows": look_queries.sample_rows(drawn, prompts)}


def _of_look(session: ReadSession, seen: AnyView) -> dict[str, Any]:
    pictures = look_queries.pictures_left(session, seen.training)
    return {"pictures": pictures, "picture_view": picture_view, **_samples(session, seen)}


def _of_live_look(session: ReadSession, seen: AnyView) -> dict[str, Any]:
    drawn = [] if seen.is_active else look_queries.samples(session, seen.training.id)
    count = look_queries.sample_count(session, seen.training.id) if seen.is_active else len(drawn)
    return {"sample_count": count, "pair": look_queries.before_after(drawn)}


def _of_voice(session: ReadSession, seen: AnyView) -> dict[str, Any]:
    measured = seen.measures.held_out if seen.measures else None
    held_out = voice_queries.held_out_points(session, seen.training.id)
    rows = voice_queries.sample_rows(voice_queries.texts(session, seen.training.id))
    kept_step = seen.measures.best_step if seen.measures else seen.steps_done
    return {
        "held_out": [(point.step, point.loss) for point in held_out],
        "rows": rows,
        "pair": None if seen.is_active else voice_queries.before_after(rows, kept_step),
        "measured": measured,
        "verdict": verdict(measured) if measured else None,
        "copies": copies(measured) if measured else None,
    }


LOOK_PAGES = Pages(
    kind=LOOK,
    path="trainings",
    training_id="training_id",
    event="training",
    form=TrainingForm,
    start_form=StartForm,
    list_page="pages/trainings.html",
    form_page="pages/new_training.html",
    summary="partials/training_summary.html",
    show_page="pages/training.html",
    live="partials/training_live.html",
    of_form={"purposes": PURPOSES},
    of_show=_of_look,
    of_live=_of_live_look,
)
VOICE_PAGES = Pages(
    kind=VOICE,
    path="voice-trainings",
    training_id="voice_training_id",
    event="voice_training",
    form=VoiceForm,
    start_form=StartVoiceForm,
    list_page="pages/voice_trainings.html",
    form_page="pages/new_voice.html",
    summary="partials/voice_summary.html",
    show_page="pages/voice_training.html",
    live="partials/training_live.html",
    of_live=_of_voice,
)


def _add_before_the_start(pages: Pages) -> None:
    """The form, its card, and the start."""
    form_type, start_form_type = pages.form, pages.start_form

    @router.get(f"{pages.address('{project_id}')}/new")
    def new(
        request: Request,
        session: ReadSession,
        visitor: Editor,
        project_id: RowId,
        form: Annotated[form_type, Query()],  # type: ignore[valid-type]
    ) -> Response:
        response = page(
            request,
            pages.form_page,
            rows=rows(session, pages.kind.modality, workspace_id=visitor.workspace.id),
            order_id=new_id(),
            form=form,
            **pages.of_form,
            **_planned(pages, session, visitor, project_id, form),
        )
        return _at_its_address(pages, request, response, project_id)

    @router.get(f"{pages.address('{project_id}')}/summary")
    def summary(
        request: Request,
        session: ReadSession,
        visitor: Editor,
        project_id: RowId,
        form: Annotated[form_type, Query()],  # type: ignore[valid-type]
    ) -> Response:
        """The one card, worked out again when a choice changes."""
        response = fragment(request, pages.summary, **_planned(pages, session, visitor, project_id, form))
        return _at_its_address(pages, request, response, project_id)

    @router.post(pages.address("{project_id}"))
    @audited(f"{pages.event}.started")
    def start(
        request: Request,
        session: WriteSession,
        visitor: Editor,
        project_id: RowId,
        form: Annotated[start_form_type, Form()],  # type: ignore[valid-type]
    ) -> Response:
        plan = service.plan_training(
            session, pages.kind, workspace_id=visitor.workspace.id, project_id=project_id, overrides=form
        )
        if plan.is_doubtful and not form.anyway:  # type: ignore[attr-defined]
            # The page that was sent did not know it yet: what speaks against it is read first.
            told = Flash("error", translate(request.state.locale, READ_FIRST))
            return go(request, _filled_in(pages, project_id, form), told)
        order_id = form.order_id  # type: ignore[attr-defined]
        started = service.start_planned(session, pages.kind, plan, created_by=visitor.user.id, order_id=order_id)
        return go(request, f"/{pages.path}/{started.id}")


def _planned(pages: Pages, session: ReadSession, visitor: Visitor, project_id: str, form: Any) -> dict[str, Any]:
    plan = service.plan_training(
        session, pages.kind, workspace_id=visitor.workspace.id, project_id=project_id, overrides=form
    )
    here = _filled_in(pages, project_id, form)
    return {"plan": plan, "project": plan.project, "picture_view": picture_view, "here": here}


def _filled_in(pages: Pages, project_id: str, form: Any) -> str:
    """The address of the form as somebody filled it in."""
    chosen = form.model_dump(mode="json", exclude_none=True, exclude={"order_id", "anyway"})
    return f"{pages.address(project_id)}/new?{urlencode(chosen, doseq=True)}"


def _at_its_address(pages: Pages, request: Request, response: Response, project_id: str) -> Response:
    """Let the browser's address tell all that was chosen, so that reloading, going back and sending it to a colleague
    lose nothing."""
    if is_htmx(request):
        chosen = [(name, value) for name, value in request.query_params.multi_items() if value.strip()]
        response.headers["HX-Replace-Url"] = f"{pages.address(project_id)}/new?{urlencode(chosen)}"
    return response


def _add_after_the_start(pages: Pages) -> None:
    """The list, a training's page, what moves on it, and the cancellation."""
    address = f"/{pages.path}/{{{pages.training_id}}}"

    @router.get(pages.address("{project_id}"))
    def of_project(
        request: Request,
        session: ReadSession,
        visitor: Viewer,
        project_id: RowId,
        before: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        workspace_id, kind = visitor.workspace.id, pages.kind
        project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
        cursor = from_cursor(before)
        found = queries.of_project(session, kind, workspace_id=workspace_id, project_id=project_id, before=cursor)
        there, older = split(found, PAGE, f"{pages.address(project_id)}?before=")
        return page(request, pages.list_page, project=project, views=views(session, kind, there), older=older)

    @router.get(address)
    def show(
        request: Request,
        session: ReadSession,
        visitor: Viewer,
        training_id: Annotated[RowId, Path(alias=pages.training_id)],
    ) -> Response:
        seen = _seen(pages, session, visitor, training_id)
        project = projects.project(session, workspace_id=visitor.workspace.id, project_id=seen.training.project_id)
        told = _live(pages, session, seen) | pages.of_show(session, seen)
        return page(request, pages.show_page, project=project, oob=False, **told)

    @router.get(f"{address}/live")
    def live(
        request: Request,
        session: ReadSession,
        visitor: Viewer,
        training_id: Annotated[RowId, Path(alias=pages.training_id)],
        samples: Count = 0,
    ) -> Response:
        """What moves while it runs; ``samples`` is how many pictures the page shows already."""
        told = _live(pages, session, _seen(pages, session, visitor, training_id))
        response = fragment(request, pages.live, oob=True, **told)
        if told.get("sample_count", samples) != samples:
            response.headers["HX-Trigger"] = "livery:samples"
        return response

    @router.post(f"{address}/cancel")
    @audited(f"{pages.event}.cancelled")
    def cancel(
        request: Request,
        session: WriteSession,
        visitor: Editor,
        training_id: Annotated[RowId, Path(alias=pages.training_id)],
    ) -> Response:
        service.cancel_training(session, pages.kind, workspace_id=visitor.workspace.id, training_id=training_id)
        told = WILL_STOP if _seen(pages, session, visitor, training_id).is_active else NOT_STARTED
        return go(request, f"/{pages.path}/{training_id}", Flash("ok", translate(request.state.locale, told)))


def _seen(pages: Pages, session: ReadSession, visitor: Visitor, training_id: str) -> AnyView:
    """Raises ``NotFound``."""
    found = queries.training(session, pages.kind, workspace_id=visitor.workspace.id, training_id=training_id)
    return view(session, pages.kind, found)


def _live(pages: Pages, session: ReadSession, seen: AnyView) -> dict[str, Any]:
    training = seen.training
    base = pages.kind.known_base(session, training.workspace_id, training.base_model)
    offers = [] if seen.is_active else pages.kind.retries(training, base, seen.job)
    form = f"{pages.address(training.project_id)}/new"
    return {
        "view": seen,
        "training": training,
        "points": queries.smoothed(queries.loss_points(session, training.id)),
        "retries": [(offer.pair, f"{form}?{urlencode(offer.fields, doseq=True)}") for offer in offers],
        **pages.of_live(session, seen),
    }


for _pages in (LOOK_PAGES, VOICE_PAGES):
    _add_before_the_start(_pages)
    _add_after_the_start(_pages)


@router.get("/trainings/{training_id}/samples")
def samples(request: Request, session: ReadSession, visitor: Viewer, training_id: RowId) -> Response:
    seen = _seen(LOOK_PAGES, session, visitor, training_id)
    return fragment(request, "partials/training_samples.html", training=seen.training, **_samples(session, seen))


@router.get("/trainings/{training_id}/samples/{sample_id}.webp")
def sample(
    session: ReadSession, visitor: Viewer, storage: FileStorage, training_id: RowId, sample_id: RowId
) -> Response:
    """A row never changes its picture, so its id in the address is as good as a hash."""
    found = look_queries.sample(
        session, workspace_id=visitor.workspace.id, training_id=training_id, sample_id=sample_id
    )
    return send(storage, found.key, "image/webp")
