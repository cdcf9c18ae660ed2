"""What may happen to a workspace's own base models: added, described, put away and taken back."""

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.base_models import queries
from app.base_models.errors import (
    BadFileName,
    BadRepository,
    HasItAlready,
    NotLyingReady,
    TooManyBases,
    UnknownKind,
    UnusableCheckpoint,
)
from app.base_models.models import OfferedBase, OwnBase
from app.base_models.recognition import SINGLE_FILE_FAMILIES, Facts, OtherFamily
from app.db import now

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
FILE = re.compile(r"[A-Za-z0-9][\w. +()\[\]-]*(/[A-Za-z0-9][\w. +()\[\]-]*){0,3}")
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,79}")
MOST = 100
FORGOTTEN_AFTER = timedelta(minutes=5)


def add_from_hub(
    session: Session,
    *,
    workspace_id: str,
    name: str,
    repository: str,
    file: str = "",
    revision: str = "",
    family: str = "",
    created_by: str | None,
    **described: Any,
) -> OwnBase:
    """Add a repository of the hub, or one file of it. Its family is told from its files if none is given.

    Raises ``BadRepository``, ``BadFileName``, ``UnknownKind``, ``HasItAlready``, ``TooManyBases``.
    """
    if not REPOSITORY.fullmatch(repository) or ".." in repository or (revision and not REVISION.fullmatch(revision)):
        raise BadRepository()
    if file and (not FILE.fullmatch(file) or not file.endswith(".safetensors") or ".." in file):
        raise BadFileName()
    if family and family not in (SINGLE_FILE_FAMILIES if file else queries.families()):
        raise UnknownKind()
    row = OwnBase(
        workspace_id=workspace_id,
        name=name,
        family=family,
        place="hub",
        source=repository,
        file=file,
        revision=revision,
        created_by=created_by,
        **described,
    )
    return _added(session, row)


def add_local(
    session: Session, *, workspace_id: str, name: str, entry: str, created_by: str | None, **described: Any
) -> OwnBase:
    """Add an entry of the folder of checkpoints on the workers' machine.

    Raises ``NotLyingReady``, ``UnusableCheckpoint``, ``HasItAlready``, ``TooManyBases``.
    """
    there = next((one for one in queries.lying_ready(session) if one.name == entry), None)
    if there is None:
        raise NotLyingReady(name=entry[:100])
    if not there.family:
        raise UnusableCheckpoint(name=entry[:100], problem=there.problem)
    row = OwnBase(
        workspace_id=workspace_id,
        name=name,
        family=there.family,
        place="local",
        source=there.name,
        facts=there.facts,
        created_by=created_by,
        **described,
    )
    return _added(session, row)


def _added(session: Session, row: OwnBase) -> OwnBase:
    there = queries.own(session, workspace_id=row.workspace_id)
    if len(there) >= MOST:
        raise TooManyBases(count=MOST)
    what = (row.place, row.source, row.file or "", row.revision or "")
    for one in there:
        if (one.place, one.source, one.file, one.revision) == what:
            raise HasItAlready(name=one.name)
    session.add(row)
    session.flush()
    return row


def describe(
    session: Session,
    *,
    workspace_id: str,
    base_id: str,
    name: str,
    licence: str,
    licence_sentence: str,
    commercial: bool | None,
) -> OwnBase:
    """Change its name and what people read of its licence. Raises ``NotFound``."""
    row = queries.own_one(session, workspace_id=workspace_id, base_id=base_id)
    row.name, row.licence, row.licence_sentence, row.commercial = name, licence, licence_sentence, commercial
    session.flush()
    return row


def put_away(session: Session, *, workspace_id: str, base_id: str) -> OwnBase:
    """It is not on offer any more; adapters, trainings and pictures made with it stay and go on working.

    Raises ``NotFound``.
    """
    row = queries.own_one(session, workspace_id=workspace_id, base_id=base_id)
    row.archived_at = row.archived_at or now()
    session.flush()
    return row


def take_back(session: Session, *, workspace_id: str, base_id: str) -> OwnBase:
    """Raises ``NotFound``."""
    row = queries.own_one(session, workspace_id=workspace_id, base_id=base_id)
    row.archived_at = None
    session.flush()
    return row


# What workers tell -----------------------------------------------------------------------------------------------


def note_facts(session: Session, *, workspace_id: str, base_id: str, facts: Facts) -> None:
    """What its files told. Raises ``NotFound``, ``OtherFamily`` where a person had chosen another one."""
    row = queries.own_one(session, workspace_id=workspace_id, base_id=base_id)
    if row.family and row.family != facts.family:
        raise OtherFamily(found=facts.family)
    row.family, row.facts = facts.family, facts.model_dump(mode="json")
    session.flush()


def note_offered(session: Session, *, machine: str, entries: list[OfferedBase]) -> None:
    """Replace what is known of a machine's folder of checkpoints; forget machines that have not been heard of."""
    session.execute(
        delete(OfferedBase).where((OfferedBase.machine == machine) | (OfferedBase.seen_at < now() - FORGOTTEN_AFTER))
    )
    session.flush()
    session.add_all(entries)
    session.flush()
