"""Brands with written samples, for the tests of several rooms. The texts are those of ``tests/data/voice``."""

import hashlib
import json

from app.db import Database
from app.voice.models import TextSample
from tests.servers import ROOT

NORDLICHT, FIZZBEE = "nordlicht", "fizzbee"


def voice_rows(name: str = NORDLICHT, language: str = "en") -> list[dict[str, str]]:
    """Text, title, channel and language of one of the two voices."""
    lines = (ROOT / "tests" / "data" / "voice" / f"{name}.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["language"] == language]


def add_texts(database: Database, workspace_id: str, project_id: str, count: int, name: str = NORDLICHT) -> list[str]:
    """Give the brand the first ``count`` texts of a voice; returns their ids."""
    rows = [
        TextSample(
            workspace_id=workspace_id,
            project_id=project_id,
            position=position,
            text_hash=hashlib.sha256(row["text"].encode()).hexdigest()[:32],
            signature="",
            **row,
        )
        for position, row in enumerate(voice_rows(name)[:count])
    ]
    with database.write() as session:
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]
