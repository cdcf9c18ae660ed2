"""A picture as the templates' picture parts want it: addresses, sizes and a placeholder."""

from collections.abc import Sequence
from typing import TypedDict

from sqlalchemy.orm import Session

from app.images import queries
from app.images.models import Image
from app.images.reading.prepared import THUMBNAIL_SIDES

SMALL, LARGE = THUMBNAIL_SIDES


class PictureView(TypedDict):
    src: str
    srcset: str
    sizes: str
    width: int
    height: int
    alt: str
    placeholder: str


def address(image: Image, size: str) -> str:
    """The address of a copy of the picture: small, thumb or working. Browsers keep it for ever under its hash."""
    return f"/images/{image.id}/{size}/{image.sha256[:16]}"


def faces(session: Session, project_ids: Sequence[str]) -> dict[str, str]:
    """The address of the picture that each brand is known by in a list, for those that have one; the ids must be of the
    visitor's own workspace."""
    found = queries.covers(session, project_ids, limit=1)
    return {project_id: address(images[0], "small") for project_id, images in found.items() if images}


def picture_view(image: Image, sizes: str = "(max-width: 45rem) 50vw, 13rem") -> PictureView:
    """``sizes`` is the width that it gets on the page, as in HTML."""
    share = min(1.0, LARGE / max(image.width, image.height))
    widths = [round(image.width * min(1.0, side / max(image.width, image.height))) for side in THUMBNAIL_SIDES]
    return {
        "src": address(image, "thumb"),
        "srcset": f"{address(image, 'small')} {widths[0]}w, {address(image, 'thumb')} {widths[1]}w",
        "sizes": sizes,
        "width": max(1, round(image.width * share)),
        "height": max(1, round(image.height * share)),
        "alt": image.caption or image.filename,
        "placeholder": image.placeholder,
    }
