"""QLoRA of the real language model that comes along: a third of the memory, and the voice is learned all the same."""

from pathlib import Path

import pytest

from app.base_models import catalogue
from tests.benchmarks.voice_bits import measure
from tests.voices import BUILTIN


@pytest.mark.slow
def test_over_the_real_base_in_four_bits_the_voice_beats_base_and_style_guide(unpacked: Path) -> None:
    done = measure("nf4", texts=20, epochs=1, cache=unpacked, written=0)
    assert done.base_bytes * 3 <= catalogue.text_model(BUILTIN).parameters * 4
    assert done.measures is not None
    assert done.measures.adapter.loss < min(done.measures.base.loss, done.measures.prompted.loss)
