"""A voice whose worker is killed in the middle ends in the very same file. Real processes, a tiny language model, which
each of them takes to 4 bits by itself."""

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

from app.adapters.models import Adapter
from app.db import Database
from app.jobs.models import Job
from app.storage import Storage
from app.trainings import service
from app.trainings.models import HeldOutPoint, LossPoint, TrainingText
from app.trainings.voice.kind import VOICE
from app.trainings.voice.overrides import VoiceOverrides
from tests.orders import make_brand
from tests.servers import Livery, wait_until
from tests.voices import add_texts
from tests.worker.text import tiny

pytestmark = pytest.mark.slow
KILLED_AT = 9
"""A step between two checkpoints."""


def test_a_voice_whose_worker_is_killed_ends_in_the_same_bytes(
    database: Database, database_url: str, storage: Storage, workspace_id: str, tmp_path: Path
) -> None:
    project_id = make_brand(database, storage, workspace_id, pictures=0)
    add_texts(database, workspace_id, project_id, 24)
    choices = VoiceOverrides(
        quantization="nf4", epochs=1, rank=4, learning_rate=0.01, max_length=384, batch_size=2, packing=False
    )
    with database.write() as session:
        killed, undisturbed = (
            service.start_training(
                session, VOICE, workspace_id=workspace_id, project_id=project_id, overrides=choices, created_by=None
            ).id
            for _ in range(2)
        )
    base = tiny.save_model(tmp_path / "base", width=64)
    (tmp_path / "marks").mkdir()
    breaking = ("--how", "is killed", "--at", str(KILLED_AT), "--marks", str(tmp_path / "marks"))
    worker = Livery(
        tmp_path,
        module="tests.broken_worker",
        arguments=(*breaking, "--text-base", base.source),
        DATABASE_URL=database_url,
        DISK_FLOOR_MB="0",
    )
    try:
        wait_until(lambda: has_ended(database, killed), seconds=600, what=f"it to go on\n{worker.tail()}")
        wait_until(lambda: has_ended(database, undisturbed), seconds=600, what=f"the other\n{worker.tail()}")
    finally:
        worker.stop()
    with database.read() as session:
        jobs = {job.subject_id: job for job in session.scalars(select(Job))}
        adapters = {one.training_id: one for one in session.scalars(select(Adapter))}
    assert (jobs[killed].attempt, jobs[undisturbed].attempt) == (2, 1)
    for kind in ("diffusers_key", "gguf_key"):
        one, other = (storage.get(getattr(adapters[each], kind)) for each in (killed, undisturbed))
        assert hashlib.sha256(one).hexdigest() == hashlib.sha256(other).hexdigest(), kind
    assert course(database, killed) == course(database, undisturbed)
    assert adapters[killed].facts["measures"]["held_out"] == adapters[undisturbed].facts["measures"]["held_out"]


def has_ended(database: Database, training_id: str) -> bool:
    with database.read() as session:
        job = session.scalars(select(Job).where(Job.subject_id == training_id)).one()
    assert job.state in ("queued", "running", "done"), job.error_sentence
    return job.state == "done"


def course(database: Database, training_id: str) -> list[object]:
    """All that the page shows of how it went."""
    with database.read() as session:
        losses = session.scalars(select(LossPoint).where(LossPoint.training_id == training_id))
        held_out = session.scalars(select(HeldOutPoint).where(HeldOutPoint.training_id == training_id))
        texts = session.scalars(select(TrainingText).where(TrainingText.training_id == training_id))
        return [
            sorted((one.step, one.loss) for one in losses),
            sorted((one.step, one.loss) for one in held_out),
            sorted((one.step, one.position, one.text) for one in texts),
        ]
