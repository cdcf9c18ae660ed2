"""The diagnosis of a brand's pictures: what is known of it, the acts, and taking them back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, undefer

from app.db import changed
from app.errors import N_, AppError
from app.images import queries, service
from app.images.diagnosis.measures import VERSION, PictureMeasures
from app.images.diagnosis.scoring import FAULTS, Diagnosis, Facts, captions_to_write, diagnose
from app.images.models import Image
from app.projects import queries as projects

Cure = Literal["twins", "sharpness", "size", "compression", "lettering", "unity", "captions"]
"""What one click can do: write captions, or leave out the pictures of any other part."""
AT_ONCE = 50
"""Pictures that one click changes: as many as can be named in the address that takes it back."""


class NothingToCure(AppError):
    """There is no picture of which this is to be said any more."""

    status = 409
    sentence = N_("The pictures have changed meanwhile, and nothing is left to do here. Have another look.")


@dataclass(frozen=True)
class SetDiagnosis:
    """``diagnosis`` is None while no picture was measured; ``waiting`` are still to be measured, of ``all``."""

    diagnosis: Diagnosis | None
    waiting: int
    all: int


def of_brand(session: Session, *, workspace_id: str, project_id: str) -> SetDiagnosis:
    """Of the pictures that training will see. Raises ``NotFound``."""
    facts, total, trigger_word = _facts(session, workspace_id, project_id)
    found = diagnose(facts, trigger_word=trigger_word) if facts else None
    return SetDiagnosis(found, total - len(facts), total)


def _facts(session: Session, workspace_id: str, project_id: str) -> tuple[list[Facts], int, str]:
    """What was measured, of how many pictures that can be, and the brand's trigger word."""
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    rows = session.scalars(
        select(Image)
        .where(
            Image.project_id == project_id,
            Image.workspace_id == workspace_id,
            Image.deleted_at.is_(None),
            Image.included.is_(True),
            Image.only_judging.is_(False),
        )
        .order_by(Image.created_at, Image.id)
        .options(undefer(Image.measures))
    ).all()
    seen = [row for row in rows if row.measures and row.measures.get("version") == VERSION]
    facts = [
        Facts(row.id, row.filename, row.caption, min(row.width, row.height), PictureMeasures(**row.measures))
        for row in seen
        if row.measures and "raster" in row.measures
    ]
    return facts, len(facts) + len(rows) - len(seen), project.trigger_word


def cure(session: Session, *, workspace_id: str, project_id: str, part: Cure) -> list[str]:
    """Do what helps against the fault, for at most 50 pictures; returns their ids, by which ``undo`` takes it back.

    Raises ``NotFound``, ``NothingToCure``.
    """
    facts, _, trigger_word = _facts(session, workspace_id, project_id)
    if not facts:
        raise NothingToCure()
    if part == "captions":
        texts = dict(list(captions_to_write(facts).items())[:AT_ONCE])
        for image_id, text in texts.items():
            service.write_caption(session, workspace_id=workspace_id, image_id=image_id, caption=text)
        ids = list(texts)
    else:
        assert part in FAULTS
        ids = list(diagnose(facts, trigger_word=trigger_word).part(part).ids)[:AT_ONCE]
        service.change_many(session, workspace_id=workspace_id, project_id=project_id, image_ids=ids, included=False)
    if not ids:
        raise NothingToCure()
    return ids


def undo(session: Session, *, workspace_id: str, project_id: str, part: Cure, image_ids: Sequence[str]) -> int:
    """Take a cure back for these pictures; a caption that somebody has changed since stays. Returns how many pictures
    changed. Raises ``NotFound``."""
    if part != "captions":
        return service.change_many(
            session, workspace_id=workspace_id, project_id=project_id, image_ids=image_ids, included=True
        )
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    facts = {one.id: one for one in _facts(session, workspace_id, project_id)[0]}
    count = 0
    for row in queries.images(session, workspace_id=workspace_id, image_ids=image_ids):
        if row.project_id != project_id or row.id not in facts:
            continue
        bare = Facts(row.id, row.filename, "", 0, facts[row.id].measures)
        if captions_to_write([bare]).get(row.id) == row.caption:
            row.caption, count = "", count + 1
    session.flush()
    return count


@dataclass(frozen=True)
class ToMeasure:
    id: str
    working_key: str
    is_original_size: bool


def next_to_measure(session: Session) -> ToMeasure | None:
    """Of all workspaces: the oldest picture that no worker has measured in the present way."""
    version = func.coalesce(Image.measures["version"].as_integer(), 0)
    row = session.scalars(
        select(Image).where(Image.deleted_at.is_(None), version < VERSION).order_by(Image.created_at, Image.id).limit(1)
    ).first()
    if row is None:
        return None
    return ToMeasure(row.id, row.working_key, (row.width, row.height) == (row.working_width, row.working_height))


def note_measures(session: Session, *, image_id: str, measures: PictureMeasures | None) -> bool:
    """Keep what was measured, None for a picture that cannot be; says whether it is still there. May run twice."""
    values = measures.model_dump(mode="json") if measures else {"version": VERSION}
    return changed(session, update(Image).where(Image.id == image_id).values(measures=values)) > 0
