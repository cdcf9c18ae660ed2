"""Keeps a finished picture: its file with how it was made in it, a small copy, and its row."""

import base64
import hashlib
import io
from pathlib import Path

from PIL import Image

from app.db import new_id, now
from app.generations import queries, service
from app.generations.enlarging.service import EnlargementSpec
from app.generations.provenance import MadeBy, stamped
from app.generations.queries import GenerationSpec
from app.generations.service import FinishedPicture
from app.jobs.claims import LeaseLost
from worker.engines.contracts import GeneratedPicture
from worker.job_run import JobRun

THUMB_SIDE = 512
PLACEHOLDER_SIDE = 12


def keep(
    job: JobRun, order: GenerationSpec | EnlargementSpec, position: int, picture: GeneratedPicture, made: MadeBy
) -> None:
    """Files first, then the row, each picture for itself, so that people see it while the next is drawn. Where another
    attempt was faster, its picture stays. Raises ``LeaseLost``."""
    content = stamped(picture.path.read_bytes(), made, now())
    thumb, placeholder = _small(picture.path)
    # The fence in the name: two attempts that overlap never write to the same file.
    key = f"projects/{order.project_id}/outputs/{order.generation_id}/a{job.claim.fence}-{position}.png"
    thumb_key = key.removesuffix(".png") + "-thumb.webp"
    job.context.storage.put(key, content)
    job.context.storage.put(thumb_key, thumb)
    finished = FinishedPicture(
        output_id=new_id(),
        position=position,
        seed=picture.seed,
        multiplier=picture.strength,
        key=key,
        thumb_key=thumb_key,
        width=picture.width,
        height=picture.height,
        byte_count=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        placeholder=placeholder,
        seconds=picture.seconds,
    )
    kept = False
    try:
        kept = job.write(lambda session: service.add_output(session, job.claim, order, finished))
    except LeaseLost:
        if not job.read(lambda session: queries.has_output(session, finished.output_id)):
            _forget(job, key, thumb_key)
        raise
    if not kept:
        _forget(job, key, thumb_key)


def _forget(job: JobRun, *keys: str) -> None:
    for key in keys:
        job.context.storage.delete(key)


def _small(path: Path) -> tuple[bytes, str]:
    """A WebP whose longest side is at most ``THUMB_SIDE``, and a tiny one as a data address."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    thumb = io.BytesIO()
    picture.save(thumb, "WEBP", quality=84, method=4)
    picture.thumbnail((PLACEHOLDER_SIDE, PLACEHOLDER_SIDE), Image.Resampling.BOX)
    tiny = io.BytesIO()
    picture.save(tiny, "WEBP", quality=30)
    return thumb.getvalue(), "data:image/webp;base64," + base64.b64encode(tiny.getvalue()).decode()
