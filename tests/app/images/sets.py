"""Brands with pictures, for tests of what people do with them."""

import io

from PIL import Image as Pillow

from app.db import Database
from app.images import queries, service
from app.images.models import Image
from app.images.uploads import Limits, Upload, ingest
from app.projects import service as projects
from app.storage import Storage
from tests.app.images.make_pictures import scene

LIMITS = Limits.of(max_image_mb=5, max_archive_mb=20)


def png(seed: int, width: int = 800, height: int = 800) -> bytes:
    """A sharp picture that no other seed resembles."""
    content = io.BytesIO()
    scene(8, 8, seed).resize((width, height), Pillow.Resampling.NEAREST).save(content, "PNG")
    return content.getvalue()


def make_brand(database: Database, workspace_id: str, name: str = "Nordlicht") -> str:
    with database.write() as session:
        return projects.create_project(session, workspace_id=workspace_id, name=name, trigger="", created_by=None).id


def upload(name: str, data: bytes) -> Upload:
    return Upload(name, io.BytesIO(data), len(data))


def add(database: Database, storage: Storage, workspace_id: str, project_id: str, *uploads: Upload) -> service.Added:
    """Takes files in as a request does."""
    with database.read() as session:
        known = queries.known_hashes(session, workspace_id=workspace_id, project_id=project_id)
    taken = ingest(storage, uploads, project_id=project_id, known=known, limits=LIMITS)
    with database.write() as session:
        added = service.add_all(session, taken, workspace_id=workspace_id, project_id=project_id, created_by=None)
        session.flush()
        session.expunge_all()
    return added


def add_pictures(database: Database, storage: Storage, workspace_id: str, project_id: str, count: int) -> list[str]:
    """Ids of ``count`` different pictures, the oldest first."""
    added = add(
        database,
        storage,
        workspace_id,
        project_id,
        *(upload(f"picture {number}.png", png(number)) for number in range(count)),
    )
    return [image.id for image in added.images]


def image_of(database: Database, workspace_id: str, image_id: str) -> Image:
    with database.read() as session:
        return queries.image(session, workspace_id=workspace_id, image_id=image_id)
