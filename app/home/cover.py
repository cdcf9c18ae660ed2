"""The cover of a brand: the pictures that stand for it. Drafts and what was rejected are never among them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import N_, Invalid, NotFound
from app.gallery import queries as gallery
from app.gallery.filters import Filters
from app.generations import queries as generations
from app.generations.models import Output
from app.images import queries as images
from app.images.models import Image
from app.images.view import picture_view
from app.projects import service as projects
from app.projects.models import Project

MOST_PICTURES = 5
MOST_CHOICES = 12
"""Of each kind: approved visuals, favourites, and the brand's own pictures."""
SIZES = "(max-width: 45rem) 50vw, 14rem"


class NotForTheCover(Invalid):
    sentence = N_("The cover must be an approved visual, a favourite or one of the brand's own pictures.")


@dataclass(frozen=True)
class CoverPicture:
    """A visual or one of the brand's own pictures, as the templates' picture parts want it."""

    id: str
    order_id: str
    """Pictures of one order are much alike."""
    shown: dict[str, Any]


@dataclass(frozen=True)
class Choices:
    """What the cover can begin with, the best first."""

    visuals: list[CoverPicture]
    """Approved ones, then favourites, the newest first."""
    own: list[CoverPicture]
    """The brand's own pictures, the newest first, blurry ones last."""

    @property
    def all(self) -> list[CoverPicture]:
        return self.visuals + self.own


def cover(session: Session, project: Project, found: Choices) -> list[CoverPicture]:
    """What somebody chose, then the best that was found, one picture of each order."""
    chosen = [_shown(one) for one in [_chosen(session, project)] if one is not None]
    pictures = _each_once([*chosen, *found.all])
    of_each_order = list({one.order_id: one for one in reversed(pictures)}.values())
    of_each_order.sort(key=pictures.index)
    return of_each_order[:MOST_PICTURES]


def choices(session: Session, project: Project) -> Choices:
    """At most ``MOST_CHOICES`` of each kind."""
    of_kind = (Filters(brand=project.id, review="approved"), Filters(brand=project.id, favourite=True))
    visuals = [
        _shown(output)
        for wanted in of_kind
        for output in gallery.page(session, workspace_id=project.workspace_id, filters=wanted, limit=MOST_CHOICES)[
            :MOST_CHOICES
        ]
        if _is_fit(output)
    ]
    own = images.covers(session, [project.id], limit=MOST_CHOICES)[project.id]
    return Choices(_each_once(visuals), [_shown(one) for one in own])


def choose(session: Session, *, project: Project, picture_id: str | None) -> Project:
    """Put this visual or picture of the brand in front; None leaves the cover to the best that there is.

    Raises ``NotFound``, ``NotForTheCover``.
    """
    if picture_id is not None:
        found = _picture(session, project, picture_id)
        if isinstance(found, Output) and not _is_fit(found):
            raise NotForTheCover()
    return projects.set_cover(session, workspace_id=project.workspace_id, project_id=project.id, picture_id=picture_id)


def _chosen(session: Session, project: Project) -> Output | Image | None:
    """None where nobody has chosen, and where the picture is gone or has been rejected since."""
    if project.cover_id is None:
        return None
    try:
        found = _picture(session, project, project.cover_id)
    except NotFound:
        return None
    return None if isinstance(found, Output) and not _is_fit(found) else found


def _picture(session: Session, project: Project, picture_id: str) -> Output | Image:
    """Raises ``NotFound``, also for another brand's."""
    own = images.images(session, workspace_id=project.workspace_id, image_ids=[picture_id])
    found = own[0] if own else generations.output(session, workspace_id=project.workspace_id, output_id=picture_id)
    if found.project_id != project.id:
        raise NotFound()
    return found


def _is_fit(output: Output) -> bool:
    return output.review == "approved" or (output.favourite and output.review != "rejected")


def _shown(picture: Output | Image) -> CoverPicture:
    if isinstance(picture, Image):
        return CoverPicture(picture.id, picture.id, dict(picture_view(picture, SIZES)))
    return CoverPicture(picture.id, picture.generation_id, visual_view(picture))


def _each_once(pictures: list[CoverPicture]) -> list[CoverPicture]:
    return list({one.id: one for one in pictures}.values())


def visual_view(output: Output) -> dict[str, Any]:
    """A visual as the templates' picture parts want it."""
    return {
        "src": f"/outputs/{output.id}/thumb/{output.sha256[:16]}",
        "width": output.width,
        "height": output.height,
        "alt": output.prompt[:140],
        "placeholder": output.placeholder,
    }
