"""The operations page, metrics and health: what admins see, and who may see it."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select, update
from starlette.testclient import TestClient

from app.accounts.models import ApiToken
from app.accounts.service import sha256
from app.db import Database, new_id, now
from app.jobs import claims, outcomes
from app.jobs import service as jobs
from app.jobs import workers as job_workers
from app.jobs.models import Job, LeaseExpiry, Worker
from app.machine import disk
from app.settings import Settings
from app.storage import Storage
from app.web import health
from tests.conftest import SignedIn, SignUp
from tests.orders import make_brand


def add_job(database: Database, workspace_id: str, title: str = "A red lighthouse", kind: str = "generation") -> str:
    with database.write() as session:
        return jobs.enqueue(
            session,
            workspace_id=workspace_id,
            project_id=None,
            kind=kind,
            subject_id=new_id(),
            title=title,
            created_by=None,
        ).id


def report(database: Database, worker_id: str = "machine-1") -> None:
    with database.write() as session:
        job_workers.report_worker(
            session, worker_id, queues=("generation",), device="NVIDIA H100", job_id=None, memory_bytes=2_000_000_000
        )


def take(database: Database, owner: str = "machine-1") -> claims.Claim | None:
    with database.write() as session:
        return claims.claim_next(session, queues=("training", "generation"), owner=owner)


def lose(database: Database) -> None:
    """Let every lease run out, and somebody notice."""
    with database.write() as session:
        session.execute(update(Job).values(lease_until=now() - timedelta(seconds=1)))
    with database.write() as session:
        outcomes.reap(session)


def bearer(database: Database, who: SignedIn, *, read_only: bool = True) -> dict[str, str]:
    secret = f"lvy_{new_id()}"
    with database.write() as session:
        session.add(
            ApiToken(
                workspace_id=who.workspace_id,
                user_id=who.user_id,
                name="monitoring",
                prefix=secret[:8],
                token_hash=sha256(secret),
                read_only=read_only,
            )
        )
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def stranger(app: FastAPI) -> TestClient:
    return TestClient(app, follow_redirects=False)


def test_metrics_are_not_public(app: FastAPI, database: Database, sign_up: SignUp, stranger: TestClient) -> None:
    first = sign_up()
    colleague = sign_up(role="editor", workspace_id=first.workspace_id)
    somebody_else = sign_up()  # owns a workspace of their own
    assert stranger.get("/metrics").status_code == 401
    assert stranger.get("/metrics", headers={"authorization": "Bearer lvy_guess"}).status_code == 401
    assert first.client.get("/metrics").status_code == 401, "a browser's cookie is no token"
    assert stranger.get("/metrics", headers=bearer(database, colleague)).status_code == 403
    assert stranger.get("/metrics", headers=bearer(database, somebody_else)).status_code == 403
    answer = stranger.get("/metrics", headers=bearer(database, first))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")


def test_metrics_with_the_token_of_the_settings(settings: Settings) -> None:
    from app.main import create_app

    app = create_app(settings.model_copy(update={"metrics_token": SecretStr("scrape-me")}))
    client = TestClient(app, follow_redirects=False)
    assert client.get("/metrics", headers={"authorization": "Bearer scrape-me"}).status_code == 200
    assert client.get("/metrics", headers={"authorization": "Bearer scrape-you"}).status_code == 401
    app.state.database.engine.dispose()


def numbers(client: TestClient, headers: dict[str, str]) -> dict[str, float]:
    lines = client.get("/metrics", headers=headers).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_metrics_tell_what_happened(database: Database, owner: SignedIn, stranger: TestClient) -> None:
    headers = bearer(database, owner)
    for _ in range(3):
        add_job(database, owner.workspace_id)
    report(database)
    claim = take(database)
    assert claim is not None
    with database.write() as session:
        claims.record_progress(session, claim, phase="drawing", done=5, total=10, seconds_left=10.0)
    told = numbers(stranger, headers)
    assert told['livery_jobs{lane="generation",queue="generation",state="queued"}'] == 2
    assert told['livery_jobs{lane="generation",queue="generation",state="running"}'] == 1
    assert told['livery_jobs{lane="training",queue="training",state="queued"}'] == 0
    assert told['livery_jobs_oldest_seconds{lane="generation",queue="generation",state="queued"}'] > 0
    assert told['livery_step_seconds{lane="generation",queue="generation"}'] == 2.0
    assert told['livery_workers{lane="generation",queue="generation"}'] == 1
    assert told['livery_worker_memory_bytes{device="NVIDIA H100",worker="machine-1"}'] == 2e9
    assert told["livery_disk_free_bytes"] > 0
    assert told["process_resident_memory_bytes"] > 0

    lose(database)
    claim = take(database)
    assert claim is not None
    with database.write() as session:
        outcomes.finish(session, claim)
    told = numbers(stranger, headers)
    assert told['livery_lease_expired_total{kind="generation"}'] == 1
    assert told['livery_jobs_ended_total{kind="generation",state="done"}'] == 1

    owner.client.get("/projects")
    owner.client.get("/nowhere/at/all")
    told = numbers(stranger, headers)
    assert told['livery_http_request_seconds_count{method="GET",route="/projects",status="200"}'] == 1
    assert told['livery_http_request_seconds_count{method="GET",route="unmatched",status="404"}'] == 1
    assert not [name for name in told if owner.workspace_id in name]


def test_an_end_that_is_rolled_back_is_not_counted(database: Database, owner: SignedIn) -> None:
    add_job(database, owner.workspace_id)
    claim = take(database)
    assert claim is not None
    with pytest.raises(RuntimeError), database.write() as session:
        outcomes.finish(session, claim)
        raise RuntimeError
    from app.jobs import counters

    with database.read() as session:
        assert counters.all_of(session) == []


def test_owners_see_the_page_and_others_do_not(sign_up: SignUp, database: Database, storage: Storage) -> None:
    first = sign_up()
    editor = sign_up(role="editor", workspace_id=first.workspace_id)
    make_brand(database, storage, first.workspace_id)
    add_job(database, first.workspace_id, "A running lighthouse")
    report(database)
    claim = take(database)
    assert claim is not None
    lose(database)
    lost_again = take(database)
    assert lost_again is not None
    with database.write() as session:
        outcomes.fail(session, lost_again, code="out_of_memory", sentence="The card is too small for this.")
    page = first.client.get("/operations")
    assert page.status_code == 200
    for shown in ("machine-1", "NVIDIA H100", "A running lighthouse", "The card is too small", "Bäckerei Süß"):
        assert shown in page.text
    assert f"/operations/jobs/{claim.job_id}/requeue" in page.text
    assert "/operations/workers/machine-1/drain" in page.text
    assert 'href="/operations"' in first.client.get("/jobs").text
    assert editor.client.get("/operations").status_code == 403
    assert 'href="/operations"' not in editor.client.get("/jobs").text


def test_the_page_tells_nothing_of_other_workspaces(sign_up: SignUp, database: Database) -> None:
    first, other = sign_up(), sign_up()
    job_id = add_job(database, first.workspace_id, "Secret prompt")
    claim = take(database)
    with database.write() as session:
        job_workers.report_worker(session, "machine-1", queues=("generation",), device="CPU", job_id=job_id)
    assert claim is not None
    page = other.client.get("/operations")
    assert "Secret prompt" not in page.text
    assert 'data-state="another-workspace"' in page.text
    assert "/drain" not in page.text
    assert other.client.post("/operations/workers/machine-1/drain").status_code == 403
    assert other.client.post(f"/operations/jobs/{job_id}/requeue").status_code == 404


def test_a_failed_job_goes_back_into_the_queue(owner: SignedIn, database: Database) -> None:
    job_id = add_job(database, owner.workspace_id)
    address = f"/operations/jobs/{job_id}/requeue"
    assert owner.client.post(address, headers={"accept": "application/json"}).status_code == 409
    for _ in range(outcomes.ATTEMPTS_WITHOUT_PROGRESS):
        assert take(database) is not None
        lose(database)
    with database.read() as session:
        assert session.get_one(Job, job_id).error_code == "worker_lost"
        assert len(session.scalars(select(LeaseExpiry)).all()) == 3
    assert owner.client.post(address).status_code == 303
    claim = take(database)
    assert claim is not None and claim.job_id == job_id


def test_a_drained_worker_takes_no_more(owner: SignedIn, database: Database) -> None:
    for _ in range(2):
        add_job(database, owner.workspace_id)
    report(database, "machine-1")
    report(database, "machine-2")
    first = take(database)
    assert first is not None
    assert owner.client.post("/operations/workers/machine-1/drain").status_code == 303
    report(database, "machine-1")  # its own report does not take that back
    assert take(database) is None
    with database.write() as session:
        outcomes.finish(session, first)
    assert take(database) is None
    assert take(database, "machine-2") is not None
    add_job(database, owner.workspace_id)
    owner.client.post("/operations/workers/machine-1/resume")
    assert take(database) is not None
    assert owner.client.post("/operations/workers/nobody/drain").status_code == 404


def test_the_jobs_page_says_when_the_disk_is_full(owner: SignedIn, database: Database) -> None:
    add_job(database, owner.workspace_id)
    with database.write() as session:
        job_workers.report_worker(
            session, "machine-1", queues=("generation",), device="CPU", job_id=None, short_of_disk=True
        )
    assert 'data-state="short-of-disk"' in owner.client.get("/jobs").text


def test_every_answer_names_its_request(owner: SignedIn, stranger: TestClient) -> None:
    ids = {client.get(path).headers["x-request-id"] for client in (owner.client, stranger) for path in ("/jobs", "/x")}
    assert len(ids) == 4


def test_readiness_by_its_parts(
    app: FastAPI, stranger: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "KEEP_SECONDS", -1)
    answer = stranger.get("/health/ready")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["ok"], told["database"], told["storage"], told["disk"]) == (True, True, True, True)
    assert told["workers"] == {"training": False, "generation": False}
    report(database)
    assert stranger.get("/health/ready").json()["workers"] == {"training": False, "generation": True}
    with database.write() as session:
        session.execute(update(Worker).values(last_seen_at=now() - timedelta(seconds=61)))
    assert stranger.get("/health/ready").json()["workers"]["generation"] is False

    monkeypatch.setattr(disk, "free_bytes", lambda folder: 100_000_000)
    answer = stranger.get("/health/ready")
    assert (answer.status_code, answer.json()["disk"]) == (200, False)

    aside = app.state.storage.folder / ".aside"
    aside.rename(aside.with_name("elsewhere"))
    answer = stranger.get("/health/ready")
    assert (answer.status_code, answer.json()["storage"], answer.json()["database"]) == (503, False, True)
    assert stranger.get("/health/live").status_code == 200


def test_a_database_that_refuses_to_write_is_not_ready(
    app: FastAPI, database: Database, stranger: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "KEEP_SECONDS", -1)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.3)
    if not database.is_sqlite:
        pytest.skip("PostgreSQL is asked whether it is read-only")
    with database.write() as session:
        session.execute(update(Worker).values(device=""))  # holds the one lock
        answer = stranger.get("/health/ready")
        assert (answer.status_code, answer.json()["database"]) == (503, False)
        assert stranger.get("/health/live").status_code == 200
