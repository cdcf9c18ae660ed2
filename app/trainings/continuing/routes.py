"""Going on from a kept step, on a training's page."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request, Response

from app.trainings.continuing import service
from app.trainings.continuing.forms import LongerForm, LongerVoiceForm
from app.trainings.routes import LOOK_PAGES, VOICE_PAGES, Pages
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Editor
from app.web.session_deps import WriteSession
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)


def _add(pages: Pages, form_type: type[Any]) -> None:
    @router.post(f"/{pages.path}/{{{pages.training_id}}}/continue")
    @audited(f"{pages.event}.continued")
    def go_on(
        request: Request,
        session: WriteSession,
        visitor: Editor,
        training_id: Annotated[RowId, Path(alias=pages.training_id)],
        form: Annotated[form_type, Form()],  # type: ignore[valid-type]
    ) -> Response:
        further = service.continue_training(
            session,
            pages.kind,
            workspace_id=visitor.workspace.id,
            training_id=training_id,
            step=form.step,  # type: ignore[attr-defined]
            length=form.length,  # type: ignore[attr-defined]
            learning_rate=form.learning_rate,  # type: ignore[attr-defined]
            created_by=visitor.user.id,
            order_id=form.order_id,  # type: ignore[attr-defined]
        )
        return go(request, f"/{pages.path}/{further.id}")


_add(LOOK_PAGES, LongerForm)
_add(VOICE_PAGES, LongerVoiceForm)
