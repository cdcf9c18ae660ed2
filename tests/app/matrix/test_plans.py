"""With 10,000 ads a page of the matrix is a walk along an index, never a sort or a scan of the table.

Milliseconds are printed by ``python -m tests.benchmarks.matrix``; here the database is asked for its plan.
"""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event

from app.db import Database
from app.matrix import queries
from app.matrix.queries import CellFilters
from tests.many_cells import AUDIENCES, LOCALES, lay_out_many
from tests.orders import make_workspace

pytestmark = pytest.mark.slow
COUNT = 10_000
FILTERS = (
    CellFilters(),
    CellFilters(audience="00000013"),
    CellFilters(locale="de-024"),
    CellFilters(channel="web_hero"),
    CellFilters(review="rejected"),
    CellFilters(audience="00000000", review="rejected"),
)
"""The last one finds nothing."""
WRONG = re.compile(r"^SCAN (cells|cell_versions)|TEMP B-TREE|Seq Scan on cell")


@pytest.fixture
def where(database: Database) -> dict[str, str]:
    workspace_id = make_workspace(database)
    return {"workspace_id": workspace_id, "campaign_id": lay_out_many(database, workspace_id)}


@pytest.fixture
def plans(database: Database) -> Iterator[list[str]]:
    """The steps of the plan of every question that is asked from now on."""
    steps: list[str] = []

    def explain(connection: Connection, cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            how = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
            cursor.execute(how + statement, values)  # type: ignore[attr-defined]
            steps.extend(str(row[-1]) for row in cursor.fetchall())  # type: ignore[attr-defined]

    event.listen(database.engine, "before_cursor_execute", explain)
    yield steps
    event.remove(database.engine, "before_cursor_execute", explain)


def test_a_page_of_ten_thousand_ads_is_a_walk_along_an_index(
    database: Database, where: dict[str, str], plans: list[str]
) -> None:
    for filters in FILTERS:
        for after in (None, COUNT // 2):
            plans.clear()
            with database.read() as session:
                found = queries.page(session, **where, filters=filters, after=after)
            assert len(found) <= queries.PAGE + 1
            wrong = [
                step for step in plans if re.search(r"^SCAN (cells|cell_versions)|TEMP B-TREE|Seq Scan on cell", step)
            ]
            assert wrong == [], (filters, after, plans)
            if database.is_sqlite:
                assert any("ix_cells_matrix" in step for step in plans), plans


def test_the_counts_above_it_read_one_index_of_the_campaign(
    database: Database, where: dict[str, str], plans: list[str]
) -> None:
    with database.read() as session:
        counts = queries.counts(session, **where)
    assert (counts.total(), counts["approved"] > counts["rejected"] > 0) == (COUNT, True)
    assert not [step for step in plans if re.search(r"^SCAN cells", step)], plans


def test_pages_reach_every_ad_once_in_its_order(database: Database, where: dict[str, str]) -> None:
    for filters, count in (
        (CellFilters(), COUNT),
        (CellFilters(audience="00000013"), COUNT // AUDIENCES),
        (CellFilters(locale="de-024"), COUNT // LOCALES),
        (CellFilters(audience="00000000", review="rejected"), 0),
    ):
        seen: list[int] = []
        after = None
        with database.read() as session:
            while found := queries.page(session, **where, filters=filters, after=after, limit=480):
                seen += [view.cell.position for view in found[:480]]
                assert all(view.version is not None and view.version.number == view.cell.version for view in found)
                after = seen[-1]
        assert len(seen) == count and seen == sorted(set(seen))
