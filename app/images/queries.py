"""What may be seen of a brand's pictures. Deleted ones that can still come back are never among them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from app.db import now, own
from app.errors import NotFound
from app.images.captions import pairing_key
from app.images.judging.look_alikes import PictureStatus, StatusThresholds, find_look_alikes, status_of
from app.images.models import Image

PAGE = 48
COVER_PICTURES = 5
PALETTE_PICTURES = 40
ENOUGH_IMAGES, MANY_IMAGES = 10, 30
"""So many make a good training; more than the second help little."""

THRESHOLDS = StatusThresholds(small_side=512)
"""Before a base model is chosen, a picture is called small only when it is so for every one of them."""

Filter = Literal["all", "good", "small", "blurry", "twin", "left-out", "no-caption"]
FILTERS: tuple[Filter, ...] = ("all", "good", "small", "blurry", "twin", "left-out", "no-caption")


@dataclass(frozen=True)
class TrainingImage:
    """What a training needs to know of one picture."""

    id: str
    working_key: str
    filename: str
    caption: str
    width: int
    """Pixels of the working copy, as is ``height``."""
    height: int
    focus_x: float
    focus_y: float
    sha256: str


@dataclass(frozen=True)
class Counts:
    """How many pictures a brand has, and how many of them training will see."""

    all: int = 0
    included: int = 0


@dataclass(frozen=True)
class Judged:
    """One picture of a set and what is to be said about it. ``twin_of`` names the older picture that it repeats,
    ``twin_id`` is that picture's id."""

    id: str
    filename: str
    created_at: datetime
    included: bool
    has_caption: bool
    status: PictureStatus
    twin_of: str | None
    twin_id: str | None = None

    def answers(self, wanted: Filter) -> bool:
        """Whether the picture belongs under this filter."""
        match wanted:
            case "all":
                return True
            case "left-out":
                return not self.included
            case "no-caption":
                return not self.has_caption
            case _:
                return self.included and self.status == wanted


@dataclass(frozen=True)
class JudgedSet:
    """All pictures of a brand, the newest first; ``small_side`` is what counted as small."""

    pictures: tuple[Judged, ...]
    small_side: int = THRESHOLDS.small_side

    def of(self, image_id: str) -> Judged:
        """Raises ``NotFound``."""
        for picture in self.pictures:
            if picture.id == image_id:
                return picture
        raise NotFound()

    def count(self, wanted: Filter) -> int:
        return sum(picture.answers(wanted) for picture in self.pictures)

    @property
    def included(self) -> int:
        return sum(picture.included for picture in self.pictures)

    def neighbours(self, image_id: str) -> tuple[str | None, str | None]:
        """The pictures before and after in the order of the page."""
        ids = [picture.id for picture in self.pictures]
        at = ids.index(image_id)
        return (ids[at - 1] if at else None), (ids[at + 1] if at + 1 < len(ids) else None)

    def page(
        self, wanted: Filter, *, before: tuple[datetime, str] | None, limit: int = PAGE
    ) -> tuple[list[Judged], Judged | None]:
        """The pictures under a filter that come after ``before``, and the last one of the page if more follow."""
        found = [picture for picture in self.pictures if picture.answers(wanted)]
        if before is not None:
            found = [picture for picture in found if (picture.created_at, picture.id) < before]
        return found[:limit], (found[limit - 1] if len(found) > limit else None)


@dataclass(frozen=True)
class Tile:
    """A picture and what is to be said about it."""

    image: Image
    judged: Judged
    twin: Image | None
    """The older picture that it repeats."""


def image(session: Session, *, workspace_id: str, image_id: str) -> Image:
    """Raises ``NotFound`` for another workspace's picture too."""
    return own(session, Image, image_id, workspace_id, Image.deleted_at.is_(None))


def images(session: Session, *, workspace_id: str, image_ids: Sequence[str]) -> list[Image]:
    """Those of the pictures that exist in this workspace, in the order given."""
    found = session.scalars(
        select(Image).where(Image.id.in_(image_ids), Image.workspace_id == workspace_id, Image.deleted_at.is_(None))
    )
    by_id = {row.id: row for row in found}
    return [by_id[image_id] for image_id in image_ids if image_id in by_id]


class PictureFacts(Protocol):
    """What a picture is judged by."""

    @property
    def id(self) -> str: ...
    @property
    def filename(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def included(self) -> bool: ...
    @property
    def has_caption(self) -> bool: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def sharpness(self) -> float: ...
    @property
    def dhash(self) -> str: ...


def judged_set(
    session: Session, *, workspace_id: str, project_id: str, small_side: int = THRESHOLDS.small_side
) -> JudgedSet:
    """Every picture of the brand with its status. A few columns each, so that 2,000 pictures are quick."""
    columns = (
        Image.id,
        Image.filename,
        Image.created_at,
        Image.included,
        (func.length(func.trim(Image.caption)) > 0).label("has_caption"),
        Image.width,
        Image.height,
        Image.sharpness,
        Image.dhash,
    )
    rows = session.execute(
        select(*columns)
        .where(Image.project_id == project_id, Image.workspace_id == workspace_id, Image.deleted_at.is_(None))
        .order_by(Image.created_at, Image.id)
    ).all()
    return judge(rows, small_side)


def judge(rows: Sequence[PictureFacts], small_side: int = THRESHOLDS.small_side) -> JudgedSet:
    """Of pictures from the oldest to the newest. The older of two look-alikes is the picture, the newer one its twin;
    pictures left out make nobody a twin."""
    thresholds = replace(THRESHOLDS, small_side=small_side)
    taking_part = [row for row in rows if row.included]
    twin_of: dict[str, PictureFacts] = {}
    for pair in find_look_alikes([row.dhash for row in taking_part]):
        older, newer = taking_part[pair.first], taking_part[pair.second]
        if older.id not in twin_of:
            twin_of.setdefault(newer.id, older)
    return JudgedSet(
        tuple(
            Judged(
                id=row.id,
                filename=row.filename,
                created_at=row.created_at,
                included=row.included,
                has_caption=bool(row.has_caption),
                status=status_of(
                    row.width, row.height, row.sharpness, is_twin=row.id in twin_of, thresholds=thresholds
                ),
                twin_of=twin_of[row.id].filename if row.id in twin_of else None,
                twin_id=twin_of[row.id].id if row.id in twin_of else None,
            )
            for row in reversed(rows)
        ),
        small_side,
    )


def tiles(session: Session, *, workspace_id: str, pictures: Sequence[Judged]) -> list[Tile]:
    """The rows of these pictures, with what is to be said about each."""
    wanted = [picture.id for picture in pictures] + [picture.twin_id for picture in pictures if picture.twin_id]
    rows = {row.id: row for row in images(session, workspace_id=workspace_id, image_ids=wanted)}
    return [Tile(rows[one.id], one, rows.get(one.twin_id or "")) for one in pictures if one.id in rows]


def training_set(session: Session, *, workspace_id: str, project_id: str) -> list[TrainingImage]:
    """The pictures that a training will see, the oldest first."""
    rows = session.scalars(
        select(Image)
        .where(
            Image.project_id == project_id,
            Image.workspace_id == workspace_id,
            Image.deleted_at.is_(None),
            Image.included.is_(True),
        )
        .order_by(Image.created_at, Image.id)
    )
    return [
        TrainingImage(
            id=row.id,
            working_key=row.working_key,
            filename=row.filename,
            caption=row.caption,
            width=row.working_width,
            height=row.working_height,
            focus_x=row.focus_x,
            focus_y=row.focus_y,
            sha256=row.sha256,
        )
        for row in rows
    ]


def all_images(session: Session, *, workspace_id: str, project_id: str, only_included: bool = False) -> list[Image]:
    """Whole rows, the oldest first: for exports and bulk edits."""
    wanted = select(Image).where(
        Image.project_id == project_id, Image.workspace_id == workspace_id, Image.deleted_at.is_(None)
    )
    if only_included:
        wanted = wanted.where(Image.included.is_(True))
    return list(session.scalars(wanted.order_by(Image.created_at, Image.id)))


def by_stem(session: Session, *, workspace_id: str, project_id: str, filename: str) -> list[Image]:
    """Pictures whose file name is that of ``filename`` but for its ending."""
    names = session.execute(
        select(Image.id, Image.filename).where(
            Image.project_id == project_id, Image.workspace_id == workspace_id, Image.deleted_at.is_(None)
        )
    )
    wanted = pairing_key(filename)
    ids = [image_id for image_id, name in names if pairing_key(name) == wanted]
    return images(session, workspace_id=workspace_id, image_ids=ids)


def known_hashes(session: Session, *, workspace_id: str, project_id: str) -> frozenset[str]:
    """SHA-256 of every upload that the brand has already."""
    return frozenset(
        session.scalars(
            select(Image.sha256).where(
                Image.project_id == project_id, Image.workspace_id == workspace_id, Image.deleted_at.is_(None)
            )
        )
    )


def by_hash(session: Session, *, workspace_id: str, project_id: str, sha256: str) -> Image | None:
    """The picture with these bytes, also one that was deleted and can still come back."""
    return session.scalar(
        select(Image).where(Image.project_id == project_id, Image.workspace_id == workspace_id, Image.sha256 == sha256)
    )


def counts(session: Session, project_ids: Sequence[str]) -> dict[str, Counts]:
    """Counts by brand; the ids must be of the visitor's own workspace. Brands without pictures are there with zeros."""
    rows = session.execute(
        select(Image.project_id, func.count(), func.sum(cast(Image.included, Integer)))
        .where(Image.project_id.in_(project_ids), Image.deleted_at.is_(None))
        .group_by(Image.project_id)
    )
    found = {project_id: Counts(total, int(included or 0)) for project_id, total, included in rows}
    return {project_id: found.get(project_id, Counts()) for project_id in project_ids}


def covers(session: Session, project_ids: Sequence[str], *, limit: int = COVER_PICTURES) -> dict[str, list[Image]]:
    """The newest included pictures of each brand, blurry ones last; the ids must be of the visitor's own workspace."""
    is_blurry = Image.sharpness < THRESHOLDS.blurry_sharpness
    place = func.row_number().over(
        partition_by=Image.project_id, order_by=(is_blurry, Image.created_at.desc(), Image.id.desc())
    )
    ranked = (
        select(Image.id, place.label("place"))
        .where(Image.project_id.in_(project_ids), Image.deleted_at.is_(None), Image.included.is_(True))
        .subquery()
    )
    rows = session.scalars(
        select(Image).join(ranked, ranked.c.id == Image.id).where(ranked.c.place <= limit).order_by(ranked.c.place)
    )
    found: dict[str, list[Image]] = {project_id: [] for project_id in project_ids}
    for row in rows:
        found[row.project_id].append(row)
    return found


def palette_keys(session: Session, *, workspace_id: str, project_id: str) -> list[str]:
    """Keys of the small pictures that a palette is suggested from."""
    return list(
        session.scalars(
            select(Image.small_thumb_key)
            .where(
                Image.project_id == project_id,
                Image.workspace_id == workspace_id,
                Image.deleted_at.is_(None),
                Image.included.is_(True),
            )
            .order_by(Image.created_at.desc(), Image.id.desc())
            .limit(PALETTE_PICTURES)
        )
    )


def swept(session: Session, *, older_than: timedelta, limit: int = 200) -> list[Image]:
    """Pictures that were deleted so long ago that nobody will want them back."""
    return list(
        session.scalars(select(Image).where(Image.deleted_at < now() - older_than).order_by(Image.id).limit(limit))
    )
