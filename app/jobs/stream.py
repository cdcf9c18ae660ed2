"""Tells open pages that a job has changed, with one question to the database a second however many they are.

The row is the truth, so several web processes need nothing of each other: each asks for the jobs that its own pages
show. A page that listens holds neither a session nor a thread; all that waits for it is the last news of each job,
which a newer one replaces. Every connection begins with the present state of all that it follows, so whoever was away
has missed nothing.

Everything but ``count`` belongs to the event loop of the web process.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.db import DATABASE_AWAY, Database
from app.errors import N_, AppError
from app.jobs import queries
from app.jobs.queries import Pulse
from app.jobs.queue_view import version_of_all

ASK_EVERY_SECONDS = 1.0
AT_LEAST_SECONDS = 0.1
"""Between two questions, however many pages were opened meanwhile."""
CHECK_EVERY_SECONDS = 5.0
"""So soon ends a stream whose browser has been signed out, or looks at another workspace."""
ALL_JOBS = "board"
"""What a page asks for that shows all that waits or runs; ``js/live.js`` knows it by this name."""
MOST_PER_BROWSER = 4
"""A browser opens six connections to a server at most (HTTP/1.1), and must be able to ask for pages too."""
log = logging.getLogger("livery.jobs")


class TooManyStreams(AppError):
    status = 503
    sentence = N_("Too many pages are open to update all of them live. They check for updates now and then instead.")


@dataclass(frozen=True)
class Follow:
    """Who listens to what."""

    session_id: str
    workspace_id: str
    subject_ids: frozenset[str]
    """Trainings and generations, of this workspace."""
    all_jobs: bool = False
    """All that waits or runs in the workspace, too."""


class News(NamedTuple):
    """What a page is told: anew when ``version`` is not what it shows, else only the numbers."""

    of: str
    """A training's or generation's id, or ``ALL_JOBS``."""
    version: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None


@dataclass(eq=False)
class Listener:
    """One open stream."""

    follow: Follow
    _told: dict[str, News] = field(default_factory=dict)
    _waiting: dict[str, News] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False

    async def news(self, patience: float) -> list[News]:
        """What has changed since the last call; empty after ``patience`` seconds without anything, or at the end."""
        try:
            await asyncio.wait_for(self._wake.wait(), patience)
        except TimeoutError:
            return []
        self._wake.clear()
        news, self._waiting = list(self._waiting.values()), {}
        return news

    def hear(self, all_news: list[News]) -> None:
        for one in all_news:
            if self._told.get(one.of) != one:
                self._told[one.of] = self._waiting[one.of] = one
        if self._waiting:
            self._wake.set()

    def end(self) -> None:
        self.is_over = True
        self._wake.set()


class Streams:
    """The open streams of this process, and the one task that asks for all of them."""

    def __init__(self, database: Database, *, most: int) -> None:
        self._database, self._most = database, most
        self._listeners: set[Listener] = set()
        # A thread of its own: the question comes in time however busy the requests' threads are, and takes none.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="streams")
        self._asking: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self._is_closed = False

    def count(self) -> int:
        return len(self._listeners)

    @contextmanager
    def listening(self, follow: Follow) -> Iterator[Listener]:
        """Raises ``TooManyStreams``, also while the process is about to end."""
        of_browser = sum(one.follow.session_id == follow.session_id for one in self._listeners)
        if self._is_closed or len(self._listeners) >= self._most or of_browser >= MOST_PER_BROWSER:
            raise TooManyStreams(seconds=60)
        listener = Listener(follow)
        self._listeners.add(listener)
        if self._asking is None or self._asking.done():
            self._nudge = asyncio.Event()
            # In a context of its own: its log lines are not those of the request that happened to come first.
            self._asking = asyncio.create_task(self._ask_until_nobody_listens(), context=Context())
        self._nudge.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._nudge.set()

    def close(self) -> None:
        """End all streams; a process that stops need not wait for them."""
        self._is_closed = True
        for listener in self._listeners:
            listener.end()

    async def _ask_until_nobody_listens(self) -> None:
        loop, checked_at = asyncio.get_running_loop(), time.monotonic()
        while self._listeners:
            self._nudge.clear()
            is_check = time.monotonic() - checked_at >= CHECK_EVERY_SECONDS
            asked = list(self._listeners)
            following = [one.follow for one in asked]
            try:
                pulses, looking_at = await loop.run_in_executor(self._thread, self._ask, following, is_check)
            except DATABASE_AWAY as error:
                log.warning("live pages: the database does not answer: %s", str(error)[:200])
            else:
                if looking_at is not None:
                    checked_at = time.monotonic()
                    _end_strangers(asked, looking_at)
                _tell(asked, pulses)
            await asyncio.sleep(AT_LEAST_SECONDS)
            try:
                await asyncio.wait_for(self._nudge.wait(), ASK_EVERY_SECONDS - AT_LEAST_SECONDS)
            except TimeoutError:
                continue

    def _ask(self, following: list[Follow], is_check: bool) -> tuple[list[Pulse], dict[str, str] | None]:
        with self._database.read() as session:
            return _pulses(session, following), _looking_at(session, following) if is_check else None


def _end_strangers(listeners: list[Listener], looking_at: dict[str, str]) -> None:
    for one in listeners:
        if looking_at.get(one.follow.session_id) != one.follow.workspace_id:
            one.end()


def _tell(listeners: list[Listener], pulses: list[Pulse]) -> None:
    news = {one.subject_id: News(one.subject_id, one.version, *one.numbers) for one in pulses}
    active: dict[str, list[Pulse]] = {one.follow.workspace_id: [] for one in listeners if one.follow.all_jobs}
    for pulse in pulses:
        if pulse.is_active and pulse.workspace_id in active:
            active[pulse.workspace_id].append(pulse)
    versions = {workspace_id: News(ALL_JOBS, version_of_all(those)) for workspace_id, those in active.items()}
    for listener in listeners:
        follow = listener.follow
        heard = [news[subject_id] for subject_id in follow.subject_ids if subject_id in news]
        if follow.all_jobs:
            heard += [news[one.subject_id] for one in active[follow.workspace_id]]
            heard.append(versions[follow.workspace_id])
        listener.hear(heard)


def _pulses(session: Session, following: list[Follow]) -> list[Pulse]:
    return queries.pulses(
        session,
        subject_ids={subject_id for follow in following for subject_id in follow.subject_ids},
        workspace_ids={follow.workspace_id for follow in following if follow.all_jobs},
    )


def _looking_at(session: Session, following: list[Follow]) -> dict[str, str]:
    return accounts.browsers_looking_at(session, {follow.session_id for follow in following})
