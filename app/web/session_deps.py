"""The request's database session and storage, as dependencies.

``scope="function"`` makes the transaction end before the answer starts: a failed commit is an error, never a 200.
"""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.audit import following
from app.jobs.service import limit_orders
from app.settings import Settings
from app.storage import Storage
from app.web.audited import draft_for


def _read(request: Request) -> Iterator[Session]:
    with request.app.state.database.read() as session:
        yield session


def _write(request: Request) -> Iterator[Session]:
    with request.app.state.database.write() as session:
        limit_orders(session, request.app.state.settings.max_jobs_per_workspace)
        following.follow(session, draft_for(request))
        yield session
        following.record(session)


def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]
FileStorage = Annotated[Storage, Depends(_storage)]
AppSettings = Annotated[Settings, Depends(_settings)]
