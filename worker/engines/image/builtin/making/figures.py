"""All figures of the built-in model, as its card quotes them."""

import json
import logging
from collections.abc import Callable
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
    """Measure the packed model, log all figures, and write them to `work/figures.json`, each as soon as it is there.

    Raises PicturesError without pictures, OSError without a model.
    """
    made = load_pipeline(model)
    steps: dict[str, Callable[[], dict[str, float]]] = {
        "size": lambda: {"megabytes": size_of(model) / 1e6},
        f"obedience among {CONCEPTS} concepts in people's words": lambda: in_peoples_words(made, work),
        "everyday nouns behind a trigger word": lambda: everyday_nouns(made, work, model / "words.json"),
        "latency (s)": lambda: latency(made),
        "autoencoder PSNR (dB)": lambda: autoencoder_quality(made, work),
        "variety (RMS of 0..1)": lambda: variety(made, work),
        f"obedience among {CONCEPTS} concepts, {len(MEASURED_STYLES)} of {len(STYLES)} styles": lambda: obedience(
            made, work
        ),
    }
    figures: dict[str, dict[str, float]] = {}
    for title, step in steps.items():
        figures[title] = step()
        for name, value in figures[title].items():
            log.info("%s: %s: %.3f", title, name, value)
        (work / "figures.json").write_text(json.dumps(figures, indent=1))
    return figures
