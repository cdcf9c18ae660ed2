"""What the list of texts may be narrowed by. An address of the list is its filters, so a view can be shared."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self
from urllib.parse import urlencode

Review = Literal["open", "approved", "rejected"]
REVIEWS: tuple[Review, ...] = ("open", "approved", "rejected")


@dataclass(frozen=True)
class TextFilters:
    """None and False leave that side open. The names are those of the address."""

    brand: str | None = None
    channel: str | None = None
    campaign: str | None = None
    favourite: bool = False
    review: Review | None = None
    q: str | None = None
    """Words in the text or its brief, as one piece, whatever the capitals."""

    def query(self) -> str:
        """The part of an address behind the question mark; empty without filters."""
        given = {
            field.name: ("1" if value is True else str(value))
            for field in fields(self)
            if (value := getattr(self, field.name)) not in (None, False, "")
        }
        return urlencode(given)

    def address(self, path: str = "/writings") -> str:
        query = self.query()
        return path + (f"?{query}" if query else "")

    def but(self, **changes: Any) -> Self:
        """The same with some changed; for the addresses of chips."""
        return replace(self, **changes)

    @property
    def any(self) -> bool:
        return self != TextFilters()
