"""What a worker needs to know to write texts."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.base_models import queries as base_models
from app.base_models.catalogue import TextModelEntry
from app.errors import NotFound
from app.writings.models import Writing, WritingVariant
from app.writings.queries import voice
from app.writings.recipe import WritingOrder


@dataclass(frozen=True)
class VoiceFile:
    """The key of a voice's file in the storage, and the hash of its content."""

    key: str
    sha256: str


@dataclass(frozen=True)
class WritingSpec:
    """What a worker needs to write the texts of a request: plain values, to be carried out of the transaction."""

    writing_id: str
    workspace_id: str
    project_id: str
    order: WritingOrder
    base: TextModelEntry
    voice: VoiceFile | None
    done: frozenset[tuple[str, int]]
    """Arms and positions that an earlier attempt has finished."""


def writing_spec(session: Session, writing_id: str) -> WritingSpec:
    """For the worker. Raises ``NotFound``, ``NoSuchVoice``, ``UnknownBaseModel``."""
    writing = session.get(Writing, writing_id)
    if writing is None:
        raise NotFound()
    order = WritingOrder.model_validate(writing.recipe)
    part = order.of("adapter")
    file = None
    if part is not None:
        adapter = voice(
            session,
            workspace_id=writing.workspace_id,
            project_id=writing.project_id,
            adapter_id=part.adapter_id or "",
        )
        file = VoiceFile(adapter.diffusers_key, adapter.sha256)
    finished = session.execute(
        select(WritingVariant.arm, WritingVariant.position).where(
            WritingVariant.writing_id == writing_id, WritingVariant.finished.is_(True)
        )
    )
    return WritingSpec(
        writing_id=writing.id,
        workspace_id=writing.workspace_id,
        project_id=writing.project_id,
        order=order,
        base=base_models.text_entry(session, workspace_id=writing.workspace_id, key=order.arms[0].recipe.base_model),
        voice=file,
        done=frozenset((arm, position) for arm, position in finished),
    )
