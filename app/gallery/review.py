"""A review: the pictures that waited when it was started, in the order of the gallery, and how far it is.

Nothing of it is stored: its address names its filters and when it was started, and what was judged since then still
belongs to it. So a review can be reloaded and shared, and pictures that come meanwhile wait for the next one.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.gallery import queries
from app.gallery.filters import Filters, Review
from app.generations import queries as generations
from app.generations.models import Output
from app.sign_off import queries as sign_off
from app.sign_off.queries import VerdictView

MOST = queries.MOST_CHOSEN
"""The most pictures of one review, so that what it approved is one download; the others wait for the next one."""
STRIP = 12
"""Pictures in the filmstrip on either side of the one that is looked at."""


@dataclass(frozen=True)
class Place:
    """A picture's place in the review."""

    id: str
    created_at: datetime
    review: Review


@dataclass(frozen=True)
class Round:
    """The pictures of a review, the newest first."""

    filters: Filters
    started: datetime
    places: tuple[Place, ...]

    def ids(self, review: Review) -> list[str]:
        return [one.id for one in self.places if one.review == review]

    def index(self, output_id: str) -> int | None:
        return next((number for number, one in enumerate(self.places) if one.id == output_id), None)

    def neighbour(self, index: int, step: int) -> str | None:
        return self.places[index + step].id if 0 <= index + step < len(self.places) else None

    def next_open(self, index: int = 0) -> str | None:
        """The first open picture from this place on, else the first of all; None when all are judged."""
        in_order = [*self.places[index:], *self.places[:index]]
        return next((one.id for one in in_order if one.review == "open"), None)

    def after(self, created_at: datetime, output_id: str) -> str | None:
        """The open picture that comes after one that is not here any more."""
        place = (created_at, output_id)
        following = (number for number, one in enumerate(self.places) if (one.created_at, one.id) < place)
        return self.next_open(next(following, 0))


def round_of(session: Session, *, workspace_id: str, filters: Filters, started: datetime) -> Round:
    found = queries.narrowed(
        select(Output.id, Output.created_at, Output.review), workspace_id, filters.but(review=None)
    )
    rows = session.execute(
        found.where(Output.created_at <= started, or_(Output.review == "open", Output.reviewed_at >= started))
        .order_by(Output.created_at.desc(), Output.id.desc())
        .limit(MOST)
    )
    return Round(filters, started, tuple(Place(*row) for row in rows))


@dataclass(frozen=True)
class Stage:
    """One picture of a review with its neighbours."""

    output: Output
    number: int
    """Its place, from 1 on."""
    verdict: VerdictView | None
    strip: tuple[Output, ...]
    back: str | None
    on: str | None


def stage(session: Session, found: Round, *, workspace_id: str, output_id: str) -> Stage | None:
    """None for a picture that does not belong to the review, or is there no more."""
    index = found.index(output_id)
    if index is None:
        return None
    around = found.places[max(0, index - STRIP) : index + STRIP + 1]
    strip = tuple(queries.chosen(session, workspace_id=workspace_id, output_ids=[one.id for one in around]))
    return Stage(
        output=generations.output(session, workspace_id=workspace_id, output_id=output_id),
        number=index + 1,
        verdict=sign_off.latest(
            session, workspace_id=workspace_id, subject_kind=queries.KIND, subject_ids=[output_id]
        ).get(output_id),
        strip=strip,
        back=found.neighbour(index, -1),
        on=found.neighbour(index, 1),
    )
