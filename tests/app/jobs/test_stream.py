"""Live pages: what is told, to whom, how many, and what it costs beside them."""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import anyio.to_thread
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import delete, event, update

from app.accounts.models import BrowserSession, Workspace
from app.db import new_id
from app.jobs import claims, outcomes, service, stream
from app.jobs.claims import Claim
from app.web.gate.middleware import SESSION_COOKIE
from app.web.serve import Server
from tests.conftest import SignedIn, SignUp
from tests.servers import free_port, wait_until

PATIENCE = 20.0
Line = dict[str, Any]


@dataclass
class Served:
    """The application behind a real port, in a thread of this process."""

    port: int
    server: uvicorn.Server
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop
    streams: list["Stream"] = field(default_factory=list)

    def within(self, question: Callable[[], Awaitable[int]]) -> int:
        """Ask something in the event loop that serves."""
        answer: Future[int] = asyncio.run_coroutine_threadsafe(question(), self.loop)  # type: ignore[arg-type]
        return answer.result(PATIENCE)

    def open(self, person: SignedIn, query: str) -> "Stream":
        self.streams.append(Stream(self.port, person, query))
        return self.streams[-1]


class Stream:
    """One page's connection."""

    def __init__(self, port: int, person: SignedIn, query: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        headers = {"cookie": f"{SESSION_COOKIE}={person.client.cookies[SESSION_COOKIE]}", "accept": "text/event-stream"}
        self._connection.request("GET", f"/live?{query}", headers=headers)
        self.answer = self._connection.getresponse()

    def lines(self) -> Iterator[str]:
        """Until the server ends it."""
        while line := self.answer.readline():
            if line.strip():
                yield line.decode().strip()

    def news(self, of: str) -> Iterator[Line]:
        for line in self.lines():
            if line.startswith("data: "):
                told: Line = json.loads(line.removeprefix("data: "))
                if told["of"] == of:
                    yield told

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "ASK_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(stream, "AT_LEAST_SECONDS", 0.02)
    monkeypatch.setattr(stream, "CHECK_EVERY_SECONDS", 0.4)
    # So that a test that waits in vain runs into its connection's patience.
    monkeypatch.setattr("app.web.live.HEARTBEAT_SECONDS", 600.0)


@pytest.fixture
def served(app: FastAPI) -> Iterator[Served]:
    port, loops = free_port(), Queue[asyncio.AbstractEventLoop]()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=60)
    server = Server(config)

    async def serve() -> None:
        loops.put(asyncio.get_running_loop())
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    wait_until(lambda: server.started, seconds=PATIENCE, what="the server to start")
    served = Served(port, server, thread, loops.get(timeout=PATIENCE))
    yield served
    for one in served.streams:
        one.close()
    server.should_exit = True
    thread.join(PATIENCE)


def order(app: FastAPI, person: SignedIn) -> str:
    with app.state.database.write() as session:
        return service.enqueue(
            session,
            workspace_id=person.workspace_id,
            project_id=None,
            kind="generation",
            subject_id=new_id(),
            title="A red lighthouse",
            created_by=None,
        ).subject_id


def take(app: FastAPI) -> Claim:
    with app.state.database.write() as session:
        claim = claims.claim_next(session, queues=("generation",), owner="w1")
    assert claim is not None
    return claim


def draw(app: FastAPI, claim: Claim, done: int, total: int = 10) -> None:
    with app.state.database.write() as session:
        claims.record_progress(session, claim, phase="drawing", done=done, total=total, seconds_left=300.0)


def test_what_changes_arrives_and_numbers_leave_the_page_as_it_is(
    app: FastAPI, served: Served, owner: SignedIn
) -> None:
    subject_id = order(app, owner)
    page = served.open(owner, f"of={subject_id}")
    assert (page.answer.status, page.answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    news = page.news(subject_id)
    queued = next(news)
    claim = take(app)
    starting = next(news)
    draw(app, claim, 3)
    drawing = next(news)
    draw(app, claim, 4)
    further = next(news)
    with app.state.database.write() as session:
        claims.assert_lease(session, claim, with_result=True)
    with_picture = next(news)
    with app.state.database.write() as session:
        outcomes.finish(session, claim)
    done = next(news)
    versions = [one["version"] for one in (queued, starting, drawing, with_picture, done)]
    assert len(set(versions)) == 5
    assert further["version"] == drawing["version"]
    assert (further["done"], further["total"]) == (4, 10)
    assert further["words"] == {"done": "4", "left": "5 minutes"}


def test_who_connects_again_is_told_what_it_missed(app: FastAPI, served: Served, owner: SignedIn) -> None:
    subject_id = order(app, owner)
    page = served.open(owner, f"of={subject_id}")
    before = next(page.news(subject_id))
    page.close()
    draw(app, take(app), 5)
    after = next(served.open(owner, f"of={subject_id}").news(subject_id))
    assert after["version"] != before["version"]
    assert after["done"] == 5


def test_the_jobs_page_is_told_what_comes_and_goes(app: FastAPI, served: Served, owner: SignedIn) -> None:
    news = served.open(owner, "board=1").news("board")
    empty = next(news)["version"]
    order(app, owner)
    assert next(news)["version"] != empty
    claim = take(app)
    with app.state.database.write() as session:
        outcomes.finish(session, claim)
    assert next(told for told in news if told["version"] == empty)


def test_pages_show_the_version_that_the_stream_tells(app: FastAPI, served: Served, owner: SignedIn) -> None:
    subject_id = order(app, owner)
    board = next(served.open(owner, "board=1").news("board"))["version"]
    shown = owner.client.get("/jobs").text
    assert f'data-version="{board}"' in shown
    assert f'data-numbers="{subject_id}"' in shown


def test_anothers_jobs_are_not_found(app: FastAPI, served: Served, sign_up: SignUp) -> None:
    ours, theirs = sign_up(), sign_up()
    own, foreign = order(app, ours), order(app, theirs)
    for query, status in (
        (f"of={foreign}", 404),
        (f"of={own}&of={foreign}", 404),
        (f"of={new_id()}", 404),
        ("of=../etc", 404),
        ("", 422),
        ("&".join(f"of={new_id()}" for _ in range(51)), 422),
    ):
        answer = served.open(ours, query).answer
        assert answer.status == status, query
        assert json.loads(answer.read())["sentence"]
    heard = served.open(ours, f"of={own}&board=1")
    draw(app, take(app), 1)  # whoever's is next: nothing of theirs is told
    draw(app, take(app), 2)
    told = []
    for line in heard.lines():
        if line.startswith("data: "):
            told.append(json.loads(line.removeprefix("data: ")))
            if told[-1]["of"] == own and told[-1]["done"]:
                break
    assert {one["of"] for one in told} == {own, "board"}


def test_without_a_session_there_is_nothing_to_hear(served: Served, owner: SignedIn) -> None:
    owner.client.cookies[SESSION_COOKIE] = "somebody else"
    answer = served.open(owner, "board=1").answer
    assert (answer.status, answer.headers["location"][:8]) == (303, "/sign-in")


def test_who_is_signed_out_hears_no_more(app: FastAPI, served: Served, sign_up: SignUp) -> None:
    gone, elsewhere, stays = sign_up(), sign_up(), sign_up()
    streams = [served.open(person, "board=1") for person in (gone, elsewhere, stays)]
    for one, person in zip(streams, (gone, elsewhere, stays), strict=True):
        assert next(one.news("board")), person
    with app.state.database.write() as session:
        other = Workspace(name="Another")
        session.add(other)
        session.flush()
        session.execute(delete(BrowserSession).where(BrowserSession.id == gone.session_id))
        session.execute(
            update(BrowserSession).where(BrowserSession.id == elsewhere.session_id).values(workspace_id=other.id)
        )
    for one in streams[:2]:
        for _ in one.lines():
            pass  # ends by itself
    order(app, stays)
    assert next(streams[2].news("board"))


def test_no_more_than_a_browser_can_bear(
    app: FastAPI, served: Served, sign_up: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = sign_up(), sign_up()
    streams = [served.open(one, "board=1") for _ in range(stream.MOST_PER_BROWSER)]
    refused = served.open(one, "board=1").answer
    assert (refused.status, refused.headers["retry-after"]) == (503, "60")
    assert "live" in json.loads(refused.read())["sentence"]
    assert served.open(other, "board=1").answer.status == 200
    assert app.state.streams.count() == stream.MOST_PER_BROWSER + 1
    streams[0].close()
    wait_until(lambda: app.state.streams.count() == stream.MOST_PER_BROWSER, seconds=PATIENCE, what="a place")
    assert served.open(one, "board=1").answer.status == 200
    monkeypatch.setattr(app.state.streams, "_most", app.state.streams.count())
    assert served.open(sign_up(), "board=1").answer.status == 503


@pytest.mark.slow
def test_300_live_pages_hold_no_connection_no_thread_and_ask_as_often_as_one(
    app: FastAPI, served: Served, owner: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_PER_BROWSER", 1000)
    subjects = [order(app, owner) for _ in range(3)]
    streams = [served.open(owner, f"of={subjects[number % 3]}") for number in range(300)]
    news = [one.news(subjects[number % 3]) for number, one in enumerate(streams)]
    for one in news:
        next(one)
    pool, asked, began = app.state.database.engine.pool, [], time.monotonic()
    event.listen(app.state.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    held = []
    for _ in range(30):
        held.append(pool.checkedout())
        time.sleep(0.05)
    # More often than this would be too often; on a slow machine it is less.
    assert len(asked) <= 3 * (1 + (time.monotonic() - began) / stream.ASK_EVERY_SECONDS)
    assert min(held) == 0
    assert max(held) <= 1

    async def borrowed() -> int:
        return int(anyio.to_thread.current_default_thread_limiter().borrowed_tokens)

    assert served.within(borrowed) == 0
    for _ in range(3):
        draw(app, take(app), 1)
    for one in news:
        assert next(told for told in one if told["done"] == 1)
    text = "\n".join(str(line) for line in app.state.registry.collect())
    assert "livery_live_streams" in text
    assert "value=300.0" in text


def test_a_process_that_is_to_end_ends(app: FastAPI, served: Served, owner: SignedIn) -> None:
    streams = [served.open(owner, "board=1") for _ in range(3)]
    for one in streams:
        next(one.news("board"))
    served.server.should_exit = True
    for one in streams:
        for _ in one.lines():
            pass  # the server says that it is over
    served.thread.join(PATIENCE)  # it would wait a minute for what does not end
    assert not served.thread.is_alive()


def test_the_database_may_go_away_and_come_back(
    app: FastAPI, served: Served, owner: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    subject_id = order(app, owner)
    news = served.open(owner, f"of={subject_id}").news(subject_id)
    next(news)
    failed = threading.Event()

    def away(*_: object, **__: object) -> None:
        failed.set()
        raise OperationalError("SELECT", {}, Exception("gone"))

    with monkeypatch.context() as broken:
        broken.setattr(stream.queries, "pulses", away)
        assert failed.wait(PATIENCE)
    draw(app, take(app), 7)
    assert next(told for told in news if told["done"] == 7)


def test_a_silent_stream_shows_that_it_lives(served: Served, owner: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.live.HEARTBEAT_SECONDS", 0.3)
    lines = served.open(owner, "board=1").lines()
    assert next(lines).startswith("retry: ")
    assert sum(line.startswith(":") for line, _ in zip(lines, range(3), strict=False)) >= 2
