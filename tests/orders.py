"""Brands with pictures and ordered trainings, for the tests of several rooms."""

import io
import tempfile
from pathlib import Path

from PIL import Image as Pillow

from app.accounts.models import Workspace
from app.db import Database, new_id
from app.images.models import Image
from app.projects.models import Project
from app.settings import Settings
from app.storage import Storage
from app.trainings import service as trainings
from app.trainings.look.kind import LOOK
from app.trainings.look.overrides import TrainingOverrides
from app.trainings.voice.kind import VOICE
from app.trainings.voice.overrides import VoiceOverrides
from worker.context import WorkerContext
from worker.engines.device import DeviceFacts


def make_workspace(database: Database) -> str:
    with database.write() as session:
        workspace = Workspace(name="Muster & Co.")
        session.add(workspace)
        session.flush()
        return workspace.id


def make_brand(
    database: Database,
    storage: Storage,
    workspace_id: str,
    *,
    pictures: int = 6,
    name: str = "Bäckerei Süß",
    caption: str = "ein süßes Brötchen {n}",
    side: int = 160,
) -> str:
    """A brand with as many pictures of different colours, stored; returns its id."""
    project_id = new_id()
    rows = []
    for number in range(pictures):
        content = io.BytesIO()
        Pillow.new("RGB", (side, side), (40 * number % 256, 99, 200)).save(content, "WEBP")
        image_id, sha = new_id(), new_id() + new_id()
        key = f"projects/{project_id}/images/{image_id}.webp"
        storage.put(key, content.getvalue())
        rows.append(
            Image(
                id=image_id,
                workspace_id=workspace_id,
                project_id=project_id,
                filename=f"Bild {number}.webp",
                format="webp",
                sha256=sha,
                byte_count=len(content.getvalue()),
                width=side,
                height=side,
                working_width=side,
                working_height=side,
                original_key=key,
                working_key=key,
                thumb_key=key,
                small_thumb_key=key,
                dhash=f"{0x0123456789ABCDEF * (number + 3) * 0x9E3779B97F4A7C15 % 2**64:016x}",
                sharpness=200.0,
                caption=caption.format(n=number),
            )
        )
    with database.write() as session:
        session.add(Project(id=project_id, workspace_id=workspace_id, name=name, trigger_word="suessbaeck"))
        session.flush()
        session.add_all(rows)
    return project_id


def order_training(database: Database, workspace_id: str, project_id: str, **fields: object) -> str:
    """Order a short training; returns its id."""
    choices = TrainingOverrides.model_validate(
        {"steps": 12, "checkpoint_every": 4, "sample_prompts": ("[trigger], eine Tasse", "[trigger], ein Hund")}
        | fields
    )
    with database.write() as session:
        return trainings.start_training(
            session, LOOK, workspace_id=workspace_id, project_id=project_id, overrides=choices, created_by=None
        ).id


def order_voice_training(database: Database, workspace_id: str, project_id: str, **fields: object) -> str:
    """Start a training of the brand's voice; returns its id."""
    with database.write() as session:
        return trainings.start_training(
            session,
            VOICE,
            workspace_id=workspace_id,
            project_id=project_id,
            overrides=VoiceOverrides.model_validate(fields),
            created_by=None,
        ).id


def worker_context(database: Database, storage: Storage) -> WorkerContext:
    return WorkerContext(
        database=database,
        storage=storage,
        worker_id="test-worker",
        queues=("training", "generation"),
        settings=Settings(_env_file=None),  # type: ignore[call-arg]
        cache_folder=Path(tempfile.gettempdir()) / "livery-test-cache",
        device=DeviceFacts("Fake device (1 core)"),
    )
