"""What a training reads, as a file that other trainers take."""

import json
from collections.abc import Iterable, Iterator

from app.voice.analysis.pairs import VoiceSample, conversation


def conversation_lines(samples: Iterable[VoiceSample]) -> Iterator[str]:
    """One JSON object per line with ``messages``: the form that trainers of language models share."""
    for sample in samples:
        yield json.dumps({"messages": conversation(sample)}, ensure_ascii=False) + "\n"
