"""Removes files that no row points to: what a crash left between a file and its row, or between a row's end and its
file's.

Files come before their rows, so a young file without a row is nothing odd. A file is removed only when it is older than
``OLD_ENOUGH`` and two rounds at least ``APART`` from each other have found it without a row.
"""

from datetime import timedelta

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from app.db import Database, now
from app.jobs.models import Counter, Job
from app.operations import keys
from app.operations.models import OrphanFile
from app.storage import Storage
from app.trainings.models import Training
from app.trainings.queries import folder_of

FILES = "projects"
"""The folder that holds every brand's files."""
APART = timedelta(hours=1)
OLD_ENOUGH = timedelta(hours=6)
FAILED_KEEPS_CHECKPOINTS = timedelta(days=7)
"""So long can a failed training be put back into the queue and go on from where it was."""
ENDED_AGO = timedelta(hours=1)
SWEPT_AT = "orphans_swept_at"
AT_ONCE = 400


def take_turn(session: Session) -> bool:
    """Whether the caller is the one that sweeps now: one of all workers, at most once in ``APART``."""
    moment = now().timestamp()
    if session.get(Counter, (SWEPT_AT, "", "")) is None:
        session.add(Counter(name=SWEPT_AT, kind="", state="", value=0.0))
        session.flush()
    taken = session.execute(
        update(Counter)
        .where(Counter.name == SWEPT_AT, Counter.value <= moment - APART.total_seconds())
        .values(value=moment)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    return taken.rowcount == 1


def sweep(database: Database, storage: Storage) -> int:
    """One round over all files. Says how many were removed."""
    listed = set(storage.keys_under(FILES))
    # Read after the files were listed: whatever has got its row meanwhile counts as pointed to.
    with database.read() as session:
        held = set(keys.referenced(session))
        folders = keys.checkpoint_folders(session)
        seen = {row.key: row.seen_at for row in session.scalars(select(OrphanFile))}
    orphans = {key for key in listed - held if not _is_within(key, folders)}
    due = [key for key in orphans if key in seen and seen[key] <= now() - APART]
    removed = [key for key in due if _remove(storage, key)]
    fresh = sorted(orphans - seen.keys())
    settled = sorted((seen.keys() - orphans) | set(removed))
    for start in range(0, len(fresh), AT_ONCE):
        with database.write() as session:
            session.add_all(OrphanFile(key=key) for key in fresh[start : start + AT_ONCE])
    for start in range(0, len(settled), AT_ONCE):
        with database.write() as session:
            session.execute(delete(OrphanFile).where(OrphanFile.key.in_(settled[start : start + AT_ONCE])))
    return len(removed)


def _is_within(key: str, folders: set[str]) -> bool:
    parts = key.split("/")
    return any("/".join(parts[:end]) in folders for end in range(1, len(parts)))


def _remove(storage: Storage, key: str) -> bool:
    """Unless it was put anew just now, perhaps by somebody whose row is on its way."""
    try:
        if storage.changed_at(key) > now() - OLD_ENOUGH:
            return False
    except FileNotFoundError:
        return True
    storage.delete(key)
    return True


def sweep_checkpoints(database: Database, storage: Storage) -> int:
    """Remove the checkpoints of trainings that have ended; a failed one keeps its for a while. Says how many files."""
    with database.read() as session:
        ended = session.execute(
            select(Job.id, Job.finished_at, Job.state, Training.project_id, Training.id.label("training_id"))
            .join(Training, Training.id == Job.subject_id)
            .where(Job.checkpoint.is_not(None), Job.state.in_(("done", "failed", "cancelled")))
        ).all()
    removed = 0
    for job in ended:
        keeps = FAILED_KEEPS_CHECKPOINTS if job.state == "failed" else ENDED_AGO
        if job.finished_at is None or job.finished_at > now() - keeps:
            continue
        with database.write() as session:
            # Only if nobody has put it back into the queue in this moment.
            forgotten = session.execute(
                update(Job)
                .where(Job.id == job.id, Job.state == job.state)
                .values(checkpoint=None)
                .execution_options(synchronize_session=False)
            )
            assert isinstance(forgotten, CursorResult)
            is_ours = forgotten.rowcount == 1
        if is_ours:
            removed += storage.delete_under(f"{folder_of(job.project_id, job.training_id)}/checkpoints")
    return removed
