"""Copies in other formats: what disposable processes run. Nothing else imports this module."""

import io
from typing import Any

from PIL import Image


def smaller_copy(question: dict[str, Any], blobs: list[bytes]) -> tuple[None, list[bytes]]:
    """A picture of our own as ``kind``, with its ``xmp``."""
    copy = io.BytesIO()
    with Image.open(io.BytesIO(blobs[0])) as picture:
        rgb = picture.convert("RGB")
    packet = question["xmp"].encode()
    if question["kind"] == "webp":
        rgb.save(copy, "WEBP", quality=90, method=4, xmp=packet)
    else:
        rgb.save(copy, "JPEG", quality=92, optimize=True, progressive=True, xmp=packet)
    return None, [copy.getvalue()]
