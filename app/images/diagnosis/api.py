"""The diagnosis of a brand's pictures as JSON."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app.images.diagnosis import service, view
from app.images.diagnosis.scoring import Part
from app.images.diagnosis.service import AT_ONCE, Cure
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import counted
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Images"], route_class=DeferredRoute)


class PartOut(BaseModel, defer_build=True):
    """One part of the score, 0 to 100, and the pictures that lower it."""

    part: Part
    score: int
    image_ids: list[str]
    told: list[str]
    """For captions `missing`, `alike` or `style`; for lettering what was read."""


class ActOut(BaseModel, defer_build=True):
    """Something that raises the score by `gain` points when it is done after the acts before it."""

    part: Part
    kind: Literal["captions", "add", "leave_out"]
    sentence: str
    image_ids: list[str]
    gain: int
    missing: int
    """How many more pictures would help, for `add`."""


class DiagnosisOut(BaseModel, defer_build=True):
    score: int | None
    """0 to 100; null while no picture was measured."""
    is_varied: bool
    """Only where subjects and colours were measured to be far enough apart."""
    measured: int
    waiting: int
    """Pictures that a worker still has to measure."""
    parts: list[PartOut]
    acts: list[ActOut]


class Cured(BaseModel, defer_build=True):
    image_ids: list[str]


class Undone(JsonBody):
    image_ids: Annotated[list[RowId], Field(max_length=AT_ONCE)]


class UndoneOut(BaseModel, defer_build=True):
    changed: int


@router.get("/projects/{project_id}/images/diagnosis", summary="Get the diagnosis of a brand's pictures")
def get_diagnosis(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> DiagnosisOut:
    """What was measured of the pictures that training will see: a score, its parts, and at most three acts that would
    raise it most."""
    found = service.of_brand(session, workspace_id=visitor.workspace.id, project_id=project_id)
    known = found.diagnosis
    return DiagnosisOut(
        score=known.score if known else None,
        is_varied=bool(known and known.is_varied),
        measured=found.all - found.waiting,
        waiting=found.waiting,
        parts=[
            PartOut(part=one.part, score=one.score, image_ids=list(one.ids), told=list(one.told))
            for one in (known.parts if known else ())
        ],
        acts=[
            ActOut(
                part=act.part,
                kind=act.kind,
                sentence=counted(request.state.locale, view.sentence(act), view.amount(act)),
                image_ids=list(act.ids) if act.kind != "add" else [],
                gain=act.gain,
                missing=act.missing,
            )
            for act in (known.acts if known else ())
        ],
    )


@router.post("/projects/{project_id}/images/diagnosis/{part}", summary="Do what helps against a fault")
@audited("image.changed")
def cure(session: WriteSession, visitor: Editor, project_id: RowId, part: Cure) -> Cured:
    """Writes captions where there are none, or excludes the pictures with this fault; at most 50 at once. Returns the
    pictures that changed, by which it can be undone."""
    ids = service.cure(session, workspace_id=visitor.workspace.id, project_id=project_id, part=part)
    return Cured(image_ids=ids)


@router.post("/projects/{project_id}/images/diagnosis/{part}/undo", summary="Undo what was done against a fault")
@audited("image.changed")
def undo(session: WriteSession, visitor: Editor, project_id: RowId, part: Cure, order: Undone) -> UndoneOut:
    """A caption that somebody has changed since stays."""
    count = service.undo(
        session, workspace_id=visitor.workspace.id, project_id=project_id, part=part, image_ids=order.image_ids
    )
    return UndoneOut(changed=count)
