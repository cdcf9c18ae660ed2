"""Where a start picture comes from and goes to, as dependencies: asked before any pixel is touched, in a session that
is closed by then."""

from dataclasses import dataclass
from typing import Annotated, BinaryIO

from fastapi import Depends, Request

from app.generations import queries
from app.images import queries as images
from app.images.reading.prepared import IntakeLimits
from app.projects import queries as projects
from app.web.gate.signed_in import Editor
from app.web.session_deps import AppSettings
from app.web.text import RowId

MB = 1024 * 1024


@dataclass(frozen=True)
class StartTarget:
    """A brand that is there, and the key of the picture that is to be taken over, if it has one."""

    workspace_id: str
    project_id: str
    user_id: str
    limits: IntakeLimits
    key: str = ""

    def read(self, file: BinaryIO) -> bytes:
        """No more than what is refused for its size anyway."""
        return file.read(self.limits.max_bytes + 1)


def _brand(request: Request, settings: AppSettings, visitor: Editor, project_id: RowId) -> StartTarget:
    with request.app.state.database.read() as session:
        projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return _target(settings, visitor, project_id)


def _output(request: Request, settings: AppSettings, visitor: Editor, output_id: RowId) -> StartTarget:
    with request.app.state.database.read() as session:
        found = queries.output(session, workspace_id=visitor.workspace.id, output_id=output_id)
        return _target(settings, visitor, found.project_id, found.key)


def _image(request: Request, settings: AppSettings, visitor: Editor, image_id: RowId) -> StartTarget:
    with request.app.state.database.read() as session:
        found = images.image(session, workspace_id=visitor.workspace.id, image_id=image_id)
        return _target(settings, visitor, found.project_id, found.working_key)


def _target(settings: AppSettings, visitor: Editor, project_id: str, key: str = "") -> StartTarget:
    limits = IntakeLimits(max_bytes=settings.max_image_mb * MB)
    return StartTarget(visitor.workspace.id, project_id, visitor.user.id, limits, key)


StartTargetDep = Annotated[StartTarget, Depends(_brand)]
FromOutput = Annotated[StartTarget, Depends(_output)]
FromImage = Annotated[StartTarget, Depends(_image)]
