"""What the gallery's pages may send."""

from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, field_validator

from app.gallery.filters import Filters, Review
from app.gallery.queries import MOST_CHOSEN
from app.gallery.service import MOST_TAGS
from app.sign_off.forms import Reason, ReasonForm
from app.web.flashes import from_stamp
from app.web.text import Line, RowId, clean_line

KEEP = "keep"
NONE = "none"
LONGEST_MOMENT = 16
"""Digits of a moment in microseconds, until the year 2286."""


def _tidy(tag: str) -> str:
    return tag.lstrip("#").strip().lower()


def _unique(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tag for tag in tags if tag))


def _parted(value: Any) -> Any:
    """A field of a form comes as a list of one."""
    if isinstance(value, list):
        return [part for one in value for part in (one.split(",") if isinstance(one, str) else [one])]
    return value.split(",") if isinstance(value, str) else value


Tag = Annotated[Line, Field(max_length=60), AfterValidator(_tidy)]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS), AfterValidator(_unique)]
"""Small letters, without ``#``, each once."""
TagsInOneField = Annotated[Tags, BeforeValidator(_parted)]
CampaignName = Annotated[Line, Field(max_length=120)]


class GalleryQuery(BaseModel, defer_build=True):
    """The address of the gallery. What makes no sense in it is left out, so that an old link still shows something."""

    brand: str | None = None
    adapter: str | None = None
    campaign: str | None = None
    favourite: str | None = None
    review: str | None = None
    tag: str | None = None
    since: str | None = None
    until: str | None = None
    q: str | None = None
    before: Annotated[str | None, Field(max_length=200)] = None
    picture: str | None = None
    """The picture that is open in the large view."""

    def opened(self) -> str | None:
        """Its id, if it is one."""
        return _id(self.picture)

    def filters(self) -> Filters:
        return Filters(
            brand=_id(self.brand),
            adapter=_id(self.adapter),
            campaign=_id(self.campaign),
            favourite=bool(self.favourite),
            review=_review(self.review),
            tag=_line(self.tag, 60),
            since=_day(self.since),
            until=_day(self.until),
            q=_line(self.q, 200),
        )


class ReviewQuery(GalleryQuery):
    """The address of a review: the gallery's filters, when it was started, and the picture that is looked at."""

    started: Annotated[str | None, Field(max_length=20)] = None

    def moment(self) -> datetime | None:
        """When the review was started, if it is a moment."""
        digits = self.started or ""
        is_moment = digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST_MOMENT
        return from_stamp(int(digits)) if is_moment else None


class ReviewForm(ReasonForm):
    """What is said in a review, why, and the address of that review."""

    here: Annotated[str, Field(max_length=2000)] = ""

    def asked(self) -> ReviewQuery:
        """What the address asks for; one that makes no sense asks for everything that is open now."""
        try:
            return ReviewQuery.model_validate(dict(parse_qsl(urlsplit(self.here).query, max_num_fields=20)))
        except ValueError:
            return ReviewQuery()


def _id(value: str | None) -> str | None:
    return value if value and len(value) == 32 and value.isascii() and value.isalnum() else None


def _review(value: str | None) -> Review | None:
    return value if value in ("open", "approved", "rejected") else None  # type: ignore[return-value]


def _line(value: str | None, longest: int) -> str | None:
    return clean_line(value.encode("utf-8", "ignore").decode())[:longest] or None if value else None


def _day(value: str | None) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        return None


class SelectionForm(BaseModel, defer_build=True):
    """The chosen pictures, why something is said of them, and where to go back to."""

    reason: Reason = ""
    ids: Annotated[list[RowId], Field(max_length=MOST_CHOSEN)] = []
    next: Annotated[str, Field(max_length=2000)] = "/gallery"


class SortForm(SelectionForm):
    """Tags to add, and the campaign to move into: an id, ``none``, ``keep``, or the name of a new one."""

    tags: TagsInOneField = []
    campaign: Annotated[Line, Field(max_length=32)] = KEEP
    new_campaign: CampaignName = ""

    @field_validator("campaign")
    @classmethod
    def _known(cls, value: str) -> str:
        return value or KEEP


class TagsForm(BaseModel, defer_build=True):
    tags: TagsInOneField = []


class CampaignChoiceForm(BaseModel, defer_build=True):
    """One picture's campaign: an id, or ``none``."""

    campaign: Annotated[Line, Field(max_length=32)] = NONE
    new_campaign: CampaignName = ""


class CampaignForm(BaseModel, defer_build=True):
    name: CampaignName = ""
