"""Brands, adapters and finished pictures, for the tests of the studio and the gallery."""

import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from PIL import Image

from app.accounts import tokens
from app.adapters.models import Adapter
from app.base_models import catalogue
from app.db import Database, new_id
from app.generations.models import Generation, Output
from app.generations.prompts import folded
from app.generations.recipe import AdapterUse, GenerationRecipe
from app.jobs.models import Job
from app.projects.models import Project
from app.storage import Storage
from tests.conftest import SignedIn

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def api_token(database: Database, person: SignedIn) -> str:
    """A token of this person's workspace that may do everything."""
    with database.write() as session:
        return tokens.make_token(
            session, workspace_id=person.workspace_id, user_id=person.user_id, name="tests", read_only=False
        )[1]


def make_project(database: Database, workspace_id: str, *, name: str = "Nordlicht", trigger: str = "nordlicht") -> str:
    with database.write() as session:
        project = Project(workspace_id=workspace_id, name=name, trigger_word=trigger, palette=["#0a5c9e"])
        session.add(project)
        session.flush()
        return project.id


def make_adapter(
    database: Database,
    storage: Storage,
    workspace_id: str,
    project_id: str,
    *,
    name: str = "Nordlicht",
    version: int = 1,
    base_model: str = "livery-builtin",
    trigger: str = "nordlicht",
    strength: float = 0.9,
    created_at: datetime = START,
    base_edition: int | None = None,
) -> str:
    """An adapter whose file is in the storage, trained on the base as it is today; returns its id."""
    now = next((base.edition for base in catalogue.all_models() if base.key == base_model), 1)
    content = f"weights of {name} {version}".encode()
    key = f"projects/{project_id}/adapters/{new_id()}.safetensors"
    storage.put(key, content)
    with database.write() as session:
        adapter = Adapter(
            workspace_id=workspace_id,
            project_id=project_id,
            training_id=None,
            name=name,
            version=version,
            purpose="style",
            base_model=base_model,
            rank=8,
            alpha=8.0,
            trigger_word=trigger,
            recommended_strength=strength,
            facts={"base_edition": now if base_edition is None else base_edition},
            diffusers_key=key,
            kohya_key=key,
            clean_key=key,
            byte_count=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            created_by=None,
            created_at=created_at,
        )
        session.add(adapter)
        session.flush()
        return adapter.id


def png(width: int = 64, height: int = 64, colour: tuple[int, int, int] = (200, 90, 40)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(content, "PNG")
    return content.getvalue()


@dataclass(frozen=True)
class Picture:
    """Ids of a finished picture and its order."""

    id: str
    generation_id: str


def make_pictures(
    database: Database,
    storage: Storage,
    workspace_id: str,
    project_id: str,
    *,
    count: int = 1,
    prompt: str = "nordlicht, a lighthouse in fog",
    seed: int = 100,
    adapter_id: str | None = None,
    created_at: datetime = START,
    user_id: str | None = None,
    content: bytes | None = None,
    state: str = "done",
    recipe: dict[str, Any] | None = None,
    **columns: Any,
) -> list[Picture]:
    """A finished order and its pictures with files, a second apart; ``columns`` are those of the pictures."""
    stored = content or png()
    with Image.open(io.BytesIO(stored)) as opened:
        width, height = opened.size
    ordered = GenerationRecipe(
        base_model="livery-builtin",
        prompt=prompt,
        adapters=(AdapterUse(adapter_id=adapter_id, strength=0.9),) if adapter_id else (),
        width=max(64, width),
        height=max(64, height),
        count=count,
        seed=seed,
    ).model_copy(update=recipe or {})
    generation_id = new_id()
    made = []
    for position in range(count):
        key = f"projects/{project_id}/outputs/{generation_id}/a1-{position}.png"
        storage.put(key, stored)
        storage.put(key.removesuffix(".png") + "-thumb.webp", stored)
        made.append(
            Output(
                id=new_id(),
                workspace_id=workspace_id,
                project_id=project_id,
                generation_id=generation_id,
                position=position,
                seed=seed + position,
                strength=ordered.strengths[position] if ordered.strengths else 1.0,
                prompt=prompt,
                prompt_folded=folded(prompt),
                adapter_id=adapter_id,
                key=key,
                thumb_key=key.removesuffix(".png") + "-thumb.webp",
                width=width,
                height=height,
                byte_count=len(stored),
                sha256=hashlib.sha256(stored).hexdigest(),
                created_at=created_at + timedelta(seconds=position),
                **({"seconds": 2.5} | columns),
            )
        )
    with database.write() as session:
        session.add(
            Generation(
                id=generation_id,
                workspace_id=workspace_id,
                project_id=project_id,
                kind="strip" if ordered.strengths else "pictures",
                recipe=ordered.model_dump(mode="json"),
                created_by=user_id,
                created_at=created_at,
            )
        )
        session.flush()
        session.add(
            Job(
                workspace_id=workspace_id,
                project_id=project_id,
                queue="generation",
                kind="generation",
                subject_id=generation_id,
                title=prompt[:200],
                state=state,
                created_by=user_id,
                created_at=created_at,
            )
        )
        session.add_all(made)
        return [Picture(output.id, generation_id) for output in made]
