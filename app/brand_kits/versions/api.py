"""Versions of a brand's kit as JSON."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.brand_kits import service
from app.brand_kits.api import KitOut, kit_out
from app.brand_kits.forms import Number
from app.brand_kits.service import Author
from app.brand_kits.versions import queries
from app.brand_kits.versions.changes import ChangedPart, Way
from app.brand_kits.versions.queries import PAGE, VersionView
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Editor, Viewer
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Brands"], route_class=DeferredRoute)


class KitChangeOut(BaseModel, defer_build=True):
    """One thing that a version changed."""

    part: ChangedPart
    way: Way
    what: str = Field(description="A role, a kind of logo, a font, a language, a name or a line.")


class KitVersionOut(BaseModel, defer_build=True):
    """One version; `GET …/brand-kit?version=` says what it holds."""

    number: int
    by: str | None = Field(description="Name of who made it; null where it is not known any more.")
    at: datetime
    changes: list[KitChangeOut] = Field(description="Held against the version before it.")

    @classmethod
    def of(cls, view: VersionView) -> Self:
        return cls.model_validate(view, from_attributes=True)


class KitVersionPage(BaseModel, defer_build=True):
    """The newest first."""

    items: list[KitVersionOut]
    next: int | None = Field(description="To be given as `before`.")


@router.get("/projects/{project_id}/brand-kit/versions", summary="List the versions of a brand's kit")
def list_versions(
    session: ReadSession, visitor: Viewer, project_id: RowId, before: Annotated[Number | None, Query()] = None
) -> KitVersionPage:
    found = queries.versions(session, workspace_id=visitor.workspace.id, project_id=project_id, before=before)
    more = found[PAGE - 1].number if len(found) > PAGE else None
    return KitVersionPage.model_validate({"items": [KitVersionOut.of(view) for view in found[:PAGE]], "next": more})


@router.post(
    "/projects/{project_id}/brand-kit/versions/{kit_version}/restore", summary="Go back to a version of a brand's kit"
)
@audited("kit.restored")
def restore(session: WriteSession, visitor: Editor, project_id: RowId, kit_version: Number) -> KitOut:
    """Makes a new version that says what that one said; nothing is lost. The palette stays as it is."""
    author = Author(visitor.workspace.id, project_id, visitor.user.id)
    return kit_out(service.restore(session, author, kit_version))
