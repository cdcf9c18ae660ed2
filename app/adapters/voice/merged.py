"""A voice merged with its base into one model: ordered by a person, made by a worker, kept until it is deleted.

In the same way a worker writes the adapter for llama.cpp of a voice that was trained elsewhere and came without one; it
then belongs to the voice."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete as delete_rows
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.adapters import queries
from app.adapters.models import Adapter, MergedFile
from app.adapters.names import file_stem
from app.adapters.service import folder_of
from app.base_models import queries as base_models
from app.base_models.catalogue import TextModelEntry
from app.db import own
from app.errors import N_, Conflict, NotFound
from app.jobs import claims, outcomes
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.jobs.models import Job
from app.jobs.queries import jobs_of

KIND = "voice_merge"
Form = Literal["safetensors", "gguf_f16", "gguf_q8_0", "gguf_adapter"]
FORMS: tuple[Form, ...] = ("safetensors", "gguf_f16", "gguf_q8_0", "gguf_adapter")
ADAPTER_ALONE = "gguf_adapter"
"""The one form without the base."""
_ENDINGS: dict[str, str] = {
    "safetensors": "-merged.zip",
    "gguf_f16": "-f16.gguf",
    "gguf_q8_0": "-q8_0.gguf",
    "gguf_adapter": ".gguf",
}
MEDIA_TYPES: dict[str, str] = {"safetensors": "application/zip"}
"""Of the forms that have one of their own."""


class VoiceBaseGone(Conflict):
    sentence = N_("The base model of this voice is no longer in the catalogue, so the two cannot be merged.")


class NoSuchForm(Conflict):
    sentence = N_(
        "Livery does not write this base model for llama.cpp. Download the merged safetensors and convert them "
        "with llama.cpp's own convert_hf_to_gguf.py."
    )


class MergedAlready(Conflict):
    sentence = N_("This voice already has a file for llama.cpp. The file is among the downloads.")


class BeingMade(Conflict):
    sentence = N_("This file is being created. Cancel that job first.")


@dataclass(frozen=True)
class Shown:
    """A form of a voice as its page shows it."""

    form: Form
    name: str
    """Of the file on somebody's disk."""
    about_bytes: int
    """Of a file that is yet to be made, from the number of the base's parameters."""
    row: MergedFile | None
    job: Job | None

    @property
    def is_there(self) -> bool:
        return self.row is not None and self.row.key != ""

    @property
    def is_active(self) -> bool:
        return not self.is_there and self.job is not None and self.job.is_active


@dataclass(frozen=True)
class MergeOrder:
    """Everything that the worker needs."""

    base: TextModelEntry
    adapter_key: str
    sha256: str
    form: Form
    title: str
    key: str
    """Where the file goes in the storage."""
    about_bytes: int
    card: str


def forms_of(adapter: Adapter, base: TextModelEntry | None) -> tuple[Form, ...]:
    """What can be made: a file for llama.cpp only of a base that can be written as one; the adapter alone of a voice
    that was imported."""
    if base is None:
        return ()
    forms: tuple[Form, ...] = ("safetensors", "gguf_f16", "gguf_q8_0") if base.packs else ("safetensors",)
    is_missing = bool(adapter.facts.get("imported")) and not adapter.gguf_key
    return (*forms, "gguf_adapter") if is_missing else forms


def merged_file_name(adapter: Adapter, form: Form) -> str:
    """The name under which the file leaves the house."""
    return file_stem(adapter.name, adapter.purpose, adapter.version) + _ENDINGS[form]


def about_bytes(adapter: Adapter, base: TextModelEntry, form: Form) -> int:
    """Two bytes a number, or in blocks of 32 numbers one byte each and a scale of two; the adapter alone in four, of
    which its own file may have two."""
    if form == ADAPTER_ALONE:
        return 2 * adapter.byte_count
    return base.parameters * 34 // 32 if form == "gguf_q8_0" else base.parameters * 2


def shown(session: Session, adapter: Adapter) -> list[Shown]:
    """Every form that this voice can have, made or not."""
    base = base_models.find_text(session, workspace_id=adapter.workspace_id, key=adapter.base_model)
    rows = queries.merged_files(session, workspace_id=adapter.workspace_id, adapter_id=adapter.id)
    active = jobs_of(session, [row.id for row in rows.values() if not row.key])
    found = []
    for form in forms_of(adapter, base):
        assert base is not None
        row = rows.get(form)
        job = active.get(row.id) if row is not None else None
        found.append(Shown(form, merged_file_name(adapter, form), about_bytes(adapter, base, form), row, job))
    return found


def order(session: Session, *, workspace_id: str, adapter_id: str, form: Form, created_by: str | None) -> MergedFile:
    """Let a worker make the file. Asked for again while it is made or there, it is the same one.

    Raises ``NotFound``, ``VoiceBaseGone``, ``NoSuchForm``, ``MergedAlready``, ``QueueFull``.
    """
    adapter = queries.voice(session, workspace_id=workspace_id, adapter_id=adapter_id)
    base = base_models.find_text(session, workspace_id=adapter.workspace_id, key=adapter.base_model)
    if base is None:
        raise VoiceBaseGone()
    if form == ADAPTER_ALONE and adapter.gguf_key:
        raise MergedAlready()
    if form not in forms_of(adapter, base):
        raise NoSuchForm()
    # The adapter's row is the lock that keeps two from adding the same form.
    session.scalars(select(Adapter.id).where(Adapter.id == adapter.id).with_for_update()).one()
    there = queries.merged_files(session, workspace_id=workspace_id, adapter_id=adapter.id).get(form)
    if there is not None:
        if there.key or _is_active(session, there):
            return there
        session.execute(delete_rows(MergedFile).where(MergedFile.id == there.id))
    row = MergedFile(workspace_id=workspace_id, adapter_id=adapter.id, form=form, created_by=created_by)
    session.add(row)
    session.flush()
    jobs.enqueue(
        session,
        workspace_id=workspace_id,
        project_id=adapter.project_id,
        kind=KIND,
        subject_id=row.id,
        title=merged_file_name(adapter, form),
        created_by=created_by,
    )
    return row


def file_of(session: Session, *, workspace_id: str, adapter_id: str, form: Form) -> tuple[Adapter, MergedFile]:
    """A file that is there, with its voice. Raises ``NotFound``."""
    adapter = queries.voice(session, workspace_id=workspace_id, adapter_id=adapter_id)
    row = queries.merged_files(session, workspace_id=workspace_id, adapter_id=adapter_id).get(form)
    if row is None or not row.key:
        raise NotFound()
    return adapter, row


def delete(session: Session, *, workspace_id: str, adapter_id: str, form: Form) -> str:
    """Remove the row; returns the key of its file, to be removed after the commit.

    Raises ``NotFound``, and ``BeingMade`` while a worker is at it.
    """
    queries.voice(session, workspace_id=workspace_id, adapter_id=adapter_id)
    row = queries.merged_files(session, workspace_id=workspace_id, adapter_id=adapter_id).get(form)
    if row is None:
        raise NotFound()
    if not row.key and _is_active(session, row):
        raise BeingMade()
    session.execute(delete_rows(MergedFile).where(MergedFile.id == row.id, MergedFile.workspace_id == workspace_id))
    return row.key


def order_of(session: Session, workspace_id: str, merged_id: str) -> MergeOrder:
    """Raises ``NotFound``, ``VoiceBaseGone``."""
    row = own(session, MergedFile, merged_id, workspace_id)
    adapter = queries.voice(session, workspace_id=workspace_id, adapter_id=row.adapter_id)
    base = base_models.find_text(session, workspace_id=adapter.workspace_id, key=adapter.base_model)
    if base is None:
        raise VoiceBaseGone()
    form: Form = next(one for one in FORMS if one == row.form)
    ending = "zip" if form == "safetensors" else "gguf"
    folder = folder_of(adapter.project_id, adapter.id)
    return MergeOrder(
        base=base,
        adapter_key=adapter.diffusers_key,
        sha256=adapter.sha256,
        form=form,
        title=f"{adapter.name}, version {adapter.version}",
        key=f"{folder}/adapter.gguf" if form == ADAPTER_ALONE else f"{folder}/merged/{row.id}.{ending}",
        about_bytes=about_bytes(adapter, base, form),
        card=_card(adapter, base),
    )


def complete(session: Session, claim: Claim, *, key: str, byte_count: int) -> None:
    """It is there. Raises ``NotFound`` when it is not wanted any more, and ``LeaseLost``.

    An adapter alone is the voice's own file from then on.
    """
    claims.assert_lease(session, claim)  # an attempt that comes late must not remove what the one in time has made
    found = session.execute(
        update(MergedFile)
        .where(MergedFile.id == claim.subject_id, MergedFile.workspace_id == claim.workspace_id)
        .values(key=key, byte_count=byte_count)
        .returning(MergedFile.id, MergedFile.form, MergedFile.adapter_id)
    ).one_or_none()
    if found is None:
        raise NotFound()
    if found.form == ADAPTER_ALONE:
        session.execute(update(Adapter).where(Adapter.id == found.adapter_id).values(gguf_key=key))
        session.execute(delete_rows(MergedFile).where(MergedFile.id == found.id))
    outcomes.finish(session, claim)


def _is_active(session: Session, row: MergedFile) -> bool:
    job = jobs_of(session, [row.id]).get(row.id)
    return job is not None and job.is_active


def _card(adapter: Adapter, base: TextModelEntry) -> str:
    repository = base.hub_name or base.source
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            "pipeline_tag: text-generation",
            f"base_model: {repository}",
            "base_model_relation: merge",
            "---",
            "",
            f"# Voice of {adapter.name}, version {adapter.version}",
            "",
            f"{base.name} ({repository}, {base.licence}) with a brand's voice merged into it. The licence of the base "
            "goes along with this model.",
            "",
            "```python",
            "from transformers import pipeline",
            "",
            'writer = pipeline("text-generation", "this folder")',
            'asked = [{"role": "user", "content": "Write a post about our new opening hours."}]',
            'print(writer(asked, max_new_tokens=200)[0]["generated_text"][-1]["content"])',
            "```",
            "",
        ]
    )
