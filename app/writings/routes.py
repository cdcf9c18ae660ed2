"""The writing studio, the texts it gave, and the brand's rules for them."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from app.campaigns import queries as campaigns
from app.db import now
from app.errors import N_
from app.images.view import faces
from app.projects import queries as projects
from app.projects.models import Project
from app.sign_off.service import check_download
from app.voice.view import LANGUAGE_NAMES
from app.web import files
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.paging import Cursor, from_cursor, split
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId
from app.writings import channels, checks, exports, queries, requests, service
from app.writings.errors import NothingToExport
from app.writings.filters import REVIEWS, TextFilters
from app.writings.form_state import form_state
from app.writings.forms import EditForm, RulesForm, TextForm, TextsQuery
from app.writings.models import Writing
from app.writings.vote.arms import ARM_NAMES

router = APIRouter(route_class=DeferredRoute)
SAVED = N_("Saved. Existing texts are checked against these rules from now on.")
Shown = Annotated[str, Query(pattern="^[a-z_0-9.]{0,300}$")]
STATES = {"open": N_("To review"), "approved": N_("Approved"), "rejected": N_("Rejected")}
COLUMNS = (
    N_("Brand"),
    N_("Campaign"),
    N_("Channel"),
    N_("Language"),
    N_("Brief"),
    N_("Text"),
    N_("State"),
    N_("Findings"),
    N_("When"),
    N_("Written by"),
    N_("Decided by"),
    N_("Decided on"),
    N_("Reason"),
)
SEPARATORS = {"de": ";"}
"""In a locale that writes numbers with a comma, spreadsheets open a table with commas as one column."""
EXPORT_TITLE = N_("Texts from Livery")
FILE_NAME = N_("texts")


# The studio


@router.get("/projects/{project_id}/writing")
def show(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    writing_id: RowId | None = None,
    output_id: RowId | None = None,
    adapter: RowId | None = None,
    channel: Annotated[str | None, Query(max_length=20)] = None,
    before: Cursor = None,
) -> Response:
    workspace_id = visitor.workspace.id
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    found = queries.recent(session, workspace_id=workspace_id, project_id=project_id, before=from_cursor(before))
    shown, more = split(found, queries.PAGE)
    history: dict[str, Any] = {
        "views": queries.views(session, shown),
        "more": more,
        "project": project,
        "arm_names": ARM_NAMES,
    }
    if is_htmx(request) and before:
        return fragment(request, "partials/writing_list.html", **history)
    filled = form_state(
        session,
        workspace_id=workspace_id,
        project_id=project_id,
        locale=request.state.locale,
        writing_id=writing_id,
        output_id=output_id,
        adapter_id=adapter,
        channel=channel,
    )
    sheet: dict[str, Any] = {
        "form_state": filled,
        "channels": channels.CHANNELS,
        "languages": channels.LANGUAGES,
        "language_names": LANGUAGE_NAMES,
        "campaigns": campaigns.campaigns(session, workspace_id=workspace_id),
        "most": requests.MOST_VARIANTS,
        "project": project,
    }
    if request.headers.get("hx-target") == "composer":
        return fragment(request, "partials/writing_composer.html", **sheet)
    brands = projects.projects(session, workspace_id=workspace_id)
    return page(
        request,
        "pages/writing.html",
        brands=brands,
        faces=faces(session, [brand.id for brand in brands]),
        **sheet | history,
    )


@router.post("/projects/{project_id}/writings")
@audited("writing.ordered")
def create(
    request: Request,
    reading: ReadSession,
    session: WriteSession,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[TextForm, Form()],
) -> Response:
    writing = request_texts(reading, session, visitor, project_id, form.writing_request())
    return _came(request, session, visitor, writing)


def request_texts(
    reading: ReadSession, session: WriteSession, visitor: Visitor, project_id: str, request: requests.WritingRequest
) -> Writing:
    """Work a request out while reading, then write it down. For pages and programs."""
    workspace_id = visitor.workspace.id
    if request.campaign_id is not None:
        campaign = campaigns.campaign_to_use(reading, workspace_id=workspace_id, campaign_id=request.campaign_id)
        request = replace(request, campaign=campaign.name)
    composed = service.compose(reading, workspace_id=workspace_id, project_id=project_id, request=request)
    return service.request_texts(
        session, workspace_id=workspace_id, project_id=project_id, user_id=visitor.user.id, composed=composed
    )


def _came(request: Request, session: WriteSession, visitor: Visitor, writing: Writing) -> Response:
    """A new writing on top of the results where the page has a place for them, else in its studio."""
    if is_htmx(request) and request.headers.get("hx-target") == "results":
        return _one(request, session, visitor, writing.id)
    return go(request, f"/projects/{writing.project_id}/writing#writing-{writing.id}")


def _one(request: Request, session: ReadSession, visitor: Visitor, writing_id: str) -> Response:
    view = queries.view(session, workspace_id=visitor.workspace.id, writing_id=writing_id)
    project = _brand(session, visitor, view.writing)
    return fragment(request, "partials/writing.html", view=view, project=project, arm_names=ARM_NAMES)


def _brand(session: ReadSession, visitor: Visitor, writing: Writing) -> Project:
    return projects.project(session, workspace_id=visitor.workspace.id, project_id=writing.project_id)


# All texts


@router.get("/writings")
def show_texts(
    request: Request, session: ReadSession, visitor: Viewer, asked: Annotated[TextsQuery, Query()]
) -> Response:
    filters, workspace_id = asked.filters(), visitor.workspace.id
    found = queries.texts(session, workspace_id=workspace_id, filters=filters, before=from_cursor(asked.before))
    shown, more = split(found, queries.TEXTS_PAGE)
    return page(
        request,
        "pages/writings.html",
        texts=queries.variant_views(session, shown),
        filters=filters,
        more=more,
        is_first=not asked.before,
        reviews=REVIEWS,
        channels=channels.CHANNELS,
        brands=projects.projects(session, workspace_id=workspace_id, limit=200),
        campaigns=campaigns.campaigns(session, workspace_id=workspace_id),
        arm_names=ARM_NAMES,
        states=STATES,
    )


@router.get("/writings/export.csv")
def export_csv(
    request: Request, session: ReadSession, visitor: Viewer, asked: Annotated[TextsQuery, Query()]
) -> Response:
    content = exports.as_csv(texts_to_export(session, visitor, asked.filters()), words_in(request.state.locale))
    return _download(request, content, exports.CSV_TYPE, "csv")


@router.get("/writings/export.docx")
def export_docx(
    request: Request, session: ReadSession, visitor: Viewer, asked: Annotated[TextsQuery, Query()]
) -> Response:
    texts = texts_to_export(session, visitor, asked.filters())
    content = exports.as_docx(texts, words_in(request.state.locale), when=now())
    return _download(request, content, exports.DOCX_TYPE, "docx")


def _download(request: Request, content: bytes, media_type: str, ending: str) -> Response:
    name = f"livery-{translate(request.state.locale, FILE_NAME)}.{ending}"
    headers = {"content-disposition": files.disposition(name), "cache-control": "private, no-cache"}
    return Response(content, media_type=media_type, headers=headers)


def texts_to_export(session: ReadSession, visitor: Visitor, filters: TextFilters) -> list[exports.ExportedText]:
    """The newest texts within the filters, with the names that go with them. Raises ``NothingToExport``, and
    ``NotApproved`` or ``SomeNotApproved`` for viewers."""
    workspace_id = visitor.workspace.id
    found = queries.texts(session, workspace_id=workspace_id, filters=filters, limit=queries.MOST_EXPORTED)[
        : queries.MOST_EXPORTED
    ]
    if not found:
        raise NothingToExport()
    check_download([one.review for one in found], may_all=visitor.downloads_open)
    brands = {one.id: one.name for one in queries.brands_with_texts(session, workspace_id=workspace_id)}
    campaign_names = {one.id: one.name for one in campaigns.campaigns(session, workspace_id=workspace_id)}
    return [
        exports.ExportedText(
            view, brands.get(view.variant.project_id, ""), campaign_names.get(view.writing.campaign_id or "", "")
        )
        for view in queries.variant_views(session, found)
    ]


def words_in(locale: str) -> exports.Words:
    """What an exported file says beside its texts."""

    def say(sentence: str) -> str:
        return translate(locale, sentence)

    return exports.Words(
        columns=tuple(map(say, COLUMNS)),
        separator=SEPARATORS.get(locale, ","),
        states={key: say(name) for key, name in STATES.items()},
        arms={key: say(name) for key, name in ARM_NAMES.items()},
        channel=say,
        finding=lambda pair: translate(locale, pair[0], **pair[1]),
        title=say(EXPORT_TITLE),
    )


# One order


@router.get("/writings/{writing_id}")
def show_one(request: Request, session: ReadSession, visitor: Viewer, writing_id: RowId) -> Response:
    view = queries.view(session, workspace_id=visitor.workspace.id, writing_id=writing_id)
    project = _brand(session, visitor, view.writing)
    return page(request, "pages/one_writing.html", view=view, project=project, arm_names=ARM_NAMES)


@router.get("/writings/{writing_id}/progress")
def progress(request: Request, session: ReadSession, visitor: Viewer, writing_id: RowId, shown: Shown = "") -> Response:
    """The texts as far as they are written, without those that the page ``shown`` has whole, and the line of state."""
    view = queries.view(session, workspace_id=visitor.workspace.id, writing_id=writing_id)
    known = set(shown.split("."))
    fresh = [one for one in view.variants if f"{one.variant.arm}{one.variant.position}" not in known]
    return fragment(request, "partials/writing_progress.html", view=view, fresh=fresh, arm_names=ARM_NAMES)


@router.post("/writings/{writing_id}/cancel")
@audited("writing.cancelled")
def cancel(request: Request, session: WriteSession, visitor: Editor, writing_id: RowId) -> Response:
    service.cancel(session, workspace_id=visitor.workspace.id, writing_id=writing_id)
    if is_htmx(request):
        return _one(request, session, visitor, writing_id)
    return go(request, f"/writings/{writing_id}")


@router.post("/writings/{writing_id}/again")
@audited("writing.ordered")
def again(request: Request, session: WriteSession, visitor: Editor, writing_id: RowId) -> Response:
    writing = service.again(session, workspace_id=visitor.workspace.id, writing_id=writing_id, user_id=visitor.user.id)
    return _came(request, session, visitor, writing)


# One text


def _text(request: Request, session: ReadSession, visitor: Visitor, variant_id: str) -> Response:
    view = queries.variant_view(session, workspace_id=visitor.workspace.id, variant_id=variant_id)
    if is_htmx(request):
        return fragment(request, "partials/writing_text.html", one=view, arm_names=ARM_NAMES)
    return go(request, f"/writings/{view.writing.id}#variant-{variant_id}")


@router.get("/variants/{variant_id}")
def show_text(request: Request, session: ReadSession, visitor: Viewer, variant_id: RowId) -> Response:
    return _text(request, session, visitor, variant_id)


@router.get("/variants/{variant_id}/history")
def show_history(request: Request, session: ReadSession, visitor: Viewer, variant_id: RowId) -> Response:
    """Who approved or rejected the text, when and why."""
    history = queries.history(session, workspace_id=visitor.workspace.id, variant_id=variant_id)
    if is_htmx(request):
        return fragment(request, "partials/verdicts.html", history=history)
    view = queries.variant_view(session, workspace_id=visitor.workspace.id, variant_id=variant_id)
    return page(request, "pages/text_history.html", one=view, history=history)


@router.get("/variants/{variant_id}/edit")
def show_edit(request: Request, session: ReadSession, visitor: Editor, variant_id: RowId) -> Response:
    view = queries.variant_view(session, workspace_id=visitor.workspace.id, variant_id=variant_id)
    if is_htmx(request):
        return fragment(request, "partials/writing_edit.html", one=view)
    return page(request, "pages/edit_text.html", one=view)


@router.post("/variants/{variant_id}/edit")
@audited("variant.changed")
def edit(
    request: Request,
    reading: ReadSession,
    session: WriteSession,
    visitor: Editor,
    variant_id: RowId,
    form: Annotated[EditForm, Form()],
) -> Response:
    change_text(reading, session, visitor, variant_id, form.text)
    return _text(request, session, visitor, variant_id)


def change_text(
    reading: ReadSession, session: WriteSession, visitor: Visitor, variant_id: str, text: str | None
) -> None:
    """Look for copied passages while reading, then keep a person's wording; None is the model's own. For pages and
    programs."""
    workspace_id = visitor.workspace.id
    before = queries.variant(reading, workspace_id=workspace_id, variant_id=variant_id)
    text = before.text if text is None else text
    copied = service.copied_from(reading, workspace_id=workspace_id, project_id=before.project_id, text=text)
    service.edit(
        session,
        workspace_id=workspace_id,
        variant_id=variant_id,
        text=text,
        copied=copied,
        user_id=visitor.user.id,
    )


# The brand's rules


@router.get("/projects/{project_id}/text-rules")
def show_rules(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    rules = queries.rules_of(session, [project.id])[project.id]
    return page(
        request,
        "pages/text_rules.html",
        project=project,
        rules=rules,
        channels=channels.CHANNELS,
        most_words=checks.MOST_WORDS,
    )


@router.post("/projects/{project_id}/text-rules")
@audited("text_rules.changed")
def change_rules(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[RulesForm, Form()]
) -> Response:
    service.set_rules(session, workspace_id=visitor.workspace.id, project_id=project_id, rules=form.rules())
    told = translate(request.state.locale, SAVED)
    return go(request, f"/projects/{project_id}/text-rules", Flash("ok", told))
