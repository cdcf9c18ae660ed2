"""Base models as rows to choose from: what one asks of each at a glance, the recommended first.

Files lie with the workers and paces are measured by trainings, so a row is put together here, above both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.orm import Session

from app.base_files import queries as base_files
from app.base_files.queries import NOTHING, FilesState
from app.base_models import queries as base_models
from app.base_models.catalogue import BaseModelEntry, TextModelEntry, UnknownBaseModel
from app.base_models.models import OwnBase
from app.base_models.text_recognition import FAMILY as TEXT_FAMILY
from app.jobs import queries as jobs
from app.machine.devices import Device, largest_device
from app.trainings.bases.runs_here import UNKNOWN_FILES, RunsHere, for_pictures, for_texts
from app.trainings.kind import Modality
from app.trainings.look import queries as look_queries
from app.trainings.service import QUEUE
from app.trainings.voice import queries as voice_queries

Commercial = Literal["yes", "limited", "no", "unknown"]
Place = Literal["ready", "fetching", "failed", "gated", "to_fetch", "not_looked_at", "unusable"]
MOST_RECOMMENDED = 3
RANKS = ("yes", "slowly", "unknown", "no")


@dataclass(frozen=True)
class BaseRow:
    """One base model."""

    key: str
    name: str
    modality: Modality | None
    """None while nobody knows."""
    side: int | None
    """Of its pictures in pixels, as they are in the end; None for texts."""
    parameters: int | None
    """None for pictures."""
    runs: RunsHere
    commercial: Commercial
    place: Place
    download_bytes: int | None
    """Left to fetch; None where that is not known or nothing is fetched. A language model's is worked out from its
    size."""
    files: FilesState
    is_own: bool
    """Added by the workspace."""
    is_suitable: bool = True
    """For whoever asks nobody: free to use in business, and not worn off by training."""
    is_recommended: bool = False

    @property
    def is_foremost(self) -> bool:
        """Shown at once; the others are folded away."""
        return self.is_recommended or self.is_own or self.place in ("ready", "fetching", "failed")

    @property
    def runs_here(self) -> bool:
        return self.runs.verdict in ("yes", "slowly")


def device_here(session: Session) -> Device | None:
    """That which trains: the largest of those that workers have reported."""
    return largest_device(jobs.workers_serving(session, QUEUE))


def rows(session: Session, modality: Modality, *, workspace_id: str) -> list[BaseRow]:
    """Those that an order may name: the recommended, then what is at hand, then by how well they run here."""
    device, states = device_here(session), base_files.states(session, workspace_id=workspace_id)
    own = {row.id for row in base_models.own_bases(session, workspace_id=workspace_id)}
    found: list[BaseRow]
    if modality == "image":
        pictures = base_models.offered(session, workspace_id=workspace_id)
        found = [picture_row(session, one, device, states.get(one.key, NOTHING), one.key in own) for one in pictures]
    else:
        texts = base_models.text_offered(session, workspace_id=workspace_id)
        found = [text_row(session, one, device, states.get(one.key, NOTHING), one.key in own) for one in texts]
    return _in_order(found)


def row_of(session: Session, *, workspace_id: str, key: str) -> BaseRow:
    """Any one of them, also one that was put away. Raises ``NotFound``."""
    files = base_files.state(session, workspace_id=workspace_id, key=key)
    own = base_models.find_own(session, workspace_id=workspace_id, key=key)
    picture = base_models.find(session, workspace_id=workspace_id, key=key)
    if picture is not None:
        return picture_row(session, picture, device_here(session), files, own is not None)
    text = base_models.find_text(session, workspace_id=workspace_id, key=key)
    if text is not None:
        return text_row(session, text, device_here(session), files, own is not None)
    if own is None:
        raise UnknownBaseModel(key=key[:80])
    return unknown_row(own, files)


def rows_without_entry(session: Session, modality: Modality, *, workspace_id: str) -> list[BaseRow]:
    """The workspace's own whose files nobody has looked at yet, so that orders cannot name them."""
    states = base_files.states(session, workspace_id=workspace_id)
    named = {one.key for one in base_models.offered(session, workspace_id=workspace_id)}
    named |= {one.key for one in base_models.text_offered(session, workspace_id=workspace_id)}
    return [
        unknown_row(row, states.get(row.id, NOTHING))
        for row in base_models.own_bases(session, workspace_id=workspace_id)
        if row.id not in named and _may_be(row, modality)
    ]


def picture_row(
    session: Session, base: BaseModelEntry, device: Device | None, files: FilesState, is_own: bool
) -> BaseRow:
    return BaseRow(
        key=base.key,
        name=base.name,
        modality="image",
        side=base.resolution * base.enlargement,
        parameters=None,
        runs=for_pictures(base, device, look_queries.measurements(session, base.key)),
        commercial=_commercial(base),
        place=_place(base, files),
        download_bytes=base.download_mb * 1_000_000 if base.download_mb else None,
        files=files,
        is_own=is_own,
        is_suitable=base.commercial is True and not base.distilled,
    )


def text_row(session: Session, base: TextModelEntry, device: Device | None, files: FilesState, is_own: bool) -> BaseRow:
    return BaseRow(
        key=base.key,
        name=base.name,
        modality="text",
        side=None,
        parameters=base.parameters,
        runs=for_texts(base, device, voice_queries.paces(session, base.key)),
        commercial=_commercial(base),
        place=_place(base, files),
        download_bytes=None if base.ready else base.weight_bytes("none"),
        files=files,
        is_own=is_own,
        is_suitable=base.commercial is True and base.has_chat_template,
    )


def unknown_row(row: OwnBase, files: FilesState) -> BaseRow:
    place: Place = "fetching" if files.is_active else "not_looked_at"
    if files.job is not None and files.job.state == "failed":
        place = "unusable"
    return BaseRow(
        key=row.id,
        name=row.name,
        modality="text" if row.family == TEXT_FAMILY else "image" if row.family else None,
        side=None,
        parameters=None,
        runs=UNKNOWN_FILES,
        commercial="unknown" if row.commercial is None else "yes" if row.commercial else "no",
        place=place,
        download_bytes=None,
        files=files,
        is_own=True,
        is_suitable=False,
    )


def _may_be(row: OwnBase, modality: Modality) -> bool:
    return not row.family or (row.family == TEXT_FAMILY) == (modality == "text")


def _commercial(base: BaseModelEntry | TextModelEntry) -> Commercial:
    if base.commercial is None:
        return "unknown"
    if not base.commercial:
        return "no"
    return "limited" if base.forbids_uses else "yes"


def _place(base: BaseModelEntry | TextModelEntry, files: FilesState) -> Place:
    if base.ready or files.is_here:
        return "ready"
    if files.is_active:
        return "fetching"
    if files.job is not None and files.job.state == "failed":
        return "failed"
    return "gated" if base.gated else "to_fetch"


def _in_order(found: Sequence[BaseRow]) -> list[BaseRow]:
    """The catalogue goes from small to large, so the last that still runs well is the best that there is to choose."""
    well = [one for one in found if one.runs.verdict == "yes" and one.runs.is_plain and one.is_suitable]
    if not well and all(one.runs.verdict == "unknown" for one in found):
        well = [one for one in found if one.is_suitable][:MOST_RECOMMENDED]
        best = [one.key for one in well]
    else:
        best = [one.key for one in reversed(well[-MOST_RECOMMENDED:])]
    marked = [replace(one, is_recommended=one.key in best) for one in found]
    ahead = {key: place for place, key in enumerate(best)}
    return sorted(
        marked,
        key=lambda one: (ahead.get(one.key, len(ahead)), not one.is_foremost, RANKS.index(one.runs.verdict)),
    )
