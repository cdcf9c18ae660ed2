"""The boxes of a print's page (ISO 32000-2, 14.11.2): where it is cut, and how far its picture goes beyond."""

import io

import pikepdf

from app.layouts.values import Canvas

POINTS_PER_INCH = 72


def with_boxes(pdf: bytes, canvas: Canvas) -> bytes:
    """The PDF with ``TrimBox`` and ``BleedBox`` in the middle of its page; on a screen both are the whole page.

    The same bytes each time.
    """
    point = POINTS_PER_INCH / canvas.dpi
    with pikepdf.open(io.BytesIO(pdf)) as document:
        page = document.pages[0]
        left, bottom, right, top = (float(side) for side in page.mediabox)
        beyond_x = (right - left - canvas.width_px * point) / 2
        beyond_y = (top - bottom - canvas.height_px * point) / 2
        for name, bleed in (("/TrimBox", 0.0), ("/BleedBox", canvas.bleed_px * point)):
            box = left + beyond_x - bleed, bottom + beyond_y - bleed, right - beyond_x + bleed, top - beyond_y + bleed
            page.obj[name] = pikepdf.Array([round(side, 4) for side in box])
        out = io.BytesIO()
        document.save(out, deterministic_id=True, fix_metadata_version=False)
    return out.getvalue()
