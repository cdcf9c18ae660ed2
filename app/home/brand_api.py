"""Brands as JSON. Here, as in the addresses, a brand is a project."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from app.home import cover
from app.images import queries as images
from app.projects import queries, service
from app.projects.forms import Colour, Notes, TriggerWord
from app.projects.models import Project
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.paging import from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import Name, RowId

router = APIRouter(tags=["Brands"], route_class=DeferredRoute)


class ProjectOut(BaseModel, defer_build=True):
    """A brand."""

    id: str
    name: str
    trigger_word: str
    """The rare word that calls the brand's look in a prompt."""
    palette: list[str]
    """Colours as `#rrggbb`, the most important first."""
    look_notes: str
    cover_id: str | None
    """The visual or picture that was chosen to lead the brand's cover; null for the best that there is."""
    created_at: datetime
    archived_at: datetime | None
    image_count: int
    included_image_count: int
    """Pictures that training will see."""


class ProjectList(BaseModel, defer_build=True):
    items: list[ProjectOut]
    next: str | None


class NewProject(JsonBody):
    """A brand to create. Without a trigger word one is made from the name."""

    name: Name
    trigger_word: TriggerWord = ""


class ProjectChange(JsonBody):
    """What to change; what is left out stays as it is."""

    name: Name | None = None
    trigger_word: TriggerWord | None = None
    look_notes: Notes | None = None
    palette: Annotated[list[Colour], Field(max_length=service.MOST_COLOURS)] | None = None
    cover_id: RowId | Literal[""] | None = None
    """An approved visual, a favourite or one of the brand's pictures; empty for the best that there is."""
    archived: bool | None = None


def _out(project: Project, counts: images.Counts) -> ProjectOut:
    return ProjectOut(
        id=project.id,
        name=project.name,
        trigger_word=project.trigger_word,
        palette=project.palette,
        look_notes=project.look_notes,
        cover_id=project.cover_id,
        created_at=project.created_at,
        archived_at=project.archived_at,
        image_count=counts.all,
        included_image_count=counts.included,
    )


@router.get("/projects", summary="List brands")
def list_projects(
    session: ReadSession, visitor: Viewer, archived: bool = False, cursor: str | None = None
) -> ProjectList:
    """Newest first; archived brands only on request."""
    found = queries.projects(session, workspace_id=visitor.workspace.id, archived=archived, before=from_cursor(cursor))
    page, following = split(found, queries.PAGE)
    counts = images.counts(session, [project.id for project in page])
    return ProjectList(
        items=[_out(project, counts[project.id]) for project in page],
        next=following,
    )


@router.post("/projects", status_code=201, summary="Create a brand")
@audited("project.created")
def create_project(session: WriteSession, visitor: Editor, new: NewProject) -> ProjectOut:
    project = service.create_project(
        session,
        workspace_id=visitor.workspace.id,
        name=new.name,
        trigger=new.trigger_word,
        created_by=visitor.user.id,
    )
    return _out(project, images.Counts())


@router.get("/projects/{project_id}", summary="Get a brand")
def get_project(session: ReadSession, visitor: Viewer, project_id: RowId) -> ProjectOut:
    project = queries.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return _out(project, images.counts(session, [project_id])[project_id])


@router.patch("/projects/{project_id}", summary="Change a brand")
@audited("project.changed")
def change_project(session: WriteSession, visitor: Editor, project_id: RowId, change: ProjectChange) -> ProjectOut:
    workspace_id = visitor.workspace.id
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    if change.name is not None:
        service.rename(session, workspace_id=workspace_id, project_id=project_id, name=change.name)
    if change.trigger_word is not None or change.look_notes is not None:
        service.describe_look(
            session,
            workspace_id=workspace_id,
            project_id=project_id,
            trigger=project.trigger_word if change.trigger_word is None else change.trigger_word,
            look_notes=project.look_notes if change.look_notes is None else change.look_notes,
        )
    if change.palette is not None:
        service.set_palette(session, workspace_id=workspace_id, project_id=project_id, colours=change.palette)
    if change.cover_id is not None:
        cover.choose(session, project=project, picture_id=change.cover_id or None)
    if change.archived is not None:
        move = service.archive if change.archived else service.unarchive
        move(session, workspace_id=workspace_id, project_id=project_id)
    return _out(project, images.counts(session, [project_id])[project_id])


@router.delete("/projects/{project_id}", status_code=204, summary="Delete a brand with everything in it")
@audited("project.deleted")
def delete_project(session: WriteSession, storage: FileStorage, visitor: Editor, project_id: RowId) -> Response:
    """Also deletes the brand's pictures, adapters, visuals and their files, and stops running jobs. This cannot be
    undone."""
    name = queries.project(session, workspace_id=visitor.workspace.id, project_id=project_id).name
    folder = service.delete_project(session, workspace_id=visitor.workspace.id, project_id=project_id, typed_name=name)
    return Response(status_code=204, background=BackgroundTask(storage.delete_under, folder))
