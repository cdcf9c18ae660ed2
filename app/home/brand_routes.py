"""Pages that show what a brand has in every room: the shelf, a brand's home, and its end."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from starlette.background import BackgroundTask

from app.adapters import queries as adapters
from app.adapters.models import Adapter
from app.errors import N_
from app.gallery import queries as gallery
from app.gallery.filters import Filters
from app.generations import queries as generations
from app.generations.models import Output
from app.home.journey import Holdings, journey
from app.images import demo
from app.images import queries as images
from app.images.queries import ENOUGH_IMAGES
from app.images.view import picture_view
from app.projects import queries, service
from app.projects.forms import DeleteForm
from app.trainings import queries as trainings
from app.voice import queries as voice
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.paging import from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)

HOME_ADAPTERS = 4
HOME_VISUALS = 12
SAMPLES = 3
COVER_PICTURES = 5
LEAST_COVER = 3
"""Fewer visuals make no cover."""

DELETED = N_("“%(name)s” and everything in it was deleted.")


@router.get("/projects")
def show_all(
    request: Request, session: ReadSession, visitor: Viewer, archived: bool = False, before: str | None = None
) -> Response:
    workspace_id = visitor.workspace.id
    found = queries.projects(session, workspace_id=workspace_id, archived=archived, before=from_cursor(before))
    brands, next_page = split(found, queries.PAGE, f"/projects?archived={str(archived).lower()}&before=")
    return page(
        request,
        "pages/projects.html",
        brands=brands,
        archived=archived,
        archived_count=queries.archived_count(session, workspace_id=workspace_id),
        cards=_cards(session, [project.id for project in brands]),
        has_demo=bool(demo.pictures()),
        next_page=next_page,
    )


def _cards(session: ReadSession, ids: list[str]) -> dict[str, dict[str, Any]]:
    """What a brand's card shows beside its name."""
    counts, covers = images.counts(session, ids), images.covers(session, ids)
    trained, made = adapters.counts(session, ids), generations.output_counts(session, ids)
    cards = {}
    for project_id in ids:
        holdings = Holdings(counts[project_id].included, trained.get(project_id, 0), made.get(project_id, 0))
        cards[project_id] = {
            "counts": counts[project_id],
            "pictures": [picture_view(image, "(max-width: 45rem) 66vw, 13rem") for image in covers[project_id]],
            "adapters": holdings.adapters,
            "step": journey(holdings).now,
        }
    return cards


@router.get("/projects/new")
def show_new(request: Request, _visitor: Editor) -> Response:
    return page(request, "pages/new_project.html", has_demo=bool(demo.pictures()))


@router.get("/projects/{project_id}")
def show(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    project = queries.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    counts = images.counts(session, [project_id])[project_id]
    trained = adapters.of_project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    running = trainings.running_of(session, workspace_id=visitor.workspace.id, project_id=project_id)
    holdings = Holdings(
        images=counts.included,
        adapters=len(trained),
        visuals=generations.output_counts(session, [project_id]).get(project_id, 0),
        training_now=any(training.modality == "image" for training in running),
    )
    return page(
        request,
        "pages/project.html",
        project=project,
        counts=counts,
        texts=voice.counts(session, [project_id])[project_id],
        least_texts=voice.LEAST_SAMPLES,
        cover=_cover(session, visitor, project_id),
        holdings=holdings,
        journey=journey(holdings),
        running=running,
        adapters=trained[:HOME_ADAPTERS],
        samples={adapter.id: _samples(adapter) for adapter in trained[:HOME_ADAPTERS]},
        visuals=gallery.page(
            session, workspace_id=visitor.workspace.id, filters=Filters(brand=project_id), limit=HOME_VISUALS
        )[:HOME_VISUALS],
        enough=ENOUGH_IMAGES,
    )


def _visual(output: Output) -> dict[str, Any]:
    return {
        "src": f"/outputs/{output.id}/thumb/{output.sha256[:16]}",
        "width": output.width,
        "height": output.height,
        "alt": output.prompt[:140],
        "placeholder": output.placeholder,
    }


def _cover(session: ReadSession, visitor: Visitor, project_id: str) -> list[Any]:
    """The favourite visuals, else the newest ones, else the brand's own pictures."""
    for wanted in (Filters(brand=project_id, favourite=True), Filters(brand=project_id)):
        found = gallery.page(session, workspace_id=visitor.workspace.id, filters=wanted, limit=COVER_PICTURES)
        if len(found) >= LEAST_COVER:
            return [_visual(output) for output in found[:COVER_PICTURES]]
    return [
        picture_view(image, "(max-width: 45rem) 100vw, 40rem")
        for image in images.covers(session, [project_id])[project_id]
    ]


def _samples(adapter: Adapter) -> list[dict[str, Any]]:
    """What the adapter drew while it was trained, the last first."""
    listed = list(enumerate(adapter.facts.get("samples", [])))
    drawn = sorted((pair for pair in listed if pair[1]["step"] > 0), key=lambda pair: -pair[1]["step"])
    return [
        {
            "src": f"/adapters/{adapter.id}/samples/{place}.webp",
            "width": sample["width"],
            "height": sample["height"],
            "alt": "",
            "placeholder": None,
        }
        for place, sample in drawn[:SAMPLES]
    ]


@router.get("/projects/{project_id}/delete")
def show_delete(request: Request, session: ReadSession, visitor: Editor, project_id: RowId) -> Response:
    project = queries.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return page(
        request,
        "pages/delete_project.html",
        project=project,
        counts=images.counts(session, [project_id])[project_id],
        texts=voice.counts(session, [project_id])[project_id].all,
        adapters=adapters.counts(session, [project_id]).get(project_id, 0),
        visuals=generations.output_counts(session, [project_id]).get(project_id, 0),
    )


@router.post("/projects/{project_id}/delete")
@audited("project.deleted")
def delete(
    request: Request,
    session: WriteSession,
    storage: FileStorage,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[DeleteForm, Form()],
) -> Response:
    name = queries.project(session, workspace_id=visitor.workspace.id, project_id=project_id).name
    folder = service.delete_project(
        session, workspace_id=visitor.workspace.id, project_id=project_id, typed_name=form.name
    )
    response = go(request, "/projects", Flash("ok", translate(request.state.locale, DELETED, name=name)))
    # Runs after the transaction was committed and the answer sent.
    response.background = BackgroundTask(storage.delete_under, folder)
    return response
