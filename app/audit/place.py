"""Which chain a request asks for, as a dependency: the visitor's workspace's, or the installation's."""

from typing import Annotated

from fastapi import Depends

from app.audit.errors import NotInstallationOwner
from app.operations.queries import is_keeper
from app.web.session_deps import ReadSession
from app.web.signed_in import Owner


def _chain(session: ReadSession, visitor: Owner, installation: bool = False) -> str | None:
    """The workspace's id; None for the installation's chain, which owners of the first workspace may see.

    Raises ``NotInstallationOwner``.
    """
    if not installation:
        return visitor.workspace.id
    if not is_keeper(session, workspace_id=visitor.workspace.id):
        raise NotInstallationOwner()
    return None


Chain = Annotated[str | None, Depends(_chain)]
