"""A kind of job is known everywhere by its line in ``jobs.kinds`` and its handler's in ``handlers.registry``."""

import pytest
from fastapi import FastAPI
from starlette.routing import Match

from app.db import Database, new_id
from app.jobs import outcomes, service
from app.jobs.kinds import KINDS, QUEUES, JobKind
from app.jobs.models import Job
from tests.conftest import SignedIn
from tests.tokens import api_client
from worker.context import WorkerContext
from worker.engines.contracts import EngineError
from worker.handlers.registry import HANDLERS
from worker.job_run import JobRun
from worker.run_job import run_next

COLOUR_CHECK = JobKind("colour_check", "generation", "Check of the colours", "/checks/{subject_id}")


def enqueue(database: Database, owner: SignedIn) -> str:
    with database.write() as session:
        return service.enqueue(
            session,
            workspace_id=owner.workspace_id,
            project_id=None,
            kind=COLOUR_CHECK.key,
            subject_id=new_id(),
            title="Nordlicht's blue",
            created_by=None,
        ).subject_id


def test_every_kind_has_a_handler_a_queue_and_a_page(app: FastAPI) -> None:
    assert set(HANDLERS) == set(KINDS)
    for key, kind in KINDS.items():
        assert (kind.key, kind.queue in QUEUES) == (key, True)
        assert len(key) <= Job.__table__.columns["kind"].type.length
        if kind.address is not None:
            scope = {"type": "http", "method": "GET", "path": kind.address.format(subject_id="0" * 32)}
            assert any(route.matches(scope)[0] is Match.FULL for route in app.routes), kind.address


def test_a_made_up_kind_runs_from_its_order_to_its_entry_on_the_jobs_page(
    monkeypatch: pytest.MonkeyPatch, owner: SignedIn, database: Database, context: WorkerContext
) -> None:
    checked = []

    def check(job: JobRun) -> None:
        checked.append(job.claim.subject_id)
        job.progress.phase("checking")
        job.write(lambda session: outcomes.finish(session, job.claim))

    monkeypatch.setitem(KINDS, COLOUR_CHECK.key, COLOUR_CHECK)
    monkeypatch.setitem(HANDLERS, COLOUR_CHECK.key, check)
    subject_id = enqueue(database, owner)
    waiting = owner.client.get("/jobs").text
    assert f'<a href="/checks/{subject_id}">' in waiting and COLOUR_CHECK.label in waiting
    assert run_next(context, ("training",)) is False
    assert run_next(context, ("generation",)) and checked == [subject_id]
    told = api_client(owner).get("/api/v1/jobs").json()["items"][0]
    assert (told["subject_id"], told["state"], told["queue"]) == (subject_id, "done", "generation")
    ended = owner.client.get("/jobs").text
    assert f'<a href="/checks/{subject_id}">' in ended and COLOUR_CHECK.label in ended


def test_operations_link_what_failed_to_its_page(
    monkeypatch: pytest.MonkeyPatch, owner: SignedIn, database: Database, context: WorkerContext
) -> None:
    def refuse(_job: JobRun) -> None:
        raise EngineError("no_colours", "This brand has no colours.")

    monkeypatch.setitem(KINDS, COLOUR_CHECK.key, COLOUR_CHECK)
    monkeypatch.setitem(HANDLERS, COLOUR_CHECK.key, refuse)
    subject_id = enqueue(database, owner)
    run_next(context, ("generation",))
    page = owner.client.get("/operations").text
    assert f'<a href="/checks/{subject_id}">' in page and "This brand has no colours." in page
