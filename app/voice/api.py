"""A brand's written samples as JSON."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, StringConstraints

from app.projects import queries as projects
from app.voice import exports, queries, service
from app.voice.analysis import personal_data
from app.voice.analysis.languages import detect
from app.voice.analysis.style_guide import style_guide
from app.voice.forms import Brief, Ids, Language, LineForm, PersonalChoice, Sample, Title, Words
from app.voice.imports.upload_target import ImportTargetDep
from app.voice.models import TextSample
from app.voice.queries import Filter, Judged
from app.voice.reading import mapping
from app.voice.reading.mapping import Draft, KnownChannel
from app.voice.view import amount
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Voice"], route_class=DeferredRoute)
JSONL: dict[int | str, dict[str, Any]] = {200: {"content": {"application/jsonl": {}}}}


class FindingOut(BaseModel, defer_build=True):
    """What looks like personal data, from `start` up to `end` of the text, the title or the brief."""

    field: Literal["text", "title", "brief"]
    kind: str
    start: int
    end: int


class TextOut(BaseModel, defer_build=True):
    """A text of a brand."""

    id: str
    project_id: str
    text: str
    title: str
    channel: str
    language: str
    brief: str
    """The instruction as a person or the file gave it; empty: derived from the text."""
    included: bool
    """Whether training will read it."""
    personal_data: str
    """`keep` or `mask`; empty: nobody has decided, and training reads it masked."""
    findings: list[FindingOut]
    same_as: str | None
    """Id of the older text that it repeats; `near_to` of one that is nearly the same."""
    near_to: str | None
    has_boilerplate: bool
    created_at: datetime


class TextList(BaseModel, defer_build=True):
    items: list[TextOut]
    next: str | None


class NewText(JsonBody):
    """A text to add; channel and language are seen from it where they are not given."""

    text: Annotated[Sample, StringConstraints(min_length=1)]
    title: Title = ""
    channel: KnownChannel | None = None
    language: Language | None = None
    brief: Brief = ""


class NewTexts(JsonBody):
    items: Annotated[list[NewText], Field(min_length=1, max_length=1000)]
    skip_known: bool = True


class AddedOut(BaseModel, defer_build=True):
    """Ids of the new texts, and how many were here already."""

    ids: list[str]
    known: int


class TextChange(JsonBody):
    """What to change; what is left out stays as it is."""

    text: Annotated[Sample, StringConstraints(min_length=1)] | None = None
    title: Title | None = None
    channel: KnownChannel | None = None
    language: Language | None = None
    brief: Brief | None = None
    included: bool | None = None
    personal_data: PersonalChoice | None = None


class ManyChange(JsonBody):
    """The same change to several texts: to those named, or to all under the filter `everything`."""

    ids: Ids = Field(default_factory=list)
    everything: Filter | None = None
    included: bool | None = None
    channel: KnownChannel | None = None
    language: Language | None = None
    personal_data: PersonalChoice | None = None


class LineChoice(JsonBody, LineForm):
    """What becomes of a line that stands in many texts."""


class ManyIds(JsonBody):
    ids: Ids


class Changed(BaseModel, defer_build=True):
    changed: int


class SharedLineOut(BaseModel, defer_build=True):
    """A line that comes back in many texts."""

    line: str
    count: int


class VoiceOut(BaseModel, defer_build=True):
    """What a brand has for its voice, and whether that is enough."""

    texts: int
    included: int
    least: int
    """Below this a training is refused; from `enough` on the voice is learned well, above `many` more help little."""
    enough: int
    many: int
    advice: str
    channels: dict[str, int]
    languages: dict[str, int]
    undecided_personal_data: int
    duplicates: int
    near_duplicates: int
    lines: list[SharedLineOut]


class StyleGuideOut(BaseModel, defer_build=True):
    language: str
    text: str


def _findings(row: TextSample) -> list[tuple[Literal["text", "title", "brief"], list[personal_data.Finding]]]:
    about = queries.about_findings(row)
    return [
        ("text", personal_data.from_json(row.findings)),
        ("title", about["title"]),
        ("brief", about["brief"]),
    ]


def _out(row: TextSample, judged: Judged) -> TextOut:
    return TextOut(
        id=row.id,
        project_id=row.project_id,
        text=row.text,
        title=row.title,
        channel=row.channel,
        language=row.language,
        brief=row.brief,
        included=row.included,
        personal_data=row.personal_data,
        findings=[
            FindingOut(field=field, kind=one.kind, start=one.start, end=one.end)
            for field, found in _findings(row)
            for one in found
        ],
        same_as=judged.same_as,
        near_to=judged.near_to,
        has_boilerplate=judged.has_boilerplate,
        created_at=row.created_at,
    )


def _one(session: ReadSession, workspace_id: str, text_id: str) -> TextOut:
    row = queries.sample(session, workspace_id=workspace_id, text_id=text_id)
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=row.project_id)
    return _out(row, judged.of(text_id))


@router.get("/projects/{project_id}/voice", summary="Get an overview of a brand's voice texts")
def get_voice(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> VoiceOut:
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    judged = queries.judged_set(session, workspace_id=visitor.workspace.id, project_id=project_id)
    told = amount(judged.included)
    return VoiceOut(
        texts=len(judged.texts),
        included=judged.included,
        least=queries.LEAST_SAMPLES,
        enough=queries.ENOUGH_SAMPLES,
        many=queries.MANY_SAMPLES,
        advice=translate(request.state.locale, told.msgid, **told.params),
        channels=judged.by_channel(),
        languages=judged.by_language(),
        undecided_personal_data=judged.count("personal"),
        duplicates=judged.count("duplicate"),
        near_duplicates=judged.count("near"),
        lines=[SharedLineOut(line=line.line, count=line.count) for line in judged.lines],
    )


@router.get("/projects/{project_id}/voice/texts", summary="List a brand's texts")
def list_texts(
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    show: Filter = "all",
    channel: KnownChannel | None = None,
    words: Annotated[Words, Query()] = "",
    cursor: str | None = None,
) -> TextList:
    """Newest import first; texts from one import are in the order of the file."""
    workspace_id = visitor.workspace.id
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
    found = judged.found(show, channel=channel or "", words=words)
    texts, last = queries.page_of(found, after=from_cursor(cursor))
    rows = queries.samples(session, workspace_id=workspace_id, text_ids=[text.id for text in texts])
    return TextList(
        items=[_out(row, judged.of(row.id)) for row in rows],
        next=to_cursor(last.created_at, queries.place_of(last.position, last.id)) if last else None,
    )


@router.post("/projects/{project_id}/voice/texts", summary="Add texts")
@audited("text.added")
def add_texts(session: WriteSession, target: ImportTargetDep, order: NewTexts) -> AddedOut:
    drafts = [
        Draft(
            row,
            one.text,
            one.title,
            one.channel or mapping.guess_channel(one.text),
            one.language or detect(one.text) or "en",
            one.brief,
        )
        for row, one in enumerate(order.items, 1)
    ]
    added = service.add_samples(
        session,
        service.prepare(drafts),
        workspace_id=target.workspace_id,
        project_id=target.project_id,
        created_by=target.user_id,
        skip_known=order.skip_known,
    )
    return AddedOut(ids=added.ids, known=added.known)


@router.post("/projects/{project_id}/voice/texts/change", summary="Change several texts at once")
@audited("text.changed")
def change_texts(session: WriteSession, visitor: Editor, project_id: RowId, order: ManyChange) -> Changed:
    workspace_id = visitor.workspace.id
    chosen = service.chosen_ids(
        session, workspace_id=workspace_id, project_id=project_id, text_ids=order.ids, everything=order.everything
    )
    return Changed(
        changed=service.change_many(
            session,
            workspace_id=workspace_id,
            project_id=project_id,
            text_ids=chosen,
            included=order.included,
            channel=order.channel,
            language=order.language,
            personal=order.personal_data,
        )
    )


@router.post("/projects/{project_id}/voice/texts/delete", summary="Delete several texts")
@audited("text.deleted")
def delete_texts(session: WriteSession, visitor: Editor, project_id: RowId, order: ManyIds) -> Changed:
    """The texts are removed permanently after a week."""
    count, _ = service.delete_samples(
        session, workspace_id=visitor.workspace.id, project_id=project_id, text_ids=order.ids
    )
    return Changed(changed=count)


@router.get("/voice/texts/{text_id}", summary="Get a text")
def get_text(session: ReadSession, visitor: Viewer, text_id: RowId) -> TextOut:
    return _one(session, visitor.workspace.id, text_id)


@router.patch("/voice/texts/{text_id}", summary="Change a text")
@audited("text.changed")
def change_text(session: WriteSession, visitor: Editor, text_id: RowId, change: TextChange) -> TextOut:
    service.change(
        session,
        workspace_id=visitor.workspace.id,
        text_id=text_id,
        wanted=service.Change(**change.model_dump()),
    )
    return _one(session, visitor.workspace.id, text_id)


@router.delete("/voice/texts/{text_id}", status_code=204, summary="Delete a text")
@audited("text.deleted")
def delete_text(session: WriteSession, visitor: Editor, text_id: RowId) -> Response:
    row = queries.sample(session, workspace_id=visitor.workspace.id, text_id=text_id)
    service.delete_samples(session, workspace_id=visitor.workspace.id, project_id=row.project_id, text_ids=[text_id])
    return Response(status_code=204)


@router.post("/projects/{project_id}/voice/lines", summary="Decide what happens to a line repeated in many texts")
@audited("line.decided")
def decide_line(session: WriteSession, visitor: Editor, project_id: RowId, order: LineChoice) -> Changed:
    """`cut`: training does not read the line; `keep`: the line stays; `exclude`: texts with the line are excluded;
    `undecided`: as before."""
    return Changed(
        changed=service.decide_line(
            session, workspace_id=visitor.workspace.id, project_id=project_id, line=order.line, choice=order.choice
        )
    )


@router.get(
    "/projects/{project_id}/voice/training-set.jsonl",
    summary="Download the training texts",
    response_class=StreamingResponse,
    responses=JSONL,
)
def download_training_set(session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    """One conversation per line, in the format that other training tools read."""
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    samples = queries.training_set(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return StreamingResponse(exports.conversation_lines(samples), media_type="application/jsonl")


@router.get("/projects/{project_id}/voice/style-guide", summary="Get a style guide made from the texts")
def get_style_guide(
    session: ReadSession, visitor: Viewer, project_id: RowId, language: Language = "en"
) -> StyleGuideOut:
    """A guide for the system prompt of a language model without training. Empty if the brand has no texts."""
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    samples = queries.training_set(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return StyleGuideOut(language=language, text=style_guide(samples, language))
