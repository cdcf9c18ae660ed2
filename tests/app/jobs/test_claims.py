"""Eight processes claim a thousand jobs: each job is taken by one of them."""

import pytest
from sqlalchemy import func, select

from app.db import Database
from app.jobs.models import Job
from tests.jobs_to_claim import claim_all, queue


@pytest.mark.slow
def test_no_job_is_claimed_twice(database: Database, database_url: str) -> None:
    queue(database, 1000)
    outcome = claim_all(database_url, 8)
    assert (outcome.claimed, outcome.doubles) == (1000, 0)
    with database.read() as session:
        assert session.scalar(select(func.count()).where(Job.state == "running", Job.fence == 1)) == 1000
