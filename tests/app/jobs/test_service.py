"""Jobs: taken once, held by a lease, ended once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.accounts.models import Workspace
from app.db import Database, new_id, now
from app.errors import NotFound
from app.jobs import claims, notifier, outcomes, queries, service
from app.jobs import workers as job_workers
from app.jobs.claims import Claim, LeaseLost
from app.jobs.models import Job
from app.jobs.service import AlreadyEnded

pytestmark = pytest.mark.dialect

MakeJob = Callable[..., str]


@pytest.fixture
def workspace_id(database: Database) -> str:
    return make_workspace(database)


def make_workspace(database: Database) -> str:
    with database.write() as session:
        workspace = Workspace(name="Muster & Co.")
        session.add(workspace)
        session.flush()
        return workspace.id


def add(
    database: Database,
    workspace_id: str,
    kind: str = "generation",
    priority: int = 0,
    sealed_secret: str | None = None,
) -> str:
    with database.write() as session:
        return service.enqueue(
            session,
            workspace_id=workspace_id,
            project_id=None,
            kind=kind,
            subject_id=new_id(),
            title="A red lighthouse",
            created_by=None,
            priority=priority,
            sealed_secret=sealed_secret,
        ).id


def take(database: Database, owner: str = "w1", queues: tuple[str, ...] = ("generation",)) -> Claim | None:
    with database.write() as session:
        return claims.claim_next(session, queues=queues, owner=owner)


def state_of(database: Database, job_id: str) -> Job:
    with database.read() as session:
        job = session.get(Job, job_id)
        assert job is not None
        return job


def expire(database: Database, job_id: str) -> None:
    with database.write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=now() - timedelta(seconds=1)))


@pytest.mark.slow
def test_each_job_is_taken_by_one_of_many_workers(database: Database, workspace_id: str) -> None:
    wanted = {add(database, workspace_id) for _ in range(60)}

    def work(owner: str) -> list[str]:
        taken = []
        while (held := take(database, owner)) is not None:
            taken.append(held.job_id)
            with database.write() as session:
                outcomes.finish(session, held)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [job_id for part in pool.map(work, "abcd") for job_id in part]
    assert set(taken) == wanted
    assert max(Counter(taken).values()) == 1


def test_a_queue_gives_only_its_own_jobs(database: Database, workspace_id: str) -> None:
    add(database, workspace_id, kind="training")
    assert take(database, queues=("generation",)) is None
    assert take(database, queues=("training",)) is not None


def test_priority_then_age(database: Database, workspace_id: str) -> None:
    first, second = add(database, workspace_id), add(database, workspace_id)
    urgent = add(database, workspace_id, priority=5)
    order = [held.job_id for held in (take(database), take(database), take(database)) if held]
    assert order == [urgent, first, second]


def test_a_workspace_that_has_used_the_device_less_comes_first(database: Database, workspace_id: str) -> None:
    greedy = workspace_id
    add(database, greedy)
    held = take(database)
    assert held
    with database.write() as session:
        claims.heartbeat(session, held, device_seconds=500)
        outcomes.finish(session, held)
    add(database, greedy)
    modest_job = add(database, make_workspace(database))
    held = take(database)
    assert held and held.job_id == modest_job


def test_a_lost_lease_can_write_nothing(database: Database, workspace_id: str) -> None:
    job_id = add(database, workspace_id)
    old = take(database, "sleeper")
    assert old
    expire(database, job_id)
    with database.write() as session:
        assert outcomes.reap(session) == 1
    new = take(database, "other")
    assert new and new.job_id == job_id and new.fence == old.fence + 1
    writes: list[Callable[[Session], object]] = [
        lambda s: claims.heartbeat(s, old, device_seconds=1),
        lambda s: claims.record_progress(s, old, phase="training", done=1, total=2, seconds_left=None),
        lambda s: claims.record_checkpoint(s, old, key="x", step=1),
        lambda s: claims.assert_lease(s, old),
        lambda s: outcomes.finish(s, old),
        lambda s: outcomes.fail(s, old, code="x", sentence="x"),
        lambda s: outcomes.give_back(s, old),
        lambda s: outcomes.end_cancelled(s, old),
    ]
    for write in writes:
        with pytest.raises(LeaseLost), database.write() as session:
            write(session)
    with database.write() as session:
        outcomes.finish(session, new)
    assert state_of(database, job_id).state == "done"


def test_a_job_that_ends_three_workers_is_set_aside_with_its_reason(database: Database, workspace_id: str) -> None:
    job_id = add(database, workspace_id)
    for _ in range(3):
        assert take(database)
        expire(database, job_id)
        with database.write() as session:
            outcomes.reap(session)
    job = state_of(database, job_id)
    assert (job.state, job.error_code) == ("failed", "worker_lost")
    assert take(database) is None


def test_a_checkpoint_counts_as_progress(database: Database, workspace_id: str) -> None:
    job_id = add(database, workspace_id)
    for attempt in range(5):
        held = take(database)
        assert held, f"attempt {attempt}"
        with database.write() as session:
            claims.record_checkpoint(session, held, key=f"c{attempt}", step=attempt)
        expire(database, job_id)
        with database.write() as session:
            outcomes.reap(session)
    assert state_of(database, job_id).state == "queued"


def test_giving_back_is_not_charged_as_an_attempt(database: Database, workspace_id: str) -> None:
    job_id = add(database, workspace_id)
    for _ in range(5):
        held = take(database)
        assert held
        with database.write() as session:
            outcomes.give_back(session, held)
    job = state_of(database, job_id)
    assert (job.state, job.attempts_without_progress) == ("queued", 0)


def test_cancelling(database: Database, workspace_id: str) -> None:
    queued, running = add(database, workspace_id), add(database, workspace_id, kind="training")
    held = take(database, queues=("training",))
    assert held
    with database.write() as session:
        assert service.request_cancel(session, workspace_id=workspace_id, job_id=queued).state == "cancelled"
        assert service.request_cancel(session, workspace_id=workspace_id, job_id=running).state == "running"
    with database.write() as session:
        assert claims.record_progress(session, held, phase="training", done=1, total=9, seconds_left=8.0) is True
        outcomes.end_cancelled(session, held)
    with pytest.raises(AlreadyEnded), database.write() as session:
        service.request_cancel(session, workspace_id=workspace_id, job_id=running)
    with pytest.raises(NotFound), database.write() as session:
        service.request_cancel(session, workspace_id=new_id(), job_id=queued)


def test_a_wake_up_follows_the_commit_and_never_a_rollback(database: Database, workspace_id: str) -> None:
    notified: list[str] = []

    class Notebook:
        def notify(self, queue: str) -> None:
            with database.read() as session:
                notified.append(f"{queue}: {len(session.scalars(select(Job)).all())} committed")

    other = notifier.notify_after_commit(notifier.NullNotifier())
    hook = notifier.notify_after_commit(Notebook())
    try:
        with pytest.raises(ZeroDivisionError), database.write() as session:
            service.enqueue(
                session,
                workspace_id=workspace_id,
                project_id=None,
                kind="training",
                subject_id=new_id(),
                title="",
                created_by=None,
            )
            _ = 1 / 0
        assert notified == []
        with database.write() as session:
            service.enqueue(
                session,
                workspace_id=workspace_id,
                project_id=None,
                kind="training",
                subject_id=new_id(),
                title="",
                created_by=None,
            )
            with session.begin_nested():
                session.execute(select(Job))
            assert notified == []
        assert notified == ["training: 1 committed"]
    finally:
        hook.stop()
        other.stop()


def test_what_waits_is_said_honestly(database: Database, workspace_id: str) -> None:
    add(database, workspace_id)
    add(database, workspace_id)
    with database.read() as session:
        assert queries.queues_without_worker(session) == {"training", "generation"}
        waiting = queries.active(session, workspace_id=workspace_id)[1]
        assert queries.ahead_of(session, [waiting]) == {waiting.id: 1}
    with database.write() as session:
        job_workers.report_worker(session, "w1", queues=("generation",), device="CPU", job_id=None)
    with database.read() as session:
        assert queries.queues_without_worker(session) == {"training"}


def _cancel(session: Session, claim: Claim) -> None:
    job = session.get_one(Job, claim.job_id)
    service.request_cancel(session, workspace_id=job.workspace_id, job_id=job.id)


def _lose(session: Session, claim: Claim) -> None:
    outcomes.mark_lost(session, job_id=claim.job_id, fence=claim.fence, failure=outcomes.FAILURES["killed"])


def _fall_silent(session: Session, claim: Claim) -> None:
    session.execute(update(Job).values(lease_until=now() - timedelta(hours=1)))
    outcomes.reap(session)


def _fail(session: Session, claim: Claim) -> None:
    outcomes.fail(session, claim, code="hub_away", sentence="The hub is away.")


def _cancel_and(what: Callable[[Session, Claim], None]) -> Callable[[Session, Claim], None]:
    def both(session: Session, claim: Claim) -> None:
        _cancel(session, claim)
        what(session, claim)

    return both


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (outcomes.finish, "done"),
        (_fail, "failed"),
        (outcomes.end_cancelled, "cancelled"),
        (_cancel_and(_lose), "cancelled"),
        (_cancel_and(_fall_silent), "cancelled"),
        (_lose, "failed"),
        (_fall_silent, "failed"),
    ],
)
def test_a_secret_goes_with_the_end_however_that_comes(
    database: Database, workspace_id: str, end: Callable[[Session, Claim], None], state: str
) -> None:
    for secret in ("sealed", None):
        job_id = add(database, workspace_id, sealed_secret=secret)
        while (held := take(database)) is not None:
            with database.write() as session:
                assert claims.sealed_secret(session, held) == secret, "each attempt needs it"
                end(session, held)
        job = state_of(database, job_id)
        assert (job.state, job.sealed_secret) == (state, secret and "")


def test_a_secret_of_an_order_that_was_cancelled_in_time_or_comes_again(database: Database, workspace_id: str) -> None:
    job_id = add(database, workspace_id, sealed_secret="sealed")
    held = take(database)
    assert held is not None
    with database.write() as session:
        outcomes.give_back(session, held)
    assert state_of(database, job_id).sealed_secret == "sealed"
    with database.write() as session:
        service.request_cancel(session, workspace_id=workspace_id, job_id=job_id)
    assert state_of(database, job_id).sealed_secret == ""


def test_without_its_secret_a_job_is_not_put_back(database: Database, workspace_id: str) -> None:
    for secret, refused in (("sealed", True), (None, False)):
        job_id = add(database, workspace_id, sealed_secret=secret)
        held = take(database)
        assert held is not None
        with database.write() as session:
            _fail(session, held)
        with pytest.raises(service.NeedsItsToken) if refused else nullcontext(), database.write() as session:
            service.requeue(session, workspace_id=workspace_id, job_id=job_id)
