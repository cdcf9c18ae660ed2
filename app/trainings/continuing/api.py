"""Going on from a kept step, as JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from app.trainings.api import LOOK_API, VOICE_API, Api
from app.trainings.continuing import service
from app.trainings.continuing.forms import LongerBody, LongerVoiceBody
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Editor
from app.web.session_deps import WriteSession
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)


def _add(api: Api, body_type: type[Any]) -> None:
    @router.post(
        f"/{api.path}/{{{api.training_id}}}/continue",
        summary=f"Continue a {api.named}",
        tags=[api.tag],
        response_model=api.one,
        status_code=201,
    )
    @audited(f"{api.event}.continued")
    def go_on(
        session: WriteSession,
        visitor: Editor,
        training_id: Annotated[RowId, Path(alias=api.training_id)],
        further: body_type,  # type: ignore[valid-type]
    ) -> Any:
        """A new training that goes on from a kept step of this one (see its course), with the same pictures or texts.
        With a constant learning rate that stays the same, the result is to the bit that of one longer training."""
        queued = service.continue_training(
            session,
            api.kind,
            workspace_id=visitor.workspace.id,
            training_id=training_id,
            step=further.step,  # type: ignore[attr-defined]
            length=further.length,  # type: ignore[attr-defined]
            learning_rate=further.learning_rate,  # type: ignore[attr-defined]
            created_by=visitor.user.id,
            order_id=further.order_id,  # type: ignore[attr-defined]
        )
        return api.out(session, [queued])[0]


_add(LOOK_API, LongerBody)
_add(VOICE_API, LongerVoiceBody)
