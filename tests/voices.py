"""The two voices of ``tests/data/voice``, as training reads them."""

import json
from pathlib import Path
from typing import Any

from app.voice import pairs
from app.voice.pairs import VoiceSample

FOLDER = Path(__file__).parent / "data" / "voice"
CALM, LOUD = "nordlicht", "fizzbee"


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
