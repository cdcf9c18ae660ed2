"""What may happen to a workspace's own base models: added, described, put away and taken back."""

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.base_models import queries
from app.base_models.errors import (
    BadFileName,
    BadLanguages,
    BadRepository,
    HasItAlready,
    NotLyingReady,
    NotOneFile,
    TooManyBases,
    UnknownKind,
    UnusableCheckpoint,
)
from app.base_models.models import OfferedBase, OwnBase
from app.base_models.recognition import Facts, OtherFamily
from app.base_models.text_recognition import FAMILY as TEXT_FAMILY
from app.base_models.text_recognition import languages_of
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
    languages: str = "",
    created_by: str | None,
    **described: Any,
) -> OwnBase:
    """Add a repository of the hub, or one file of it. Its family is told from its files if none is given, and so are
    licence and languages where its makers' card names them.

    Raises ``BadRepository``, ``BadFileName``, ``NotOneFile``, ``UnknownKind``, ``BadLanguages``, ``HasItAlready``,
    ``TooManyBases``.
    """
    if not REPOSITORY.fullmatch(repository) or ".." in repository or (revision and not REVISION.fullmatch(revision)):
        raise BadRepository()
    if file and (not FILE.fullmatch(file) or not file.endswith(".safetensors") or ".." in file):
        raise BadFileName()
    if file and family == TEXT_FAMILY:
        raise NotOneFile()
    if family and family not in queries.families(as_one_file=bool(file)):
        raise UnknownKind()
    row = OwnBase(
        workspace_id=workspace_id,
        name=name,
        family=family,
        place="hub",
        source=repository,
        file=file,
        revision=revision,
        languages=_languages(languages),
        created_by=created_by,
        **described,
    )
    return _added(session, row)


def add_local(
    session: Session,
    *,
    workspace_id: str,
    name: str,
    entry: str,
    languages: str = "",
    created_by: str | None,
    **described: Any,
) -> OwnBase:
    """Add an entry of the folder of checkpoints on the workers' machine.

    Raises ``NotLyingReady``, ``UnusableCheckpoint``, ``BadLanguages``, ``HasItAlready``, ``TooManyBases``.
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
        languages=_languages(languages),
        created_by=created_by,
        **described,
    )
    _take_from_card(row, Facts.model_validate(there.facts))
    return _added(session, row)


def _languages(told: str) -> str:
    """The languages in the form that the row keeps. Raises ``BadLanguages``."""
    codes = languages_of(told)
    if len(codes) < len(set(re.split(r"[\s,;]+", told.strip().lower())) - {""}):
        raise BadLanguages()
    return " ".join(codes)


def _take_from_card(row: OwnBase, facts: Facts) -> None:
    """What nobody has said is taken from the card of a language model's makers."""
    if facts.text is not None:
        row.licence = row.licence or facts.text.licence
        row.languages = row.languages or " ".join(facts.text.languages)


def _added(session: Session, row: OwnBase) -> OwnBase:
    there = queries.own_bases(session, workspace_id=row.workspace_id)
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
    languages: str = "",
) -> OwnBase:
    """Change its name, its languages and what people read of its licence. Raises ``NotFound``, ``BadLanguages``."""
    row = queries.own_base(session, workspace_id=workspace_id, base_id=base_id)
    row.languages = _languages(languages)
    row.name, row.licence, row.licence_sentence, row.commercial = name, licence, licence_sentence, commercial
    session.flush()
    return row


def put_away(session: Session, *, workspace_id: str, base_id: str) -> OwnBase:
    """It is not on offer any more; adapters, trainings and pictures made with it stay and go on working.

    Raises ``NotFound``.
    """
    row = queries.own_base(session, workspace_id=workspace_id, base_id=base_id)
    row.archived_at = row.archived_at or now()
    session.flush()
    return row


def take_back(session: Session, *, workspace_id: str, base_id: str) -> OwnBase:
    """Raises ``NotFound``."""
    row = queries.own_base(session, workspace_id=workspace_id, base_id=base_id)
    row.archived_at = None
    session.flush()
    return row


# What workers tell -----------------------------------------------------------------------------------------------


def note_facts(session: Session, *, workspace_id: str, base_id: str, facts: Facts) -> None:
    """What its files told. Raises ``NotFound``, ``OtherFamily`` where a person had chosen another one."""
    row = queries.own_base(session, workspace_id=workspace_id, base_id=base_id)
    if row.family and row.family != facts.family:
        raise OtherFamily(found=facts.family)
    row.family, row.facts = facts.family, facts.model_dump(mode="json")
    _take_from_card(row, facts)
    session.flush()


def note_offered(session: Session, *, machine: str, entries: list[OfferedBase]) -> None:
    """Replace what is known of a machine's folder of checkpoints; forget machines that have not been heard of."""
    session.execute(
        delete(OfferedBase).where((OfferedBase.machine == machine) | (OfferedBase.seen_at < now() - FORGOTTEN_AFTER))
    )
    session.flush()
    session.add_all(entries)
    session.flush()
