"""The two voices of ``tests/data/voice``, as training reads them and as rows of a brand."""

import hashlib
import json
from typing import Any

from app.db import Database
from app.voice import pairs
from app.voice.models import TextSample
from app.voice.pairs import VoiceSample
from tests.servers import ROOT

FOLDER = ROOT / "tests" / "data" / "voice"
NORDLICHT, FIZZBEE = "nordlicht", "fizzbee"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()]


def samples(name: str, language: str | None = None) -> list[VoiceSample]:
    """All samples of one voice, or those in ``language``, with derived briefs."""
    wanted = [row for row in rows(name) if language in (None, row["language"])]
    vocabulary = pairs.Vocabulary.of((row["text"], row["language"]) for row in wanted)
    return [
        VoiceSample(
            sample_id=f"{name}-{number}",
            text=row["text"],
            title=row["title"],
            channel=row["channel"],
            language=row["language"],
            brief=pairs.derive_brief(
                row["text"],
                title=row["title"],
                channel=row["channel"],
                language=row["language"],
                vocabulary=vocabulary,
            ),
        )
        for number, row in enumerate(wanted)
    ]


def voice_rows(name: str = NORDLICHT, language: str = "en") -> list[dict[str, Any]]:
    """Text, title, channel and language of one of the two voices."""
    return [row for row in rows(name) if row["language"] == language]


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
