"""With 50,000 pictures a page of the gallery is a walk along an index, never a sort or a scan of the table.

Milliseconds are printed by ``python -m tests.benchmarks.gallery``; here the database is asked for its plan.
"""

import re
from datetime import date, datetime

import pytest

from app.db import Database
from app.gallery import queries
from app.gallery.filters import Filters
from tests.many_pictures import hang_many
from tests.orders import make_workspace
from tests.visuals import START

COUNT = 50_000
MIDDLE = (START.replace(hour=15), "8" * 32)


def plan(database: Database, workspace_id: str, filters: Filters, before: tuple[datetime, str] | None) -> list[str]:
    """The steps of the database's plan for a page."""
    statement = queries.wanted(workspace_id, filters, before, queries.PAGE)
    compiled = statement.compile(database.engine, compile_kwargs={"render_postcompile": True})
    values = tuple(
        compiled._bind_processors.get(name, lambda value: value)(value)
        for name, value in ((name, compiled.params[name]) for name in compiled.positiontup or ())
    )
    with database.engine.connect() as connection:
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        if database.is_sqlite:
            return [row[-1] for row in connection.exec_driver_sql(explain + str(compiled), values)]
        return [row[0] for row in connection.exec_driver_sql(explain + str(compiled), compiled.params)]


@pytest.mark.slow
def test_every_filter_is_a_walk_along_an_index(database: Database) -> None:
    workspace_id = make_workspace(database)
    ids = hang_many(database, workspace_id, COUNT)
    wanted = {
        "ix_outputs_workspace": [
            Filters(),
            Filters(q="no such word"),
            Filters(since=date(2026, 3, 1), until=date(2026, 3, 1)),
        ],
        "ix_outputs_project": [Filters(brand=ids["brand"]), Filters(brand=ids["brand"], q="no such word")],
        "ix_outputs_campaign": [Filters(campaign=ids["campaign"])],
        "ix_outputs_favourite": [Filters(favourite=True)],
        "ix_outputs_review": [Filters(review="rejected")],
        "ix_output_tags_tag": [Filters(tag="hero")],
    }
    for index, all_filters in wanted.items():
        for filters in all_filters:
            for before in (None, MIDDLE):
                steps = plan(database, workspace_id, filters, before)
                if database.is_sqlite:
                    assert any(index in step for step in steps), (filters, steps)
                    assert not any("TEMP B-TREE" in step for step in steps), (filters, steps)
                if filters.q and not database.is_sqlite:
                    continue  # by its statistics a server rightly reads everything for a word that nobody used
                assert not any(re.search(r"^SCAN|Seq Scan on outputs", step) for step in steps), (filters, steps)


@pytest.mark.slow
def test_deep_pages_reach_every_picture_once(database: Database) -> None:
    workspace_id = make_workspace(database)
    hang_many(database, workspace_id, 3_000)
    for filters, count in ((Filters(), 3_000), (Filters(tag="hero"), 3), (Filters(q="LIGHTHOUSE"), None)):
        seen: list[str] = []
        before = None
        with database.read() as session:
            while found := queries.page(session, workspace_id=workspace_id, filters=filters, before=before, limit=190):
                seen += [one.id for one in found[:190]]
                before = (found[:190][-1].created_at, found[:190][-1].id)
        assert len(seen) == len(set(seen)) and count in (None, len(seen))
