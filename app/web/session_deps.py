"""The request's database session and storage, as dependencies.

``scope="function"`` makes the transaction end before the answer starts: a failed commit is an error, never a 200.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import anyio
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.accounts import errors, passwords
from app.audit import following
from app.jobs.service import limit_jobs
from app.settings import Settings
from app.storage import Storage
from app.web.api.audited import draft_for
from app.web.gate import signed_in


def _read(request: Request) -> Iterator[Session]:
    with request.app.state.database.read() as session:
        yield session


def _write(request: Request) -> Iterator[Session]:
    with request.app.state.database.write() as session:
        limit_jobs(session, request.app.state.settings.max_jobs_per_workspace)
        signed_in.watch(session, request.state.visitor)
        following.follow(session, draft_for(request))
        yield session
        following.record(session)


def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _password_turn(request: Request) -> AsyncIterator[None]:
    turns: anyio.Semaphore = request.app.state.password_turns
    with anyio.move_on_after(passwords.PATIENCE_SECONDS) as waiting:
        await turns.acquire()
    if waiting.cancelled_caught:
        raise errors.ManyPasswords(seconds=passwords.PATIENCE_SECONDS)
    try:
        yield
    finally:
        turns.release()


ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]
FileStorage = Annotated[Storage, Depends(_storage)]
AppSettings = Annotated[Settings, Depends(_settings)]
PasswordTurn = Annotated[None, Depends(_password_turn, scope="function")]
"""For routes that hash or compare a password: a few at once, and who waits takes no thread from the pages."""
