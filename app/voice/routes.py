"""Pages of a brand's voice: the texts that it is learned from, taking in more, and what is to be decided about them."""

from collections import Counter
from io import BytesIO
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.errors import N_, NotFound
from app.projects import queries as projects
from app.voice import exports, queries, service
from app.voice.analysis import pairs, personal_data
from app.voice.analysis.style_guide import style_guide
from app.voice.channels import CHANNELS
from app.voice.forms import (
    ChannelForm,
    Language,
    LinesForm,
    PersonalForm,
    SampleForm,
    SelectionForm,
    Words,
)
from app.voice.imports import queries as imports
from app.voice.queries import Filter, JudgedSet
from app.voice.reading import mapping
from app.voice.view import LANGUAGE_NAMES, amount, marked, rare_languages
from app.web.answers import go, is_htmx, own_path
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.bulk import BulkAction
from app.web.files import disposition
from app.web.flashes import Flash, Stamp, from_stamp, to_stamp
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import counted, ngettext, translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)

SAVED = N_("Saved")
CAME_BACK = N_("Texts restored.")


def _set_facts(judged: JudgedSet) -> dict[str, Any]:
    """What the meter, the findings and the filters show."""
    return {
        "judged": judged,
        "filters": [(name, judged.count(name)) for name in queries.FILTERS],
        "least": queries.LEAST_SAMPLES,
        "enough": queries.ENOUGH_SAMPLES,
        "many": queries.MANY_SAMPLES,
        "amount": amount(judged.included),
        "rare": rare_languages(judged),
        "channels": CHANNELS,
        "languages": LANGUAGE_NAMES,
        "kinds": personal_data.KINDS,
        "marked": marked,
    }


@router.get("/projects/{project_id}/voice")
def show_voice(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    show: Filter = "all",
    channel: mapping.KnownChannel | None = None,
    q: Annotated[Words, Query()] = "",
    after: str | None = None,
) -> Response:
    workspace_id = visitor.workspace.id
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
    texts, last = queries.page_of(judged.found(show, channel=channel or "", words=q), after=from_cursor(after))
    context = {
        "project": projects.project(session, workspace_id=workspace_id, project_id=project_id),
        "rows": queries.samples(session, workspace_id=workspace_id, text_ids=[text.id for text in texts]),
        "show": show,
        "channel": channel or "",
        "q": q,
        "more": to_cursor(last.created_at, queries.place_of(last.position, last.id)) if last else None,
        "waiting": imports.waiting_imports(session, workspace_id=workspace_id, project_id=project_id),
        "decided": queries.decided_lines(session, workspace_id, project_id),
        **_set_facts(judged),
    }
    if is_htmx(request) and after:
        return fragment(request, "partials/voice_texts.html", **context)
    return page(request, "pages/voice.html", **context)


def _back(request: Request, project_id: str, form: SelectionForm, flash: Flash) -> Response:
    return go(request, own_path(form.next, f"/projects/{project_id}/voice?show={form.show}"), flash)


def _chosen(session: WriteSession, visitor: Visitor, project_id: str, form: SelectionForm) -> list[str]:
    return service.chosen_ids(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        text_ids=form.ids,
        everything=form.everything,
    )


BULK_ACTIONS = (
    BulkAction(
        "include",
        "text.included",
        {"included": True},
        ngettext("%(num)s text included in training.", "%(num)s texts included in training."),
    ),
    BulkAction(
        "leave-out",
        "text.left_out",
        {"included": False},
        ngettext("%(num)s text excluded from training.", "%(num)s texts excluded from training."),
    ),
)
DECIDED = {
    "cut": ngettext("Training will not read this line.", "Training will not read these %(num)s lines."),
    "keep": ngettext("The line stays.", "The %(num)s lines stay."),
}
CHANGED = ngettext("%(num)s text changed.", "%(num)s texts changed.")


def _bulk_route(action: BulkAction) -> None:
    @router.post(f"/projects/{{project_id}}/voice/texts/{action.name}")
    @audited(action.audited_as)
    def change_many(
        request: Request,
        session: WriteSession,
        visitor: Editor,
        project_id: RowId,
        form: Annotated[SelectionForm, Form()],
    ) -> Response:
        count = _change_many(session, visitor, project_id, form, **action.values)
        return _back(request, project_id, form, action.done(request, count))


for _action in BULK_ACTIONS:
    _bulk_route(_action)


def _change_many(session: WriteSession, visitor: Visitor, project_id: str, form: SelectionForm, **values: Any) -> int:
    chosen = _chosen(session, visitor, project_id, form)
    return service.change_many(
        session, workspace_id=visitor.workspace.id, project_id=project_id, text_ids=chosen, **values
    )


@router.post("/projects/{project_id}/voice/texts/channel")
@audited("text.changed")
def tag_many(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[ChannelForm, Form()]
) -> Response:
    count = _change_many(session, visitor, project_id, form, channel=form.channel)
    return _back(request, project_id, form, Flash("ok", counted(request.state.locale, CHANGED, count)))


@router.post("/projects/{project_id}/voice/texts/personal")
@audited("text.personal_data")
def decide_personal(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[PersonalForm, Form()]
) -> Response:
    count = _change_many(session, visitor, project_id, form, personal=form.choice)
    return _back(request, project_id, form, Flash("ok", counted(request.state.locale, CHANGED, count)))


@router.post("/projects/{project_id}/voice/texts/delete")
@audited("text.deleted")
def delete_many(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[SelectionForm, Form()]
) -> Response:
    count, moment = service.delete_samples(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        text_ids=_chosen(session, visitor, project_id, form),
    )
    told = counted(request.state.locale, ngettext("%(num)s text deleted.", "%(num)s texts deleted."), count)
    undo = f"/projects/{project_id}/voice/texts/restore/{to_stamp(moment)}" if count else None
    return _back(request, project_id, form, Flash("undo", told, undo))


@router.post("/projects/{project_id}/voice/texts/restore/{stamp}")
@audited("text.restored")
def restore(request: Request, session: WriteSession, visitor: Editor, project_id: RowId, stamp: Stamp) -> Response:
    count = service.restore_samples(
        session, workspace_id=visitor.workspace.id, project_id=project_id, moment=from_stamp(stamp)
    )
    if not count:
        raise NotFound()
    return go(request, f"/projects/{project_id}/voice", Flash("ok", translate(request.state.locale, CAME_BACK)))


@router.post("/projects/{project_id}/voice/lines")
@audited("line.decided")
def decide_lines(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[LinesForm, Form()]
) -> Response:
    workspace_id, locale = visitor.workspace.id, request.state.locale
    count = sum(
        service.decide_line(session, workspace_id=workspace_id, project_id=project_id, line=line, choice=form.choice)
        for line in form.line
    )
    told = (DECIDED[form.choice], len(form.line)) if form.choice in DECIDED else (CHANGED, count)
    return go(request, f"/projects/{project_id}/voice", Flash("ok", counted(locale, *told)))


@router.get("/projects/{project_id}/voice/training-set.jsonl")
def download_training_set(session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    samples = queries.training_set(session, workspace_id=visitor.workspace.id, project_id=project_id)
    headers = {"content-disposition": disposition(f"{project.name} voice.jsonl")}
    content = BytesIO("".join(exports.conversation_lines(samples)).encode())
    return StreamingResponse(content, media_type="application/jsonl", headers=headers)


@router.get("/projects/{project_id}/voice/style-guide")
def show_style_guide(
    request: Request, session: ReadSession, visitor: Viewer, project_id: RowId, language: Language | None = None
) -> Response:
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    samples = queries.training_set(session, workspace_id=visitor.workspace.id, project_id=project_id)
    counted = Counter(sample.language for sample in samples).most_common()
    wanted = language or (counted[0][0] if counted else "en")
    return page(
        request,
        "pages/voice_style.html",
        project=project,
        guide=style_guide(samples, wanted),
        language=wanted,
        counted=counted,
        languages=LANGUAGE_NAMES,
    )


@router.get("/voice/texts/{text_id}")
def show_text(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    text_id: RowId,
    part: Literal["page", "form", "card"] = "page",
    show: Filter = "all",
) -> Response:
    """A page of its own, or in place of its card in the list the form to edit it."""
    context = _one(session, visitor, text_id) | {"show": show}
    if part == "form" and visitor.can_edit:
        return fragment(request, "partials/voice_text_form.html", in_place=True, **context)
    if part == "card":
        return fragment(request, "partials/voice_text.html", **context)
    return page(request, "pages/voice_text.html", in_place=False, **context)


def _one(session: ReadSession, visitor: Visitor, text_id: str) -> dict[str, Any]:
    workspace_id = visitor.workspace.id
    row = queries.sample(session, workspace_id=workspace_id, text_id=text_id)
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=row.project_id)
    read = queries.read_one(session, workspace_id=workspace_id, row=row)
    return {
        "project": projects.project(session, workspace_id=workspace_id, project_id=row.project_id),
        "row": row,
        "conversation": pairs.conversation(read) if read else [],
        "derived": read.brief if read and not row.brief else "",
        **_set_facts(judged),
    }


@router.post("/voice/texts/{text_id}")
@audited("text.changed")
def change(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    text_id: RowId,
    form: Annotated[SampleForm, Form()],
    show: Filter = "all",
) -> Response:
    wanted = service.Change(form.text, form.title, form.channel, form.language, form.brief)
    service.change(session, workspace_id=visitor.workspace.id, text_id=text_id, wanted=wanted)
    if is_htmx(request):
        return fragment(request, "partials/voice_text.html", show=show, **_one(session, visitor, text_id))
    return go(request, f"/voice/texts/{text_id}", Flash("ok", translate(request.state.locale, SAVED)))
