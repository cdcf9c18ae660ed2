"""What may happen to a brand."""

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.db import new_id, now
from app.projects import queries, trigger_word
from app.projects.errors import NameDiffers
from app.projects.models import Project

MOST_COLOURS = 12


def create_project(
    session: Session,
    *,
    workspace_id: str,
    name: str,
    trigger: str,
    created_by: str | None,
    project_id: str | None = None,
) -> Project:
    """A new brand; an empty ``trigger`` is made from the name. ``project_id`` is for callers that stored files under it
    already. Raises ``BadTriggerWord``."""
    project = Project(
        id=project_id or new_id(),
        workspace_id=workspace_id,
        name=name,
        trigger_word=trigger_word.checked(trigger, name=name),
        palette=[],
        created_by=created_by,
    )
    session.add(project)
    session.flush()
    return project


def rename(session: Session, *, workspace_id: str, project_id: str, name: str) -> Project:
    """Raises ``NotFound``."""
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    project.name = name
    session.flush()
    return project


def describe_look(session: Session, *, workspace_id: str, project_id: str, trigger: str, look_notes: str) -> Project:
    """Keep the trigger word and the notes. Adapters that were trained before keep the word they learned.

    Raises ``NotFound``, ``BadTriggerWord``.
    """
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    project.trigger_word = trigger_word.checked(trigger, name=project.name)
    project.look_notes = look_notes
    session.flush()
    return project


def set_palette(session: Session, *, workspace_id: str, project_id: str, colours: list[str]) -> Project:
    """Keep these colours (``#rrggbb``), each once, at most ``MOST_COLOURS``. Raises ``NotFound``."""
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    project.palette = list(dict.fromkeys(colour.lower() for colour in colours))[:MOST_COLOURS]
    session.flush()
    return project


def set_cover(session: Session, *, workspace_id: str, project_id: str, picture_id: str | None) -> Project:
    """Put a picture in front of the cover; None leaves it to the best that there is. Raises ``NotFound``."""
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    project.cover_id = picture_id
    session.flush()
    return project


def archive(session: Session, *, workspace_id: str, project_id: str) -> Project:
    """Put a brand away; nothing of it is lost. Raises ``NotFound``."""
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    project.archived_at = project.archived_at or now()
    session.flush()
    return project


def unarchive(session: Session, *, workspace_id: str, project_id: str) -> Project:
    """Take a brand out of the archive. Raises ``NotFound``."""
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    project.archived_at = None
    session.flush()
    return project


def delete_project(session: Session, *, workspace_id: str, project_id: str, typed_name: str) -> str:
    """Remove a brand and every row that belongs to it; returns the folder of its files, to be removed after the commit.

    Its jobs go with it, and that is what stops a running one: at its next heartbeat it finds that it is not held any
    more, and keeps nothing. Rows go first and files last: what fails in between leaves files that nobody points at,
    never the other way round.

    Raises ``NotFound``, ``NameDiffers``.
    """
    project = queries.project(session, workspace_id=workspace_id, project_id=project_id)
    if " ".join(typed_name.split()).casefold() != " ".join(project.name.split()).casefold():
        raise NameDiffers(name=project.name)
    session.execute(delete(Project).where(Project.id == project_id, Project.workspace_id == workspace_id))
    return project_folder(project_id)


def project_folder(project_id: str) -> str:
    """Where a brand's files live in the storage."""
    return f"projects/{project_id}"
