"""Campaigns with a brief, for the tests of the matrix."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.db import Database
from app.jobs.models import Job
from app.matrix import queries, service
from app.matrix.brief import Audience, Brief
from app.matrix.cells import Author
from app.matrix.models import Cell, CellVersion
from app.matrix.queries import CellView
from app.matrix.spec import Words

PARENTS = Audience(key="0000000a", name="Young parents", who="parents of small children", motive="an hour of peace")
RUNNERS = Audience(key="0000000b", name="Runners", who="people who run before breakfast", motive="a light start")


def brief(**fields: Any) -> Brief:
    usual: dict[str, Any] = {
        "offer": "A coffee cup",
        "audiences": (PARENTS, RUNNERS),
        "channels": ("instagram_square", "display_728x90"),
        "locales": ("de", "en"),
        "layout": "poster",
    }
    return Brief(**usual | fields)


@dataclass(frozen=True)
class Matrix:
    """A campaign with a brief, and who works on it."""

    database: Database
    workspace_id: str
    project_id: str
    campaign_id: str
    user_id: str | None = None

    @property
    def author(self) -> Author:
        return Author(self.workspace_id, self.campaign_id, self.user_id)

    @property
    def where(self) -> dict[str, str]:
        return {"workspace_id": self.workspace_id, "campaign_id": self.campaign_id}

    def cells(self) -> list[CellView]:
        with self.database.read() as session:
            return queries.views(session, queries.all_cells(session, **self.where))

    def versions(self) -> list[CellVersion]:
        with self.database.read() as session:
            mine = CellVersion.cell_id.in_(select(Cell.id).where(Cell.campaign_id == self.campaign_id))
            return list(session.scalars(select(CellVersion).where(mine).order_by(CellVersion.created_at)))

    def jobs(self, kind: str) -> list[Job]:
        with self.database.read() as session:
            return list(session.scalars(select(Job).where(Job.kind == kind).order_by(Job.created_at)))

    def produce(self) -> service.Produced:
        with self.database.write() as session:
            return service.produce(session, self.author)

    def say(self, audience: str, locale: str, **words: str) -> None:
        with self.database.write() as session:
            service.save_words(session, self.author, audience, locale, Words(**words))


def make_matrix(
    database: Database, workspace_id: str, project_id: str, user_id: str | None = None, **fields: Any
) -> Matrix:
    with database.write() as session:
        campaign = service.begin(
            session,
            workspace_id=workspace_id,
            project_id=project_id,
            user_id=user_id,
            name="Autumn launch",
            brief=brief(**fields),
        )
        return Matrix(database, workspace_id, project_id, campaign.id, user_id)
