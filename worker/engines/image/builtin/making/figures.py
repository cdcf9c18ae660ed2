"""All figures of the built-in model, as its card quotes them."""

import json
import logging
from pathlib import Path

from worker.engines.image.builtin.layout import load_pipeline, size_of
from worker.engines.image.builtin.making.measure import (
    CONCEPTS,
    MEASURED_STYLES,
    autoencoder_quality,
    latency,
    obedience,
    variety,
)
from worker.engines.image.builtin.making.measure_wording import everyday_nouns, in_peoples_words
from worker.engines.image.builtin.making.words.captions import STYLES

log = logging.getLogger(__name__)


def measure(work: Path, model: Path) -> dict[str, dict[str, float]]:
    """Measure the packed model, log all figures, and write them to `work/figures.json`.

    Raises PicturesError without pictures, OSError without a model.
    """
    made = load_pipeline(model)
    figures = {
        "size": {"megabytes": size_of(model) / 1e6},
        "autoencoder PSNR (dB)": autoencoder_quality(made, work),
        f"obedience among {CONCEPTS} concepts, {len(MEASURED_STYLES)} of {len(STYLES)} styles": obedience(made, work),
        f"obedience among {CONCEPTS} concepts in people's words": in_peoples_words(made, work),
        "everyday nouns behind a trigger word": everyday_nouns(made, work, model / "words.json"),
        "variety (RMS of 0..1)": variety(made, work),
        "latency (s)": latency(made),
    }
    for title, rows in figures.items():
        for name, value in rows.items():
            log.info("%s: %s: %.3f", title, name, value)
    (work / "figures.json").write_text(json.dumps(figures, indent=1))
    return figures
