"""Texts and rules for texts, as JSON."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.db import now
from app.generations.forms import Seed
from app.jobs.api import OLD, JobOut
from app.projects import queries as projects
from app.sign_off.api import HistoryOut, VerdictOut
from app.sign_off.forms import Reason
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.paging import Cursor, from_cursor, split
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import RowId, Text
from app.writings import channels, exports, queries, requests, service
from app.writings.checks import Rules
from app.writings.filters import Review
from app.writings.forms import Audience, Brief, ExportQuery, Language, Length, TextPageQuery, Tone, VariantCount
from app.writings.recipe import Arm, WritingOrder
from app.writings.routes import change_text, request_texts, texts_to_export, words_in

router = APIRouter(tags=["Texts"], route_class=DeferredRoute)


class NewWriting(JsonBody):
    """What to write. A brief alone is enough."""

    brief: Brief = Field(
        min_length=1, description="What the text should be about; with a voice of plain texts, how it begins."
    )
    channel: str = Field(
        channels.DEFAULT_CHANNEL, max_length=20, description="One of: " + ", ".join(channels.CHANNEL_KEYS) + "."
    )
    language: Language = "en"
    audience: Audience = ""
    tone: Tone = ""
    length: Length = "usual"
    count: VariantCount = Field(requests.DEFAULT_COUNT, description="Variants of each arm.")
    seed: Seed = Field(None, description="Left out: a random one.")
    adapter_id: RowId | None = Field(None, description="Left out: the brand's newest voice.")
    without_voice: bool = Field(False, description="True: the base model alone, bare and with a style guide.")
    base_model: str | None = Field(
        None,
        max_length=80,
        description="Where no voice writes. Left out: the first that is ready and knows the language.",
    )
    campaign_id: RowId | None = None
    output_id: RowId | None = Field(None, description="The visual that the text is for.")

    def writing_request(self) -> requests.WritingRequest:
        return requests.WritingRequest(
            brief=self.brief,
            channel=self.channel,
            language=self.language,
            audience=self.audience,
            tone=self.tone,
            length=self.length,
            count=self.count,
            seed=self.seed,
            adapter_id=None if self.without_voice else self.adapter_id or requests.NEWEST,
            base_model=self.base_model,
            campaign_id=self.campaign_id,
            output_id=self.output_id,
        )


class FindingOut(BaseModel, defer_build=True):
    """What a rule has against a text. ``start`` and ``end`` are characters; the same where it is about all of it."""

    kind: str
    level: Literal["problem", "hint"]
    sentence: str
    start: int
    end: int


class VariantOut(BaseModel, defer_build=True):
    """A text. ``text`` is what counts: a person's wording where there is one, else the model's."""

    id: str
    writing_id: str
    project_id: str
    arm: Arm = Field(description="``adapter``, ``prompted_base`` or ``base``.")
    position: int
    text: str
    written: str = Field(description="As the model wrote it.")
    finished: bool
    tokens: int
    seconds: float
    favourite: bool
    review: Review
    verdict: VerdictOut | None = Field(description="What is in force; null where nobody has judged it.")
    findings: list[FindingOut]
    created_at: datetime


class VariantPage(BaseModel, defer_build=True):
    """Texts, the newest first."""

    items: list[VariantOut]
    next: str | None


class WritingProgress(BaseModel, defer_build=True):
    """The old form of ``job`` and ``written``."""

    job_id: str
    state: str = Field(description="queued, running, done, failed or cancelled")
    phase: str
    written: int = Field(description="Texts that are finished.")
    total: int
    error_code: str | None
    error: str | None


class WritingOut(BaseModel, defer_build=True):
    """An order, frozen when it was given, and what has come of it."""

    id: str
    project_id: str
    brief: str
    channel: str
    language: str
    audience: str
    tone: str
    length: str
    seed: int
    count: int
    adapter_id: str | None
    campaign_id: str | None
    output_id: str | None
    order: WritingOrder = Field(description="What each arm is asked, word for word.")
    created_at: datetime
    job: JobOut
    written: int = Field(description="Texts that are finished.")
    progress: WritingProgress = Field(json_schema_extra=OLD)
    variants: list[VariantOut]


class WritingPage(BaseModel, defer_build=True):
    """Orders, the newest first."""

    items: list[WritingOut]
    next: str | None


class VariantChanges(JsonBody):
    """What to change; what is left out stays. ``text`` null brings the model's own wording back."""

    favourite: bool | None = None
    review: Review | None = None
    reason: Reason = Field("", description="Why; kept with ``review``.")
    text: Annotated[Text | None, Field(min_length=1)] = None


class NewRules(JsonBody, Rules):
    """What a brand's texts must hold to."""


class RulesOut(BaseModel, defer_build=True):
    """A brand's rules for texts."""

    project_id: str
    rules: Rules


def _variant(view: queries.VariantView) -> VariantOut:
    row = view.variant
    return VariantOut(
        id=row.id,
        writing_id=row.writing_id,
        project_id=row.project_id,
        arm=row.arm,
        position=row.position,
        text=row.current,
        written=row.text,
        finished=row.finished,
        tokens=row.tokens,
        seconds=row.seconds,
        favourite=row.favourite,
        review=row.review,
        verdict=VerdictOut.of(view.verdict),
        findings=[
            FindingOut(
                kind=one.kind,
                level=one.level,
                sentence=translate("en", one.sentence, **one.params),
                start=one.start,
                end=one.end,
            )
            for one in view.findings
        ],
        created_at=row.created_at,
    )


def _out(view: queries.WritingView) -> WritingOut:
    writing, job = view.writing, view.job
    return WritingOut(
        id=writing.id,
        project_id=writing.project_id,
        brief=writing.brief,
        channel=writing.channel,
        language=writing.language,
        audience=writing.audience,
        tone=writing.tone,
        length=writing.length,
        seed=writing.seed,
        count=writing.count,
        adapter_id=writing.adapter_id,
        campaign_id=writing.campaign_id,
        output_id=writing.output_id,
        order=view.order,
        created_at=writing.created_at,
        job=JobOut.of(job),
        written=view.written,
        progress=WritingProgress(
            job_id=job.id,
            state=job.state,
            phase=job.phase,
            written=view.written,
            total=len(view.variants),
            error_code=job.error_code,
            error=job.error_sentence,
        ),
        variants=[_variant(one) for one in view.variants],
    )


@router.post("/projects/{project_id}/writings", status_code=201, summary="Request texts")
@audited("writing.ordered")
def create(
    reading: ReadSession, session: WriteSession, visitor: Editor, project_id: RowId, wanted: NewWriting
) -> WritingOut:
    """Up to three arms write for every brief; poll the request until the state of its job is ``done``."""
    writing = request_texts(reading, session, visitor, project_id, wanted.writing_request())
    return _out(queries.view(session, workspace_id=visitor.workspace.id, writing_id=writing.id))


@router.get("/writings", summary="List text requests")
def list_writings(
    session: ReadSession,
    visitor: Viewer,
    project_id: Annotated[RowId | None, Query(description="Only those of this brand.")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> WritingPage:
    found = queries.recent(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        before=from_cursor(cursor),
        limit=limit,
    )
    shown, more = split(found, limit)
    return WritingPage(items=[_out(view) for view in queries.views(session, shown)], next=more)


@router.get("/writings/{writing_id}", summary="Get a text request with its progress and texts")
def get_writing(session: ReadSession, visitor: Viewer, writing_id: RowId) -> WritingOut:
    return _out(queries.view(session, workspace_id=visitor.workspace.id, writing_id=writing_id))


@router.post("/writings/{writing_id}/cancel", summary="Stop a text request; finished texts stay")
@audited("writing.cancelled")
def cancel(session: WriteSession, visitor: Editor, writing_id: RowId) -> WritingOut:
    service.cancel(session, workspace_id=visitor.workspace.id, writing_id=writing_id)
    return _out(queries.view(session, workspace_id=visitor.workspace.id, writing_id=writing_id))


@router.post("/writings/{writing_id}/again", status_code=201, summary="Repeat a request")
@audited("writing.ordered")
def again(session: WriteSession, visitor: Editor, writing_id: RowId) -> WritingOut:
    """The repeat uses a new seed if the request has already delivered its texts."""
    writing = service.again(session, workspace_id=visitor.workspace.id, writing_id=writing_id, user_id=visitor.user.id)
    return _out(queries.view(session, workspace_id=visitor.workspace.id, writing_id=writing.id))


@router.get("/variants", summary="Find texts")
def list_variants(session: ReadSession, visitor: Viewer, asked: Annotated[TextPageQuery, Query()]) -> VariantPage:
    found = queries.texts(
        session,
        workspace_id=visitor.workspace.id,
        filters=asked.filters(),
        before=from_cursor(asked.cursor),
        limit=asked.limit,
    )
    shown, more = split(found, asked.limit)
    return VariantPage(items=[_variant(one) for one in queries.variant_views(session, shown)], next=more)


@router.get(
    "/variants/export",
    summary="Export texts as a table or document",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}, exports.DOCX_TYPE: {}}}},
)
def export(session: ReadSession, visitor: Viewer, asked: Annotated[ExportQuery, Query()]) -> Response:
    """The newest texts that match the filters."""
    texts = texts_to_export(session, visitor, asked.filters())
    if asked.kind == "docx":
        return Response(exports.as_docx(texts, words_in("en"), when=now()), media_type=exports.DOCX_TYPE)
    return Response(exports.as_csv(texts, words_in("en")), media_type=exports.CSV_TYPE)


@router.get("/variants/{variant_id}", summary="Get one text")
def get_variant(session: ReadSession, visitor: Viewer, variant_id: RowId) -> VariantOut:
    return _variant(queries.variant_view(session, workspace_id=visitor.workspace.id, variant_id=variant_id))


@router.get("/variants/{variant_id}/history", summary="Show who approved or rejected a text, and why")
def get_history(session: ReadSession, visitor: Viewer, variant_id: RowId) -> HistoryOut:
    return HistoryOut.of_all(queries.history(session, workspace_id=visitor.workspace.id, variant_id=variant_id))


@router.patch("/variants/{variant_id}", summary="Review and edit a text")
@audited("variant.changed")
def change_variant(
    reading: ReadSession, session: WriteSession, visitor: Editor, variant_id: RowId, changes: VariantChanges
) -> VariantOut:
    """The model's wording is kept alongside a person's wording."""
    workspace_id = visitor.workspace.id
    if "text" in changes.model_fields_set:
        change_text(reading, session, visitor, variant_id, changes.text)
    service.change(
        session,
        workspace_id=workspace_id,
        variant_id=variant_id,
        favourite=changes.favourite,
        review=changes.review,
        user_id=visitor.user.id,
        reason=changes.reason,
    )
    return _variant(queries.variant_view(session, workspace_id=workspace_id, variant_id=variant_id))


@router.get("/projects/{project_id}/text-rules", summary="Get a brand's rules for texts")
def get_rules(session: ReadSession, visitor: Viewer, project_id: RowId) -> RulesOut:
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return RulesOut(project_id=project.id, rules=queries.rules_of(session, [project.id])[project.id])


@router.put("/projects/{project_id}/text-rules", summary="Replace a brand's rules for texts")
@audited("text_rules.changed")
def put_rules(session: WriteSession, visitor: Editor, project_id: RowId, wanted: NewRules) -> RulesOut:
    """Existing texts are checked against the new rules from now on; none is changed."""
    row = service.set_rules(session, workspace_id=visitor.workspace.id, project_id=project_id, rules=wanted)
    return RulesOut(project_id=row.project_id, rules=wanted)
