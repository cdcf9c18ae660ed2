"""Brands with a voice, samples and orders for texts, for the tests of several rooms."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.adapters.models import Adapter
from app.db import Database, new_id
from app.jobs.models import Job
from app.storage import Storage
from app.voice.models import TextSample
from app.writings import service
from app.writings.models import Writing, WritingVariant
from app.writings.requests import WritingRequest
from tests.visuals import START, make_project

SAMPLES = (
    "Regen? Nicht mit uns. Unsere Jacken halten dicht, seit vierzig Jahren.",
    "Neu im Laden: die Mütze aus dem Garn, das bei den Pullovern übrig blieb.",
    "Wir flicken, was reißt. Kostenlos, ein Leben lang, ohne Fragen.",
    "Morgens kalt, mittags warm: Unser Wollhemd macht beides mit.",
    "Aus Husum, für draußen. Alles andere ist nur Wetter.",
)


@dataclass
class Brand:
    """A brand of a workspace, with a voice or without."""

    database: Database
    workspace_id: str
    project_id: str
    voice_id: str | None

    def order(self, brief: str = "die neue Regenjacke", user_id: str | None = None, **fields: object) -> str:
        given: dict[str, object] = {"language": "de", "seed": 500, "count": 2} | fields
        request = WritingRequest(brief=brief, **given)  # type: ignore[arg-type]
        with self.database.read() as session:
            composed = service.compose(
                session, workspace_id=self.workspace_id, project_id=self.project_id, request=request
            )
        with self.database.write() as session:
            return service.request_texts(
                session,
                workspace_id=self.workspace_id,
                project_id=self.project_id,
                user_id=user_id,
                composed=composed,
            ).id

    def writing(self, writing_id: str) -> Writing:
        with self.database.read() as session:
            return session.get_one(Writing, writing_id)

    def texts(self, writing_id: str) -> list[WritingVariant]:
        with self.database.read() as session:
            rows = select(WritingVariant).where(WritingVariant.writing_id == writing_id)
            return sorted(session.scalars(rows), key=lambda row: (row.arm, row.position))

    def job(self, writing_id: str) -> Job:
        with self.database.read() as session:
            return session.scalars(select(Job).where(Job.subject_id == writing_id)).one()


def make_voice(database: Database, storage: Storage, workspace_id: str, project_id: str, *, version: int = 1) -> str:
    """A voice adapter whose file is in the storage; returns its id."""
    content = f"voice {version} of {project_id}".encode()
    key = f"projects/{project_id}/adapters/{new_id()}.safetensors"
    storage.put(key, content)
    with database.write() as session:
        adapter = Adapter(
            workspace_id=workspace_id,
            project_id=project_id,
            training_id=None,
            name="Husumer Ton",
            version=version,
            modality="text",
            purpose="voice",
            base_model="smollm2-135m-instruct",
            rank=8,
            alpha=16.0,
            trigger_word="",
            diffusers_key=key,
            kohya_key=key,
            clean_key=key,
            byte_count=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            created_by=None,
            created_at=START,
        )
        session.add(adapter)
        session.flush()
        return adapter.id


def make_samples(database: Database, workspace_id: str, project_id: str, texts: tuple[str, ...] = SAMPLES) -> None:
    with database.write() as session:
        session.add_all(
            TextSample(
                workspace_id=workspace_id,
                project_id=project_id,
                import_id=None,
                position=number,
                text=text,
                channel="post",
                language="de",
                text_hash=hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
                signature="",
                created_by=None,
            )
            for number, text in enumerate(texts)
        )


def make_brand(
    database: Database, storage: Storage, workspace_id: str, *, voice: bool = True, samples: bool = True
) -> Brand:
    project_id = make_project(database, workspace_id, name="Husumer Wetter", trigger="husum")
    if samples:
        make_samples(database, workspace_id, project_id)
    voice_id = make_voice(database, storage, workspace_id, project_id) if voice else None
    return Brand(database, workspace_id, project_id, voice_id)


def write_down(brand: Brand, writing_id: str, words: dict[str, str], moment: datetime = START) -> None:
    """Finish an order as a worker would, with these texts by arm, and lay out its pairs."""
    from sqlalchemy import update

    from app.jobs import claims
    from app.writings import spec

    with brand.database.write() as session:
        session.execute(
            update(WritingVariant)
            .where(WritingVariant.writing_id == writing_id)
            .values(finished=True, text="", created_at=moment)
        )
        for arm, text in words.items():
            for row in session.scalars(
                select(WritingVariant).where(WritingVariant.writing_id == writing_id, WritingVariant.arm == arm)
            ):
                row.text = text if row.position == 0 else f"{text} {row.position}"
        claim = claims.claim_next(session, queues=("generation",), owner="test")
        assert claim is not None and claim.subject_id == writing_id
        service.complete(session, claim, spec.writing_spec(session, writing_id))
