"""What may be seen of a brand's written samples. Deleted ones that can still come back are never among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Integer, Select, cast, func, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.voice import likeness, pairs, personal_data
from app.voice.models import BoilerplateLine, TextSample
from app.voice.pairs import VoiceSample

PAGE = 40
LEAST_SAMPLES = 20
"""With fewer, a training is refused."""
ENOUGH_SAMPLES, MANY_SAMPLES = 100, 300
"""So many make a good voice; more help a little."""
MOST_SAMPLES = 5000
"""Of one brand."""

Filter = Literal["all", "included", "left-out", "personal", "duplicate", "near", "boilerplate", "short"]
FILTERS: tuple[Filter, ...] = ("all", "included", "left-out", "personal", "duplicate", "near", "boilerplate", "short")
SHORT_CHARACTERS = 25
"""Below this a text that is no headline teaches little."""


@dataclass(frozen=True)
class Counts:
    """How many samples a brand has, and how many of them training will read."""

    all: int = 0
    included: int = 0


def _of_project(workspace_id: str, project_id: str) -> Select[TextSample]:
    return (
        select(TextSample)
        .where(
            TextSample.project_id == project_id,
            TextSample.workspace_id == workspace_id,
            TextSample.deleted_at.is_(None),
        )
        .order_by(TextSample.created_at, TextSample.position, TextSample.id)
    )


def sample(session: Session, *, workspace_id: str, text_id: str) -> TextSample:
    """Raises ``NotFound`` for another workspace's sample too."""
    found = session.scalar(
        select(TextSample).where(
            TextSample.id == text_id, TextSample.workspace_id == workspace_id, TextSample.deleted_at.is_(None)
        )
    )
    if found is None:
        raise NotFound()
    return found


def all_samples(session: Session, *, workspace_id: str, project_id: str) -> list[TextSample]:
    """Whole rows, the oldest first."""
    return list(session.scalars(_of_project(workspace_id, project_id)))


def cut_lines(session: Session, *, workspace_id: str, project_id: str) -> frozenset[str]:
    """Hashes of the boilerplate lines that training is not to read."""
    return frozenset(
        line.line_hash for line in decided_lines(session, workspace_id, project_id) if line.choice == "cut"
    )


def decided_lines(session: Session, workspace_id: str, project_id: str) -> list[BoilerplateLine]:
    return list(
        session.scalars(
            select(BoilerplateLine)
            .where(BoilerplateLine.project_id == project_id, BoilerplateLine.workspace_id == workspace_id)
            .order_by(BoilerplateLine.created_at, BoilerplateLine.id)
        )
    )


def training_text(row: TextSample, cut: frozenset[str]) -> str:
    """The text as training reads it: personal data masked unless somebody said to keep it, boilerplate cut out."""
    text = row.text
    if row.personal_data != "keep" and row.findings:
        text = personal_data.mask(text, personal_data.from_json(row.findings), row.language)
    return likeness.without_lines(text, cut)


def as_read(rows: Sequence[TextSample], cut: frozenset[str]) -> list[VoiceSample]:
    """These samples as training reads them, each with its brief; ones of which nothing is left are not among them."""
    texts = {row.id: training_text(row, cut) for row in rows}
    vocabulary = pairs.Vocabulary.of((texts[row.id], row.language) for row in rows)
    return [
        VoiceSample(
            sample_id=row.id,
            text=texts[row.id],
            title=row.title,
            channel=row.channel,
            language=row.language,
            brief=row.brief
            or pairs.derive_brief(
                texts[row.id], title=row.title, channel=row.channel, language=row.language, vocabulary=vocabulary
            ),
        )
        for row in rows
        if texts[row.id]
    ]


def training_set(session: Session, *, workspace_id: str, project_id: str) -> list[VoiceSample]:
    """The samples that a training will read, the oldest first, as it will read them."""
    rows = session.scalars(_of_project(workspace_id, project_id).where(TextSample.included.is_(True))).all()
    return as_read(rows, cut_lines(session, workspace_id=workspace_id, project_id=project_id))


def counts(session: Session, project_ids: Sequence[str]) -> dict[str, Counts]:
    """Counts by brand; the ids must be of the visitor's own workspace. Brands without samples are there with zeros."""
    rows = session.execute(
        select(TextSample.project_id, func.count(), func.sum(cast(TextSample.included, Integer)))
        .where(TextSample.project_id.in_(project_ids), TextSample.deleted_at.is_(None))
        .group_by(TextSample.project_id)
    )
    found = {project_id: Counts(total, int(included or 0)) for project_id, total, included in rows}
    return {project_id: found.get(project_id, Counts()) for project_id in project_ids}
