"""What the gallery may be narrowed by. An address of the gallery is its filters, so a view can be shared."""

from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Literal, Self
from urllib.parse import urlencode

Review = Literal["open", "approved", "rejected"]
REVIEWS: tuple[Review, ...] = ("open", "approved", "rejected")


@dataclass(frozen=True)
class Filters:
    """None and False leave that side open. The names are those of the address."""

    brand: str | None = None
    adapter: str | None = None
    campaign: str | None = None
    favourite: bool = False
    review: Review | None = None
    tag: str | None = None
    since: date | None = None
    """The first day, in UTC."""
    until: date | None = None
    """The last day, in UTC, itself included."""
    q: str | None = None
    """Words in the prompt, as one piece of text, whatever the capitals."""

    def address(self, page: str = "/gallery", **further: object) -> str:
        """The gallery, or another page of it, with these filters and whatever else that page asks for."""
        asked = {field.name: getattr(self, field.name) for field in fields(self)} | further
        given = {
            name: "1" if value is True else str(value)
            for name, value in asked.items()
            if value not in (None, False, "")
        }
        return page + (f"?{urlencode(given)}" if given else "")

    def but(self, **changes: Any) -> Self:
        """The same with some changed; for the addresses of chips."""
        return replace(self, **changes)

    @property
    def any(self) -> bool:
        return self != Filters()
