"""Pictures made larger, as JSON."""

from fastapi import APIRouter
from pydantic import Field

from app.generations.api import GenerationOut, told
from app.generations.enlarging import service
from app.generations.enlarging.steps import Times
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor
from app.web.session_deps import WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Generations"], route_class=DeferredRoute)


class NewEnlargement(JsonBody):
    """How much larger."""

    times: Times = Field(description="As wide and as high: at most 8,192 pixels a side and 40 megapixels come out.")


@router.post("/outputs/{output_id}/enlarge", status_code=201, summary="Request this picture larger")
@audited("generation.ordered")
def enlarge(session: WriteSession, visitor: Editor, output_id: RowId, wanted: NewEnlargement) -> GenerationOut:
    """Poll the generation until the state of its job is ``done``; its one output is the larger picture."""
    generation = service.enlarge(
        session,
        workspace_id=visitor.workspace.id,
        output_id=output_id,
        user_id=visitor.user.id,
        times=wanted.times,
    )
    return told(session, generation)
