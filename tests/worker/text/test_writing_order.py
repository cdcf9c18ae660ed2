"""An order for texts through the worker, written by the model that comes along."""

from pathlib import Path

import pytest

from app.db import Database
from app.storage import Storage
from tests.orders import make_workspace, worker_context
from tests.written import make_brand
from worker.run_job import run_next

pytestmark = pytest.mark.slow


def test_the_shipped_model_writes_both_arms_and_the_same_again(
    database: Database, storage: Storage, tmp_path: Path
) -> None:
    brand = make_brand(database, storage, make_workspace(database), voice=False)
    context = worker_context(database, storage)
    context.cache_folder = tmp_path
    orders = [brand.order("a warm wool hat", language="en", channel="headline", count=1, seed=11) for _ in range(2)]
    while run_next(context, ("generation",)):
        pass
    for writing_id in orders:
        assert brand.job(writing_id).state == "done", brand.job(writing_id).error_sentence
    first, second = (brand.texts(one) for one in orders)
    assert [one.arm for one in first] == ["base", "prompted_base"]
    assert all(one.finished and len(one.text.split()) > 1 and one.tokens > 1 for one in first)
    assert [one.text for one in first] == [one.text for one in second]
    assert first[0].text != first[1].text, "the style guide changes what is written"
