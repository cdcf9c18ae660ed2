"""Erases a brand or a person, and proves it: what was removed is counted, and what still tells of it is looked for.

Rows go first and files last. The proof reads every column of every table and every file's name, and looks for all ids
that went: a table that a later version adds is looked through as well.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.accounts.models import Invitation, Membership, User, Workspace
from app.adapters.models import Adapter, ImportedFile
from app.audit import service as audit
from app.db import Base, Database
from app.errors import AppError, NotFound
from app.generations.models import Generation, Output
from app.jobs.models import Job
from app.operations.models import OrphanFile
from app.operations.orphans import FILES
from app.projects import service as projects
from app.projects.models import Project
from app.sign_off import service as sign_off
from app.storage import Storage

COMMAND = "app.erasure"
ROWS_AT_ONCE = 1000
AN_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


class SoleOwner(AppError):
    """Params: workspaces."""

    status = 409
    sentence = "Others work in %(workspaces)s, where this person is the only owner. Make somebody else an owner first."


@dataclass
class Erasure:
    """What was removed, and what was found afterwards."""

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    cached: int = 0
    remains: list[str] = field(default_factory=list)
    """Places that still tell of it; empty when it is gone."""


def erase_project(database: Database, storage: Storage, cache: Path, *, project_id: str) -> Erasure:
    """A brand, everything in it, and what was drawn with its adapters elsewhere. Raises ``NotFound``."""
    with database.read() as session:
        project = session.get(Project, project_id)
        if project is None:
            raise NotFound()
        before, ids = _counts(session), _ids_of_projects(session, {project_id})
        adapters = _adapters(session, {project_id})
    files = _erase_drawn_with(database, storage, set(adapters))
    with database.write() as session:
        folders = _delete_brands(session, {project_id: project.workspace_id})
        audit.record_command(session, COMMAND, "project.erased", events=audit.forget(session, ids))
    files += sum(storage.delete_under(folder) for folder in folders)
    return _finish(database, storage, cache, before, ids, set(adapters.values()), files)


def erase_person(database: Database, storage: Storage, cache: Path, *, email: str) -> Erasure:
    """A person and their keys; with them workspaces in which nobody else is. What they made in a workspace that others
    share stays there, and no longer says by whom. Of a log that goes with its workspace the erasure's event keeps how
    long it was and its last hash. Raises ``NotFound``, ``SoleOwner``."""
    email = email.strip().lower()
    with database.read() as session:
        user = session.scalar(select(User).where(User.email == email))
        if user is None:
            raise NotFound()
        alone = _workspaces_alone(session, user.id)
        brands = {
            project.id: project.workspace_id
            for project in session.scalars(select(Project).where(Project.workspace_id.in_(alone)))
        }
        before, ids = _counts(session), _ids_of_projects(session, set(brands)) | {user.id, email, *alone}
        adapters = _adapters(session, set(brands))
        imported = list(session.scalars(select(ImportedFile.key).where(ImportedFile.workspace_id.in_(alone))))
    files = _erase_drawn_with(database, storage, set(adapters))
    with database.write() as session:
        folders = _delete_brands(session, brands)
        logs = audit.ends(session, alone)
        session.execute(delete(Workspace).where(Workspace.id.in_(alone)))
        session.execute(delete(Invitation).where(func.lower(Invitation.email) == email))
        session.execute(delete(User).where(User.id == user.id))
        told: dict[str, Any] = {"logs": logs} if logs else {}
        audit.record_command(session, COMMAND, "person.erased", events=audit.forget(session, ids), **told)
    files += sum(storage.delete_under(folder) for folder in folders)
    for key in filter(None, imported):
        storage.delete(key)
        files += 1
    return _finish(database, storage, cache, before, ids, set(adapters.values()), files)


def _workspaces_alone(session: Session, user_id: str) -> set[str]:
    """Workspaces that nobody else belongs to. Raises ``SoleOwner`` for one that others need an owner for."""
    alone, left_without = set(), []
    for workspace in session.scalars(
        select(Workspace).join(Membership, Membership.workspace_id == Workspace.id).where(Membership.user_id == user_id)
    ):
        roles = {
            member.user_id: member.role
            for member in session.scalars(select(Membership).where(Membership.workspace_id == workspace.id))
        }
        own = roles.pop(user_id)
        if not roles:
            alone.add(workspace.id)
        elif own == "owner" and "owner" not in roles.values():
            left_without.append(workspace.name)
    if left_without:
        raise SoleOwner(workspaces=", ".join(left_without))
    return alone


def _adapters(session: Session, project_ids: set[str]) -> dict[str, str]:
    """Hashes of these brands' adapters by id."""
    rows = session.execute(select(Adapter.id, Adapter.sha256).where(Adapter.project_id.in_(project_ids)))
    return {row.id: row.sha256 for row in rows}


def _delete_brands(session: Session, brands: dict[str, str]) -> list[str]:
    """Returns the folders of their files, to be removed after the commit."""
    folders = []
    for project_id, workspace_id in brands.items():
        name = session.scalar(select(Project.name).where(Project.id == project_id)) or ""
        folder = projects.delete_project(session, workspace_id=workspace_id, project_id=project_id, typed_name=name)
        session.execute(delete(OrphanFile).where(OrphanFile.key.startswith(folder + "/", autoescape=True)))
        folders.append(folder)
    return folders


def _erase_drawn_with(database: Database, storage: Storage, adapter_ids: set[str]) -> int:
    """Orders of other brands that used these adapters, with their pictures: those are derived from the brand too."""
    if not adapter_ids:
        return 0
    with database.read() as session:
        orders = [
            order.id
            for order in session.scalars(select(Generation).execution_options(yield_per=ROWS_AT_ONCE))
            if adapter_ids & {use["adapter_id"] for use in order.recipe.get("adapters", [])}
        ]
        keys: list[str] = []
        for start in range(0, len(orders), ROWS_AT_ONCE):
            part = Output.generation_id.in_(orders[start : start + ROWS_AT_ONCE])
            for key, thumb_key in session.execute(select(Output.key, Output.thumb_key).where(part)):
                keys += [key, thumb_key]
    for start in range(0, len(orders), ROWS_AT_ONCE):
        chosen = orders[start : start + ROWS_AT_ONCE]
        with database.write() as session:
            session.execute(delete(Job).where(Job.subject_id.in_(chosen)))
            drawn = list(session.scalars(select(Output.id).where(Output.generation_id.in_(chosen))))
            sign_off.forget(session, subject_kind="output", subject_ids=drawn)
            session.execute(delete(Generation).where(Generation.id.in_(chosen)))
    for key in keys:
        storage.delete(key)
    return len(keys)


def _counts(session: Session) -> dict[str, int]:
    return {
        table.name: session.scalar(select(func.count()).select_from(table)) or 0
        for table in Base.metadata.sorted_tables
    }


def _ids_of_projects(session: Session, project_ids: set[str]) -> set[str]:
    """The ids of everything that belongs to these brands."""
    ids = set(project_ids)
    for table in Base.metadata.sorted_tables:
        if "project_id" in table.columns and "id" in table.columns:
            ids.update(session.scalars(select(table.c.id).where(table.c.project_id.in_(project_ids))))
    return ids


def _finish(
    database: Database,
    storage: Storage,
    cache: Path,
    before: dict[str, int],
    ids: set[str],
    hashes: set[str],
    files: int,
) -> Erasure:
    cached = 0
    for sha256 in hashes:
        copy = cache / f"{sha256}.safetensors"
        if copy.exists():
            copy.unlink()
            cached += 1
    wipe(database)
    with database.read() as session:
        after = _counts(session)
        remains = list(_found_in_rows(session, ids))
    remains += _found_in_names(storage, ids)
    gone = {table: before[table] - after[table] for table in before if before[table] > after[table]}
    return Erasure(rows=gone, files=files, cached=cached, remains=remains)


def wipe(database: Database) -> None:
    """SQLite keeps what was deleted in its free pages and its log until it is written anew. PostgreSQL's vacuum sees to
    its own."""
    if not database.is_sqlite:
        return
    connection = database.engine.raw_connection()
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _found_in_rows(session: Session, needles: set[str]) -> Iterator[str]:
    """Every place of every table that names one of ``needles``."""
    for table in Base.metadata.sorted_tables:
        for row in session.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE)).mappings():
            for column, value in row.items():
                if isinstance(value, str | list | dict):
                    for needle in _named(value if isinstance(value, str) else json.dumps(value), needles):
                        yield f"{table.name}.{column} of {row.get('id', row.get('key', 'a row'))} names {needle}"


def _found_in_names(storage: Storage, needles: set[str]) -> Iterator[str]:
    for key in storage.keys_under(FILES):
        for needle in _named(key, needles):
            yield f"the file {key} names {needle}"


def _named(value: str, needles: set[str]) -> set[str]:
    """Which of these ids and addresses a text names."""
    addresses = {needle for needle in needles if "@" in needle and needle in value.lower()}
    return addresses | (set(AN_ID.findall(value)) & needles)
