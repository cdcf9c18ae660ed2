"""What may be seen of base models' files: where they lie, what is on its way, whether there is a token."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import sealing
from app.base_files.models import BaseCopy, BaseDownload, HubToken
from app.base_models import catalogue
from app.base_models.models import OwnBase
from app.base_models.text_recognition import FAMILY as TEXT_FAMILY
from app.db import own
from app.jobs.models import Job

SEAL = "hub token"


@dataclass(frozen=True)
class FilesState:
    """Where one base model's files are."""

    copies: tuple[BaseCopy, ...]
    """Copies on the workers' disks, without those that are to be removed."""
    download: BaseDownload | None
    """The latest request."""
    job: Job | None
    """Its job."""

    @property
    def is_active(self) -> bool:
        return self.job is not None and self.job.is_active

    @property
    def share(self) -> float | None:
        """Share of the bytes that are here, while they are fetched."""
        if self.job is None or self.job.state != "running" or not self.job.progress_total:
            return None
        return min(1.0, self.job.progress_done / self.job.progress_total)

    @property
    def is_here(self) -> bool:
        return bool(self.copies)

    @property
    def byte_count(self) -> int:
        return max((copy.byte_count for copy in self.copies), default=0)


NOTHING = FilesState((), None, None)


@dataclass(frozen=True)
class Source:
    """Where one base model's files come from."""

    key: str
    name: str
    source: str
    """``builtin``, a hub's repository, or an entry of the folder of checkpoints."""
    revision: str | None
    file: str | None
    """Of the repository, where that file is the whole checkpoint."""
    is_local: bool
    is_text: bool
    is_own: bool
    """Added by the workspace; False for the catalogue's."""


def source_of(session: Session, *, workspace_id: str, key: str) -> Source:
    """Of any base model that the workspace may use, also one whose family is not known yet.

    Raises ``UnknownBaseModel``.
    """
    row = session.scalar(select(OwnBase).where(OwnBase.id == key, OwnBase.workspace_id == workspace_id))
    if row is not None:
        return Source(
            key=row.id,
            name=row.name,
            source=row.source,
            revision=row.revision or None,
            file=row.file or None,
            is_local=row.place == "local",
            is_text=row.family == TEXT_FAMILY,
            is_own=True,
        )
    text = catalogue.find_text_model(key)
    found = text or catalogue.get(key)
    return Source(found.key, found.name, found.source, found.revision, None, False, text is not None, False)


def states(session: Session, *, workspace_id: str) -> dict[str, FilesState]:
    """By the base model's key, for every one that has files or a request."""
    copies: dict[str, list[BaseCopy]] = {}
    for copy in session.scalars(
        select(BaseCopy)
        .where(BaseCopy.workspace_id == workspace_id, BaseCopy.unwanted_at.is_(None))
        .order_by(BaseCopy.created_at)
    ):
        copies.setdefault(copy.base_model, []).append(copy)
    orders: dict[str, tuple[BaseDownload, Job]] = {}
    for ordered, job in session.execute(
        select(BaseDownload, Job)
        .join(Job, Job.subject_id == BaseDownload.id)
        .where(BaseDownload.workspace_id == workspace_id)
        .order_by(BaseDownload.created_at)
    ):
        orders[ordered.base_model] = (ordered, job)
    return {
        key: FilesState(tuple(copies.get(key, ())), *(orders.get(key) or (None, None)))
        for key in copies.keys() | orders.keys()
    }


def state(session: Session, *, workspace_id: str, key: str) -> FilesState:
    return states(session, workspace_id=workspace_id).get(key, NOTHING)


def download(session: Session, *, workspace_id: str, download_id: str) -> BaseDownload:
    """Raises ``NotFound`` for another workspace's too."""
    return own(session, BaseDownload, download_id, workspace_id)


def hub_token_row(session: Session, *, workspace_id: str) -> HubToken | None:
    return session.get(HubToken, workspace_id)


def hub_token(session: Session, sealing_key: bytes, *, workspace_id: str) -> str | None:
    """The token itself, for a worker that fetches. Raises ``CannotOpen``."""
    row = hub_token_row(session, workspace_id=workspace_id)
    return sealing.unseal(sealing_key, SEAL, row.sealed) if row is not None else None


def unwanted(session: Session, *, machine: str) -> list[BaseCopy]:
    """Those on this machine whose files are to be removed, of all workspaces."""
    return list(session.scalars(select(BaseCopy).where(BaseCopy.machine == machine, BaseCopy.unwanted_at.is_not(None))))


def is_wanted_elsewhere(session: Session, *, machine: str, key: str) -> bool:
    """Whether any workspace still counts on the base model's files on this machine."""
    wanted = select(BaseCopy.id).where(
        BaseCopy.machine == machine, BaseCopy.base_model == key, BaseCopy.unwanted_at.is_(None)
    )
    return session.scalar(wanted.limit(1)) is not None
