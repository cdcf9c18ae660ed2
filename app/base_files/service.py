"""What may happen to base models' files: ordered, noted when they are there, removed; and the hub's token."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import sealing
from app.base_files import queries
from app.base_files.models import BaseCopy, BaseDownload, HubToken
from app.db import now
from app.errors import N_, Conflict, Invalid, NotFound
from app.jobs import claims
from app.jobs import service as jobs
from app.jobs.claims import Claim

LONGEST_TOKEN = 200
KIND = "base_download"
"""A download takes long and needs no device: drawing must not wait behind it."""


class NothingToFetch(Conflict):
    sentence = N_("Nothing to fetch: the files are already on the worker's machine.")


class IsBusy(Conflict):
    sentence = N_("The files are being fetched. Cancel the download first.")


class NotHere(Conflict):
    sentence = N_("No worker has the files on its disk, so there is nothing to remove.")


class BadToken(Invalid):
    sentence = N_("This is not a model hub token: such tokens have no spaces and at most 200 characters.")


def order_download(session: Session, *, workspace_id: str, key: str, created_by: str | None) -> BaseDownload:
    """Queue the fetching of a base model's files; while it is on its way, the same request is given back.

    Raises ``UnknownBaseModel``, ``NothingToFetch``, ``QueueFull``.
    """
    source = queries.source_of(session, workspace_id=workspace_id, key=key)
    if source.is_local or source.source == "builtin":
        raise NothingToFetch()
    there = queries.state(session, workspace_id=workspace_id, key=key)
    if there.is_active and there.download is not None:
        return there.download
    ordered = BaseDownload(workspace_id=workspace_id, base_model=key, created_by=created_by)
    session.add(ordered)
    session.flush()
    jobs.enqueue(
        session,
        workspace_id=workspace_id,
        project_id=None,
        kind=KIND,
        subject_id=ordered.id,
        title=source.name,
        created_by=created_by,
    )
    return ordered


def cancel_download(session: Session, *, workspace_id: str, key: str) -> None:
    """Ask the download to stop; nothing of it is kept. Raises ``NotHere``, ``AlreadyEnded``."""
    there = queries.state(session, workspace_id=workspace_id, key=key)
    if there.job is None:
        raise NotHere()
    jobs.request_cancel(session, workspace_id=workspace_id, job_id=there.job.id)


def remove_files(session: Session, *, workspace_id: str, key: str) -> int:
    """Ask the machines that have its files to remove them; they do within seconds. Says from how many.

    The next order that needs the base model fetches it again. Raises ``IsBusy``, ``NotHere``.
    """
    there = queries.state(session, workspace_id=workspace_id, key=key)
    if there.is_active:
        raise IsBusy()
    if not there.copies:
        raise NotHere()
    for copy in there.copies:
        copy.unwanted_at = now()
    session.flush()
    return len(there.copies)


def keep_token(
    session: Session, sealing_key: bytes, *, workspace_id: str, token: str, created_by: str | None
) -> HubToken:
    """Seal the token in place of the one before. Raises ``BadToken``."""
    if not token or len(token) > LONGEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise BadToken()
    row = session.get(HubToken, workspace_id)
    if row is None:
        row = HubToken(workspace_id=workspace_id)
        session.add(row)
    row.sealed = sealing.seal(sealing_key, queries.SEAL, token)
    row.created_by, row.created_at = created_by, now()
    session.flush()
    return row


def forget_token(session: Session, *, workspace_id: str) -> None:
    """Raises ``NotFound`` where there is none."""
    row = session.get(HubToken, workspace_id)
    if row is None:
        raise NotFound()
    session.delete(row)
    session.flush()


# What workers tell -----------------------------------------------------------------------------------------------


def note_copy(
    session: Session,
    claim: Claim,
    *,
    key: str,
    machine: str,
    host: str,
    commit_hash: str,
    byte_count: int,
) -> None:
    """The files are complete and checked. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, got_further=True)
    row = session.scalar(
        select(BaseCopy).where(
            BaseCopy.workspace_id == claim.workspace_id, BaseCopy.base_model == key, BaseCopy.machine == machine
        )
    )
    if row is None:
        row = BaseCopy(workspace_id=claim.workspace_id, base_model=key, machine=machine)
        session.add(row)
    row.host, row.commit_hash, row.byte_count, row.unwanted_at = host[:80], commit_hash, byte_count, None
    session.flush()


def forget_copy(session: Session, copy_id: str) -> bool:
    """The machine is about to remove the files; False when they are wanted again meanwhile."""
    gone = session.execute(
        delete(BaseCopy)
        .where(BaseCopy.id == copy_id, BaseCopy.unwanted_at.is_not(None))
        .returning(BaseCopy.id)
        .execution_options(synchronize_session=False)
    ).all()
    return bool(gone)
