"""A link into another workspace of the same person: where it leads, so that the page can offer to go there."""

from collections.abc import Iterator, Mapping

from fastapi import Request
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from app.accounts.models import Membership, Workspace
from app.accounts.queries import WorkspaceOf
from app.audit.kinds import KINDS
from app.db import Base
from app.web.gate.visitor import Visitor

FILTERS = {"brand": "project_id", "adapter": "adapter_id", "campaign": "campaign_id"}
"""What a list is narrowed by in its address, and the name that the same has in a path."""


def elsewhere(request: Request) -> WorkspaceOf | None:
    """The other workspace of the visitor that has what the address of a page names; None where none has it.

    Looks only into workspaces that the visitor belongs to, so nobody learns of anybody else's.
    """
    visitor: Visitor | None = request.state.visitor
    if visitor is None or request.method != "GET":
        return None
    with request.app.state.database.read() as session:
        asked = {path: request.query_params[name] for name, path in FILTERS.items() if name in request.query_params}
        for table, row_id in _named(asked | request.path_params):
            found = _with(session, table, row_id, visitor)
            if found is not None:
                return found
    return None


def _named(parameters: Mapping[str, object]) -> Iterator[tuple[Table, str]]:
    """The rows whose ids the address carries."""
    for kind in KINDS.values():
        table = Base.metadata.tables.get(kind.table)
        if table is None or not {"id", "workspace_id"} <= set(table.columns.keys()):
            continue
        for name in kind.parameters:
            if name in parameters:
                yield table, str(parameters[name])


def _with(session: Session, table: Table, row_id: str, visitor: Visitor) -> WorkspaceOf | None:
    wanted = (
        select(Workspace.id, Workspace.name, Membership.role)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .join(table, table.columns.workspace_id == Workspace.id)
        .where(table.columns.id == row_id, Membership.user_id == visitor.user.id)
        .where(Workspace.id != visitor.workspace.id)
    )
    if "deleted_at" in table.columns:
        wanted = wanted.where(table.columns.deleted_at.is_(None))
    row = session.execute(wanted).first()
    return WorkspaceOf(*row) if row else None
