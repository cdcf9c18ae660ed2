"""Pages that show what a brand has in every room: the shelf, a brand's home, and its end."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from starlette.background import BackgroundTask

from app.adapters import queries as adapters
from app.adapters.models import Adapter
from app.errors import N_
from app.gallery import queries as gallery
from app.gallery.filters import Filters
from app.generations import queries as generations
from app.home import cover
from app.home.journey import Holdings, journey
from app.images import demo
from app.images import queries as images
from app.images.queries import ENOUGH_IMAGES
from app.images.view import picture_view
from app.projects import queries, service
from app.projects.forms import CoverForm, DeleteForm
from app.trainings import queries as trainings
from app.voice import queries as voice
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.paging import from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)

HOME_ADAPTERS = 3
"""Of those that draw, and of those that write."""
HOME_VISUALS = 12
MEANWHILE_VISUALS = 1
SAMPLES = 3

COVER_CHOSEN = N_("Cover saved.")
DELETED = N_("“%(name)s” was deleted with everything in it.")


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
    drawing, made, kept = (
        adapters.drawing_counts(session, ids),
        generations.reviews(session, ids),
        adapters.counts(session, ids),
    )
    return {
        project_id: {
            "counts": counts[project_id],
            "pictures": [picture_view(image, "(max-width: 45rem) 66vw, 13rem") for image in covers[project_id]],
            "adapters": kept[project_id],
            "step": journey(_holdings(counts[project_id], drawing[project_id], made[project_id])).now,
        }
        for project_id in ids
    }


def _holdings(counts: images.Counts, drawing: int, made: Counter[str], *, training_now: bool = False) -> Holdings:
    return Holdings(
        images=counts.included,
        adapters=drawing,
        visuals=made.total(),
        to_review=made["open"],
        approved=made["approved"],
        training_now=training_now,
    )


@router.get("/projects/new")
def show_new(request: Request, _visitor: Editor) -> Response:
    return page(request, "pages/new_project.html", has_demo=bool(demo.pictures()))


@router.get("/projects/{project_id}")
def show(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    workspace_id = visitor.workspace.id
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    counts = images.counts(session, [project_id])[project_id]
    trained = adapters.of_project(session, workspace_id=workspace_id, project_id=project_id)
    running = trainings.running_of(session, workspace_id=workspace_id, project_id=project_id)
    found = cover.choices(session, project)
    holdings = _holdings(
        counts,
        sum(adapter.modality == "image" and adapter.stopped_at is None for adapter in trained),
        generations.reviews(session, [project_id])[project_id],
        training_now=any(training.modality == "image" for training in running),
    )
    return page(
        request,
        "pages/project.html",
        project=project,
        counts=counts,
        pictures=[{**one.shown, "sizes": "5rem"} for one in found.own[: images.COVER_PICTURES]],
        texts=voice.counts(session, [project_id])[project_id],
        excerpt=voice.excerpt(session, workspace_id=workspace_id, project_id=project_id),
        least_texts=voice.LEAST_SAMPLES,
        cover=cover.cover(session, project, found),
        covers=found.all if visitor.can_edit else [],
        holdings=holdings,
        journey=journey(holdings),
        running=running,
        adapters=trained,
        samples={adapter.id: _samples(adapter) for adapter in trained},
        visuals=gallery.page(session, workspace_id=workspace_id, filters=Filters(brand=project_id), limit=HOME_VISUALS)[
            :HOME_VISUALS
        ],
        enough=ENOUGH_IMAGES,
    )


@router.post("/projects/{project_id}/cover")
@audited("project.changed")
def choose_cover(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[CoverForm, Form()]
) -> Response:
    project = queries.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    cover.choose(session, project=project, picture_id=form.picture_id or None)
    return go(request, f"/projects/{project_id}", Flash("ok", translate(request.state.locale, COVER_CHOSEN)))


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


@router.get("/projects/{project_id}/meanwhile")
def meanwhile(
    request: Request, session: ReadSession, visitor: Editor, project_id: RowId, voice_too: bool = True
) -> Response:
    """What there is to do while a training of the brand runs, for its page; ``voice_too`` unless it is the voice's."""
    project = queries.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    seen = gallery.page(session, workspace_id=visitor.workspace.id, filters=Filters(), limit=MEANWHILE_VISUALS)
    return fragment(
        request,
        "partials/meanwhile.html",
        project=project,
        texts=voice.counts(session, [project_id])[project_id],
        least_texts=voice.LEAST_SAMPLES,
        visuals=seen[:MEANWHILE_VISUALS],
        voice_too=voice_too,
    )


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
