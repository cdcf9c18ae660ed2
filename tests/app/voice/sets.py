"""Brands with texts, for tests of what people do with them."""

from collections.abc import Sequence

from app.db import Database
from app.voice import queries, service
from app.voice.analysis.languages import detect
from app.voice.models import TextSample
from app.voice.reading import mapping
from app.voice.reading.mapping import Draft


def drafts(texts: Sequence[str]) -> list[Draft]:
    return [
        Draft(row, text, "", mapping.guess_channel(text), detect(text) or "en", "") for row, text in enumerate(texts, 1)
    ]


def add_texts(database: Database, workspace_id: str, project_id: str, texts: Sequence[str]) -> list[str]:
    """Ids of the new samples, in order; texts that are the same come twice."""
    prepared = service.prepare(drafts(texts))
    with database.write() as session:
        return service.add_samples(
            session, prepared, workspace_id=workspace_id, project_id=project_id, created_by=None, skip_known=False
        ).ids


def text_of_row(database: Database, workspace_id: str, text_id: str) -> TextSample:
    with database.read() as session:
        return queries.sample(session, workspace_id=workspace_id, text_id=text_id)
