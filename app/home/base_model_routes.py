"""The pages of the base models: the catalogue, what the workspace has added, and where the files are.

Their pace is measured by trainings and their files lie with the workers, so both are read from there.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response

from app.base_files import queries as base_files
from app.base_files import service as base_file_service
from app.base_models import queries, service
from app.base_models.forms import DescribeForm, HubForm, Key, LocalForm, TokenForm
from app.base_models.text_recognition import FAMILY as TEXT_FAMILY
from app.errors import N_
from app.lora_files.families import known
from app.trainings.bases import rows
from app.trainings.kind import Modality
from app.trainings.look import queries as trainings
from app.trainings.voice import queries as voices
from app.trainings.voice.planner import usual_needs
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Owner, Viewer
from app.web.language import translate
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(prefix="/base-models", route_class=DeferredRoute)
Tab = Literal["pictures", "texts"]
MODALITIES: dict[Tab, Modality] = {"pictures": "image", "texts": "text"}
ADDED = N_("Base model added. A worker is now fetching it and detects its kind from its files.")
ADDED_LOCAL = N_("Base model added. You can use it now.")
SAVED = N_("Saved")
PUT_AWAY = N_("The base model is hidden. What was made with it stays and keeps working.")
TAKEN_BACK = N_("The base model is available again.")
FETCHING = N_("A worker will fetch the files. You can close this page.")
STOPPING = N_("The download is being stopped. Nothing from it is kept.")
REMOVING = N_("The files are being removed from the worker's disk.")
TOKEN_KEPT = N_("Token stored in encrypted form. It is used only for downloads and never shown again.")
TOKEN_GONE = N_("Token removed.")


def _done(request: Request, sentence: str) -> Response:
    return go(request, "/base-models", Flash("ok", translate(request.state.locale, sentence)))


@router.get("")
def show(
    request: Request, session: ReadSession, visitor: Viewer, kind: Tab = "pictures", here: bool = False
) -> Response:
    """One kind of them, as rows; ``here`` leaves those that run on the machine that is here."""
    workspace_id, modality = visitor.workspace.id, MODALITIES[kind]
    unknown = rows.rows_without_entry(session, modality, workspace_id=workspace_id)
    return page(
        request,
        "pages/base_models.html",
        rows=[*unknown, *rows.rows(session, modality, workspace_id=workspace_id)],
        kind=kind,
        here=here,
        device=rows.device_here(session),
        away=queries.own_bases(session, workspace_id=workspace_id, archived=True) if visitor.is_owner else [],
        token=base_files.hub_token_row(session, workspace_id=workspace_id) if visitor.is_owner else None,
    )


@router.get("/add")
def add(request: Request, session: ReadSession, visitor: Owner) -> Response:
    return page(
        request,
        "pages/add_base_model.html",
        lying_ready=queries.lying_ready(session),
        families=queries.families(),
        family_names={one.key: one.short_name for one in known.with_engine()},
        text_family=TEXT_FAMILY,
        token=base_files.hub_token_row(session, workspace_id=visitor.workspace.id),
    )


@router.get("/{key}")
def details(request: Request, session: ReadSession, visitor: Viewer, key: Key) -> Response:
    """All about one: its page, or for htmx what fills the drawer."""
    workspace_id = visitor.workspace.id
    row = rows.row_of(session, workspace_id=workspace_id, key=key)
    text = queries.find_text(session, workspace_id=workspace_id, key=key)
    known_paces: Sequence[Any] = voices.paces(session, key) if text else trainings.measurements(session, key)
    own = queries.find_own(session, workspace_id=workspace_id, key=key)
    context: dict[str, Any] = {
        "row": row,
        "model": text or queries.find(session, workspace_id=workspace_id, key=key),
        "own": own,
        "pace": next(iter(known_paces), None),
        "needs": usual_needs(text) if text else None,
        "family_name": next((one.short_name for one in known.with_engine() if own and one.key == own.family), ""),
    }
    if is_htmx(request):
        return fragment(request, "partials/base_model.html", heading="h3", **context)
    return page(request, "pages/base_model.html", **context)


@router.get("/{key}/place")
def place(request: Request, session: ReadSession, visitor: Viewer, key: Key) -> Response:
    """The cell that says where its files are, drawn anew while they are fetched."""
    row = rows.row_of(session, workspace_id=visitor.workspace.id, key=key)
    return fragment(request, "partials/base_place.html", row=row)


@router.get("/{key}/files")
def files(request: Request, session: ReadSession, visitor: Viewer, key: Key) -> Response:
    """Where its files are, drawn anew while they are fetched."""
    context: dict[str, Any] = {"model": base_files.source_of(session, workspace_id=visitor.workspace.id, key=key)}
    state = base_files.state(session, workspace_id=visitor.workspace.id, key=key)
    return fragment(request, "partials/base_files.html", state=state, **context)


@router.post("/hub")
@audited("base_model.added")
def add_from_hub(request: Request, session: WriteSession, visitor: Owner, form: Annotated[HubForm, Form()]) -> Response:
    workspace_id, user_id = visitor.workspace.id, visitor.user.id
    row = service.add_from_hub(
        session,
        workspace_id=workspace_id,
        repository=form.repository,
        file=form.file,
        revision=form.revision,
        family=form.family,
        created_by=user_id,
        **form.described(),
    )
    base_file_service.order_download(session, workspace_id=workspace_id, key=row.id, created_by=user_id)
    return _done(request, ADDED)


@router.post("/local")
@audited("base_model.added")
def add_local(request: Request, session: WriteSession, visitor: Owner, form: Annotated[LocalForm, Form()]) -> Response:
    service.add_local(
        session,
        workspace_id=visitor.workspace.id,
        entry=form.entry,
        created_by=visitor.user.id,
        **form.described(),
    )
    return _done(request, ADDED_LOCAL)


@router.post("/token")
@audited("hub_token.kept")
def keep_token(request: Request, session: WriteSession, visitor: Owner, form: Annotated[TokenForm, Form()]) -> Response:
    base_file_service.keep_token(
        session,
        request.app.state.signing_key,
        workspace_id=visitor.workspace.id,
        token=form.token.strip(),
        created_by=visitor.user.id,
    )
    return _done(request, TOKEN_KEPT)


@router.post("/token/forget")
@audited("hub_token.forgotten")
def forget_token(request: Request, session: WriteSession, visitor: Owner) -> Response:
    base_file_service.forget_token(session, workspace_id=visitor.workspace.id)
    return _done(request, TOKEN_GONE)


@router.post("/{base_id}/describe")
@audited("base_model.changed")
def describe(
    request: Request, session: WriteSession, visitor: Owner, base_id: RowId, form: Annotated[DescribeForm, Form()]
) -> Response:
    service.describe(session, workspace_id=visitor.workspace.id, base_id=base_id, **form.described())
    return _done(request, SAVED)


@router.post("/{base_id}/put-away")
@audited("base_model.put_away")
def put_away(request: Request, session: WriteSession, visitor: Owner, base_id: RowId) -> Response:
    service.put_away(session, workspace_id=visitor.workspace.id, base_id=base_id)
    told = Flash("undo", translate(request.state.locale, PUT_AWAY), f"/base-models/{base_id}/take-back")
    return go(request, "/base-models", told)


@router.post("/{base_id}/take-back")
@audited("base_model.taken_back")
def take_back(request: Request, session: WriteSession, visitor: Owner, base_id: RowId) -> Response:
    service.take_back(session, workspace_id=visitor.workspace.id, base_id=base_id)
    return _done(request, TAKEN_BACK)


@router.post("/{key}/fetch")
@audited("base_model.fetched")
def fetch(request: Request, session: WriteSession, visitor: Owner, key: Key) -> Response:
    base_file_service.order_download(session, workspace_id=visitor.workspace.id, key=key, created_by=visitor.user.id)
    return _done(request, FETCHING)


@router.post("/{key}/cancel")
@audited("base_model.fetch_cancelled")
def cancel(request: Request, session: WriteSession, visitor: Owner, key: Key) -> Response:
    base_file_service.cancel_download(session, workspace_id=visitor.workspace.id, key=key)
    return _done(request, STOPPING)


@router.post("/{key}/remove-files")
@audited("base_model.files_removed")
def remove_files(request: Request, session: WriteSession, visitor: Owner, key: Key) -> Response:
    base_file_service.remove_files(session, workspace_id=visitor.workspace.id, key=key)
    return _done(request, REMOVING)
