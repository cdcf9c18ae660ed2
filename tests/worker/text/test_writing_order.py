"""An order for texts through the worker, written by the model that comes along."""

from pathlib import Path

import pytest
from sqlalchemy import delete

from app.db import Database
from app.storage import Storage
from app.voice.models import TextSample
from app.writings import requests
from app.writings.models import WritingVariant
from tests.orders import make_workspace, worker_context
from tests.written import make_brand
from worker.run_job import run_next

pytestmark = pytest.mark.slow


def test_the_shipped_model_writes_both_arms_and_the_same_again(
    database: Database, storage: Storage, unpacked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MOST_TOKENS", 16)
    brand = make_brand(database, storage, make_workspace(database), voice=False)
    context = worker_context(database, storage)
    context.cache_folder = unpacked

    def written() -> list[WritingVariant]:
        writing_id = brand.order("a warm wool hat", language="en", channel="headline", count=1, seed=11)
        assert run_next(context, ("generation",))
        assert brand.job(writing_id).state == "done", brand.job(writing_id).error_sentence
        return brand.texts(writing_id)

    bare, guided = written()
    assert (bare.arm, guided.arm) == ("base", "prompted_base")
    assert all(one.finished and len(one.text.split()) > 1 and one.tokens > 1 for one in (bare, guided))
    assert bare.text != guided.text, "the style guide changes what is written"
    with database.write() as session:
        session.execute(delete(TextSample))
    (again,) = written()
    assert (again.arm, again.text) == ("base", bare.text)
