"""The job table while clocks jump, reapers meet, wake-ups get lost and somebody orders without end."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.accounts.models import Workspace
from app.db import Database, new_id, now
from app.jobs import claims, outcomes, service
from app.jobs.claims import Claim
from app.jobs.models import Job, LeaseExpiry
from app.jobs.notifier import CeleryNotifier
from app.jobs.service import QueueFull
from tests.conftest import SignUp
from tests.tokens import api_client

pytestmark = pytest.mark.dialect


@pytest.fixture
def workspace_id(database: Database) -> str:
    with database.write() as session:
        workspace = Workspace(name="Muster & Co.")
        session.add(workspace)
        session.flush()
        return workspace.id


def add(database: Database, workspace_id: str, *, most: int = 200, kind: str = "generation") -> str:
    with database.write() as session:
        service.limit_jobs(session, most)
        return service.enqueue(
            session,
            workspace_id=workspace_id,
            project_id=None,
            kind=kind,
            subject_id=new_id(),
            title="",
            created_by=None,
        ).id


def take(database: Database) -> Claim | None:
    with database.write() as session:
        return claims.claim_next(session, queues=("generation",), owner="w1")


def reap(database: Database) -> int:
    with database.write() as session:
        return outcomes.reap(session)


def row(database: Database, job_id: str) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


def set_lease(database: Database, ends_in: timedelta) -> None:
    with database.write() as session:
        session.execute(update(Job).where(Job.state == "running").values(lease_until=now() + ends_in))


def test_two_reapers_at_once_return_each_job_once(database: Database, workspace_id: str) -> None:
    jobs = [add(database, workspace_id) for _ in range(20)]
    for _ in jobs:
        assert take(database)
    set_lease(database, timedelta(seconds=-1))
    with ThreadPoolExecutor(4) as pool:
        returned = sum(pool.map(lambda _: reap(database), range(4)))
    assert returned == 20
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(LeaseExpiry)) == 20
    assert {row(database, job_id).attempts_without_progress for job_id in jobs} == {1}


@pytest.mark.parametrize("how", ["killed", "hung", "ended"])
def test_a_job_whose_worker_died_goes_back_at_once_and_is_set_aside_in_the_end(
    database: Database, workspace_id: str, how: str
) -> None:
    job_id, failure = add(database, workspace_id), outcomes.FAILURES[how]

    def lose(claim: Claim) -> None:
        with database.write() as session:
            outcomes.mark_lost(session, job_id=claim.job_id, fence=claim.fence, failure=failure)

    for _ in range(outcomes.ATTEMPTS_WITHOUT_PROGRESS):
        held = take(database)
        assert held
        lose(held)
        with pytest.raises(claims.LeaseLost):
            lose(held)
        if held.attempt == 1:
            assert (row(database, job_id).state, row(database, job_id).held_back) == ("queued", failure.meanwhile)
    ended = row(database, job_id)
    assert (ended.state, ended.error_code, ended.error_sentence) == ("failed", failure.code, failure.in_the_end)


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(hours=2)])
def test_a_clock_that_jumps_costs_one_attempt_at_most_and_no_job_is_stuck(
    database: Database, workspace_id: str, jump: timedelta
) -> None:
    job_id = add(database, workspace_id)
    sleeper = take(database)
    assert sleeper
    set_lease(database, jump)  # given before the clock was put forward, or back
    assert reap(database) == 1
    again = take(database)
    assert again and again.fence == sleeper.fence + 1
    with pytest.raises(claims.LeaseLost), database.write() as session:
        outcomes.finish(session, sleeper)
    with database.write() as session:
        outcomes.finish(session, again)
    assert row(database, job_id).state == "done"


def test_a_cancelled_job_that_comes_back_is_ended_by_the_next_attempt(database: Database, workspace_id: str) -> None:
    job_id = add(database, workspace_id)
    held = take(database)
    assert held
    with database.write() as session:
        claims.record_checkpoint(session, held, key="k", step=4)
        service.request_cancel(session, workspace_id=workspace_id, job_id=job_id)
        outcomes.give_back(session, held)
    again = take(database)
    assert again and again.job_id == job_id, "or it would wait for ever"
    with database.write() as session:
        assert claims.heartbeat(session, again, device_seconds=0) is True
    set_lease(database, timedelta(seconds=-1))
    reap(database)
    assert row(database, job_id).state == "queued", "what it learned is still to be kept"


def test_a_workspace_cannot_order_without_end(database: Database, workspace_id: str) -> None:
    first = add(database, workspace_id, most=2)
    add(database, workspace_id, most=2)
    with pytest.raises(QueueFull) as refused:
        add(database, workspace_id, most=2)
    assert "2 jobs" in str(refused.value)
    add(database, workspace_id, most=2, kind="training")
    with database.write() as session:
        service.request_cancel(session, workspace_id=workspace_id, job_id=first)
    add(database, workspace_id, most=2)


def test_the_setting_reaches_the_order(sign_up: SignUp, settings: object) -> None:
    owner = sign_up()
    owner.client.app.state.settings.max_jobs_per_workspace = 1  # type: ignore[attr-defined]
    client = api_client(owner)
    brand = client.post("/api/v1/projects", json={"name": "Nordlicht"}).json()["id"]
    request = {"prompt": "a lighthouse"}
    assert client.post(f"/api/v1/projects/{brand}/generations", json=request).status_code == 201
    refused = client.post(f"/api/v1/projects/{brand}/generations", json=request)
    assert refused.status_code == 429 and "cancel some" in refused.json()["sentence"]


@pytest.fixture
def hanging_address() -> Callable[[], str]:
    """A server that takes connections and never says a word."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    return lambda: f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_a_wake_up_waits_for_no_broker(hanging_address: Callable[[], str]) -> None:
    notifier = CeleryNotifier(hanging_address())
    began = time.monotonic()
    for _ in range(150):
        notifier.notify("training")
    # Each of them would wait for two seconds if the caller sent it.
    assert time.monotonic() - began < 30
