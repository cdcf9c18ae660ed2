"""Where a logo or font goes, as a dependency: asked before the file is read, in a session that is closed by then."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, UploadFile

from app.brand_kits.files import KeptFile, keep_font, keep_logo
from app.brand_kits.guidelines.files import ReadGuideline, read_guideline
from app.brand_kits.service import Author
from app.projects import queries as projects
from app.storage import Storage
from app.web.gate.signed_in import Editor
from app.web.text import RowId


@dataclass(frozen=True)
class KitTarget:
    """A brand that is there and may be added to, and who adds."""

    author: Author
    storage: Storage

    def logo(self, file: UploadFile) -> KeptFile:
        """Raises what ``files.keep_logo`` raises."""
        return keep_logo(
            self.storage, file.file, file.filename or "?", file.size or 0, project_id=self.author.project_id
        )

    def fonts(self, files: list[UploadFile]) -> list[KeptFile]:
        """All of them or none. Raises what ``files.keep_font`` raises."""
        where = self.author.project_id
        return [
            keep_font(self.storage, one.file, one.filename or "?", one.size or 0, project_id=where) for one in files
        ]

    def guideline(self, file: UploadFile) -> ReadGuideline:
        """Raises what ``guidelines.files.read_guideline`` raises."""
        where = self.author.project_id
        return read_guideline(self.storage, file.file, file.filename or "?", file.size or 0, project_id=where)


def _target(request: Request, visitor: Editor, project_id: RowId) -> KitTarget:
    with request.app.state.database.read() as session:
        projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return KitTarget(Author(visitor.workspace.id, project_id, visitor.user.id), request.app.state.storage)


KitTargetDep = Annotated[KitTarget, Depends(_target)]
