"""Proposals of brand guidelines as JSON."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, BackgroundTasks, File, Response, UploadFile
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from app.brand_kits.api import KitOut, kit_out
from app.brand_kits.guidelines import queries, service
from app.brand_kits.guidelines.chosen_logos import ChosenLogos
from app.brand_kits.guidelines.forms import Place, TakeOver
from app.brand_kits.guidelines.models import Guideline
from app.brand_kits.service import Author
from app.brand_kits.upload_target import KitTargetDep
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import send
from app.web.gate.signed_in import Editor, Viewer
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Brands"], prefix="/projects/{project_id}/brand-kit/guidelines", route_class=DeferredRoute)


class ColourFound(BaseModel, defer_build=True):
    hex: str
    source: Literal["hex", "rgb", "cmyk", "painted"]
    """Where the value comes from; one from CMYK alone is only near, and `painted` has no name."""
    name: str
    values: list[str]
    pages: list[int]


class FamilyFound(BaseModel, defer_build=True):
    name: str
    pages: int


class RuleFound(BaseModel, defer_build=True):
    text: str
    kind: Literal["do_not", "room"]
    page: int


class LogoFound(BaseModel, defer_build=True):
    sha256: str
    width: int
    height: int
    transparent: bool
    pages: list[int]


class GuidelineOut(BaseModel, defer_build=True):
    """What a guideline proposes. Nothing of it is in the kit before it is taken over; after a week it is forgotten."""

    id: str
    filename: str
    created_at: datetime
    pages: int
    pages_read: int
    """Less than `pages` where reading took too long."""
    colours: list[ColourFound]
    inks: list[str]
    """Pantone colours that the guideline names without a value for screens."""
    families: list[FamilyFound]
    rules: list[RuleFound]
    logos: list[LogoFound]


class GuidelineList(BaseModel, defer_build=True):
    items: list[GuidelineOut] = Field(description="One at most")


def _out(row: Guideline) -> GuidelineOut:
    about = {"id": row.id, "filename": row.filename, "created_at": row.created_at}
    return GuidelineOut.model_validate(queries.found(row).model_dump(mode="json") | about)


@router.post("", status_code=201, summary="Upload a brand guideline")
@audited("guideline.added")
def upload_guideline(target: KitTargetDep, session: WriteSession, file: Annotated[UploadFile, File()]) -> GuidelineOut:
    """A PDF. Colours, font names, logos and rules in it become proposals; proposals of an earlier one are dropped. The
    PDF itself is not kept."""
    return _out(service.propose(session, target.author, target.guideline(file)))


@router.get("", summary="List brand guidelines whose proposals wait")
def list_guidelines(session: ReadSession, visitor: Viewer, project_id: RowId) -> GuidelineList:
    row = queries.waiting(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return GuidelineList(items=[_out(row)] if row is not None else [])


@router.get("/{guideline_id}", summary="Get a brand guideline's proposals")
def get_guideline(session: ReadSession, visitor: Viewer, project_id: RowId, guideline_id: RowId) -> GuidelineOut:
    where = {"workspace_id": visitor.workspace.id, "project_id": project_id}
    return _out(queries.guideline(session, **where, guideline_id=guideline_id))


@router.get("/{guideline_id}/logos/{place}", summary="Download a proposed logo", response_class=Response)
def download_logo(
    session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId, guideline_id: RowId, place: Place
) -> Response:
    """As PNG."""
    where = {"workspace_id": visitor.workspace.id, "project_id": project_id, "guideline_id": guideline_id}
    row = queries.logo(session, **where, place=place)
    return send(storage, row.key, "image/png", download_name=f"logo-{place + 1}.png", keep=False)


@router.post("/{guideline_id}/take-over", summary="Take proposals over into the kit")
@audited("guideline.taken_over")
def take_over(
    chosen: ChosenLogos,
    session: WriteSession,
    visitor: Editor,
    storage: FileStorage,
    tasks: BackgroundTasks,
    project_id: RowId,
    guideline_id: RowId,
    wanted: TakeOver,
) -> KitOut:
    """In one version of the kit; colours also join the palette. The other proposals are dropped."""
    ticked = wanted.ticked()
    kept = chosen(ticked)
    author = Author(visitor.workspace.id, project_id, visitor.user.id)
    kit, folder = service.take_over(session, author, guideline_id, ticked, kept)
    tasks.add_task(storage.delete_under, folder)
    return kit_out(kit)


@router.delete("/{guideline_id}", status_code=204, summary="Dismiss a brand guideline's proposals")
@audited("guideline.dismissed")
def dismiss(
    session: WriteSession, visitor: Editor, storage: FileStorage, project_id: RowId, guideline_id: RowId
) -> Response:
    folder = service.dismiss(session, Author(visitor.workspace.id, project_id, visitor.user.id), guideline_id)
    return Response(status_code=204, background=BackgroundTask(storage.delete_under, folder))
