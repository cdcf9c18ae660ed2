"""What may happen to an adapter."""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.adapters import queries
from app.adapters.errors import VersionTaken
from app.adapters.models import Adapter
from app.adapters.voice.imports import ImportedVoice
from app.db import new_id, now
from app.projects import queries as projects
from app.projects.models import Project
from app.storage import Storage


@dataclass(frozen=True)
class AdapterFiles:
    """The stored files of an adapter. Size and hash are those of the diffusers file."""

    diffusers_key: str
    kohya_key: str
    """Empty where other programs' names have no place for this kind of adapter."""
    clean_key: str
    byte_count: int
    sha256: str
    gguf_key: str = ""


def folder_of(project_id: str, adapter_id: str) -> str:
    """Where an adapter's files live in the storage."""
    return f"projects/{project_id}/adapters/{adapter_id}"


def register(
    session: Session,
    *,
    adapter_id: str,
    workspace_id: str,
    project_id: str,
    training_id: str | None,
    version: int | None,
    modality: str = "image",
    purpose: str,
    base_model: str,
    rank: int,
    alpha: float,
    trigger_word: str,
    files: AdapterFiles,
    facts: dict[str, Any],
    created_by: str | None,
    recommended_strength: float = 1.0,
) -> Adapter:
    """Add an adapter whose files are stored already, under the brand's name.

    ``version`` is given where the number stands in the files: ``VersionTaken`` is raised when it is not the brand's
    next one any more. None takes the next one, whichever that is.
    """
    # The brand's row is the lock that keeps two from taking the same number.
    project = session.scalars(
        select(Project).where(Project.id == project_id, Project.workspace_id == workspace_id).with_for_update()
    ).one()
    following = queries.next_version(session, project_id=project_id, modality=modality)
    if version not in (None, following):
        raise VersionTaken()
    adapter = Adapter(
        id=adapter_id,
        workspace_id=workspace_id,
        project_id=project_id,
        training_id=training_id,
        name=project.name,
        version=following,
        modality=modality,
        purpose=purpose,
        base_model=base_model,
        rank=rank,
        alpha=alpha,
        trigger_word=trigger_word,
        recommended_strength=recommended_strength,
        facts=facts,
        diffusers_key=files.diffusers_key,
        kohya_key=files.kohya_key,
        clean_key=files.clean_key,
        gguf_key=files.gguf_key,
        byte_count=files.byte_count,
        sha256=files.sha256,
        created_by=created_by,
    )
    session.add(adapter)
    session.flush()
    return adapter


def describe(
    session: Session,
    *,
    workspace_id: str,
    adapter_id: str,
    name: str | None = None,
    note: str | None = None,
    recommended_strength: float | None = None,
) -> Adapter:
    """Change what people read about it; None leaves a field as it is. Raises ``NotFound``."""
    adapter = queries.adapter(session, workspace_id=workspace_id, adapter_id=adapter_id)
    if name is not None:
        adapter.name = name
    if note is not None:
        adapter.note = note
    if recommended_strength is not None:
        adapter.recommended_strength = recommended_strength
    session.flush()
    return adapter


def archive(session: Session, *, workspace_id: str, adapter_id: str) -> Adapter:
    """Put it away; pictures made with it and its files stay. Raises ``NotFound``."""
    adapter = queries.adapter(session, workspace_id=workspace_id, adapter_id=adapter_id)
    adapter.archived_at = adapter.archived_at or now()
    session.flush()
    return adapter


def unarchive(session: Session, *, workspace_id: str, adapter_id: str) -> Adapter:
    """Raises ``NotFound``."""
    adapter = queries.adapter(session, workspace_id=workspace_id, adapter_id=adapter_id)
    adapter.archived_at = None
    session.flush()
    return adapter


def delete_adapter(session: Session, *, workspace_id: str, adapter_id: str) -> str:
    """Remove the row; returns the folder of its files, to be removed after the commit.

    Pictures that were made with it stay. Raises ``NotFound``.
    """
    adapter = queries.adapter(session, workspace_id=workspace_id, adapter_id=adapter_id)
    folder = folder_of(adapter.project_id, adapter.id)
    session.execute(delete(Adapter).where(Adapter.id == adapter.id, Adapter.workspace_id == workspace_id))
    return folder


def import_voice(
    session: Session,
    storage: Storage,
    *,
    workspace_id: str,
    project_id: str,
    voice: ImportedVoice,
    created_by: str | None,
) -> Adapter:
    """Keep a voice that was trained elsewhere, as the brand's next version. Raises ``NotFound``.

    The file comes first: a rollback leaves one that nobody points at, which is swept.
    """
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    adapter_id = new_id()
    key = f"{folder_of(project_id, adapter_id)}/adapter.safetensors"
    storage.put(key, voice.content)
    sha256 = hashlib.sha256(voice.content).hexdigest()
    return register(
        session,
        adapter_id=adapter_id,
        workspace_id=workspace_id,
        project_id=project_id,
        training_id=None,
        version=None,
        modality="text",
        purpose="voice",
        base_model=voice.base.key,
        rank=voice.rank,
        alpha=voice.alpha,
        trigger_word="",
        files=AdapterFiles(key, key, key, len(voice.content), sha256),
        facts={
            "imported": True,
            "finished": True,
            "named_base": voice.named_base,
            "base_is_doubtful": voice.is_doubtful,
        },
        created_by=created_by,
    )
