"""Reads the words of a picture back, with models that come in the wheel of rapidocr."""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidocr import RapidOCR

from app.layouts.values import Rectangle

WIDTH, MARGIN = 400, 40
"""Pixels to which a text is brought, and that are put around it: letters at an edge are lost otherwise."""


@cache
def _reader() -> RapidOCR:
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        }
    )


def words_in(png: bytes, box: Rectangle) -> str:
    """The words within a box, its lines joined by a space."""
    whole = Image.open(io.BytesIO(png)).convert("RGB")
    part = whole.crop((int(box.x) - 1, int(box.y) - 1, int(box.x + box.width) + 2, int(box.y + box.height) + 2))
    part = part.resize((WIDTH, max(1, round(part.height * WIDTH / part.width))), Image.Resampling.LANCZOS)
    around = ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    found = _reader()(np.pad(np.asarray(part)[..., ::-1], around, mode="edge"))
    if found.txts is None:
        return ""
    return _in_order(list(zip(found.boxes, found.txts, strict=True)))


def _in_order(pieces: list[tuple[NDArray[np.float32], str]]) -> str:
    """What was found, line by line from the left. A piece has its corners (4, 2) in px."""
    lines: list[list[tuple[NDArray[np.float32], str]]] = []
    for corners, text in sorted(pieces, key=lambda piece: float(piece[0][:, 1].mean())):
        high = float(np.ptp(corners[:, 1]))
        if lines and corners[:, 1].mean() - lines[-1][0][0][:, 1].mean() < high / 2:
            lines[-1].append((corners, text))
        else:
            lines.append([(corners, text)])
    read = (" ".join(text for _, text in sorted(line, key=lambda piece: float(piece[0][:, 0].min()))) for line in lines)
    return " ".join(" ".join(read).split())


def wrong_letters(read: str, written: str) -> int:
    """How many letters have to be changed, added or taken away; spaces do not count (Levenshtein's distance)."""
    one, other = ("".join(text.split()) for text in (read, written))
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, expected in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (letter != expected))
    return row[-1]
