"""Trainings of a voice as JSON: plan, order, watch, read the measures, cancel."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.jobs.api import JobOut
from app.projects import queries as projects
from app.trainings import queries
from app.trainings.api import LossOut
from app.trainings.look.estimate import Estimate
from app.trainings.models import Training
from app.trainings.rows import PAGE
from app.trainings.voice import queries as voice_queries
from app.trainings.voice import service as voice_service
from app.trainings.voice.choices import VoiceChoices
from app.trainings.voice.measures import Measures
from app.trainings.voice.recipe import VoiceRecipe
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Trainings of a voice"], route_class=DeferredRoute)


class VoicePlanChoices(JsonBody, VoiceChoices):
    """What to learn. Every field that is left out takes what fits the base and the number of texts."""


class NewVoiceTraining(VoicePlanChoices):
    """Every field that is left out takes what fits the base and the number of texts."""

    order_id: RowId | None = None
    """An id of your own (32 hexadecimal digits) that makes it safe to send the same order twice."""


class VoicePlanOut(BaseModel, defer_build=True):
    """What a training would do and take."""

    recipe: VoiceRecipe
    sample_count: int
    held_out_count: int
    language: str
    style_guide: str
    estimate: Estimate
    warnings: list[str]
    possible: bool


class VoiceTrainingOut(BaseModel, defer_build=True):
    """An ordered training of a voice and how far it is."""

    id: str
    project_id: str
    base_model: str
    recipe: VoiceRecipe
    sample_count: int
    held_out_count: int
    estimate: Estimate
    created_at: datetime
    seconds_per_step: float | None
    peak_memory_bytes: int | None
    device: str | None
    precision: str | None
    """What it was computed in: ``bfloat16``, ``float16`` or ``float32``; null until it has left an adapter."""
    skipped_steps: int | None
    """Steps left out because their gradient was too large for float16."""
    measures: Measures | None
    """On the texts kept back; null until it has ended."""
    adapter_id: str | None
    job: JobOut


class VoiceTrainingList(BaseModel, defer_build=True):
    items: list[VoiceTrainingOut]
    next: str | None


class HeldOutLossOut(BaseModel, defer_build=True):
    """Mean loss over the texts kept back; step 0 is the base alone."""

    step: int
    loss: float


class WrittenSampleOut(BaseModel, defer_build=True):
    """A text written while training; step 0 is the base alone."""

    step: int
    position: int
    brief: str
    seed: int
    text: str


class VoiceCourseOut(BaseModel, defer_build=True):
    """What was measured and written so far."""

    losses: list[LossOut]
    held_out: list[HeldOutLossOut]
    samples: list[WrittenSampleOut]


def _out(session: ReadSession, rows: list[Training]) -> list[VoiceTrainingOut]:
    return [
        VoiceTrainingOut(
            id=view.training.id,
            project_id=view.training.project_id,
            base_model=view.training.base_model,
            recipe=view.recipe,
            sample_count=len(view.voice.texts),
            held_out_count=len(view.voice.held_out),
            estimate=view.estimate,
            created_at=view.training.created_at,
            seconds_per_step=view.training.seconds_per_step,
            peak_memory_bytes=view.training.peak_memory_bytes,
            device=view.training.device,
            precision=view.adapter.facts.get("precision") if view.adapter is not None else None,
            skipped_steps=view.adapter.facts.get("skipped_steps") if view.adapter is not None else None,
            measures=view.measures,
            adapter_id=view.adapter.id if view.adapter is not None else None,
            job=JobOut.of(view.job),
        )
        for view in voice_queries.views(session, rows)
    ]


@router.get("/projects/{project_id}/voice-trainings", summary="List a brand's trainings of its voice")
def of_project(
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> VoiceTrainingList:
    """The newest first."""
    workspace_id = visitor.workspace.id
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    found = voice_queries.of_project(
        session, workspace_id=workspace_id, project_id=project_id, before=from_cursor(cursor)
    )
    shown, more = found[:PAGE], found[PAGE:]
    following = to_cursor(shown[-1].created_at, shown[-1].id) if more else None
    return VoiceTrainingList(items=_out(session, shown), next=following)


@router.post("/projects/{project_id}/voice-trainings/plan", summary="Plan a training of the voice")
def plan(session: ReadSession, visitor: Viewer, project_id: RowId, choices: VoicePlanChoices) -> VoicePlanOut:
    """Recipe, estimate, style guide and warnings for the brand's texts as they are now. Orders nothing."""
    found = voice_service.plan_voice(session, workspace_id=visitor.workspace.id, project_id=project_id, choices=choices)
    return VoicePlanOut(
        recipe=found.recipe,
        sample_count=len(found.voice.texts),
        held_out_count=len(found.voice.held_out),
        language=found.voice.language,
        style_guide=found.voice.style_guide,
        estimate=found.estimate,
        warnings=[translate(visitor.user.locale, warning.msgid, **warning.params) for warning in found.warnings],
        possible=found.is_possible,
    )


@router.post("/projects/{project_id}/voice-trainings", summary="Start a training of the voice", status_code=201)
@audited("voice_training.started")
def start(session: WriteSession, visitor: Editor, project_id: RowId, choices: NewVoiceTraining) -> VoiceTrainingOut:
    """Freeze the brand's included texts and the recipe, and queue the job."""
    given = voice_service.start_voice(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        choices=choices,
        created_by=visitor.user.id,
        order_id=choices.order_id,
    )
    return _out(session, [given])[0]


@router.get("/voice-trainings/{voice_training_id}", summary="Get a training of a voice")
def show(session: ReadSession, visitor: Viewer, voice_training_id: RowId) -> VoiceTrainingOut:
    """With what it measured on the texts kept back, once it has ended."""
    given = voice_queries.training(session, workspace_id=visitor.workspace.id, training_id=voice_training_id)
    return _out(session, [given])[0]


@router.get("/voice-trainings/{voice_training_id}/course", summary="Get losses and sample texts")
def course(session: ReadSession, visitor: Viewer, voice_training_id: RowId) -> VoiceCourseOut:
    """Both loss curves and the sample texts so far."""
    given = voice_queries.training(session, workspace_id=visitor.workspace.id, training_id=voice_training_id)
    return VoiceCourseOut(
        losses=[
            LossOut(step=point.step, loss=point.loss, learning_rate=point.learning_rate)
            for point in queries.loss_points(session, given.id)
        ],
        held_out=[
            HeldOutLossOut(step=point.step, loss=point.loss)
            for point in voice_queries.held_out_points(session, given.id)
        ],
        samples=[
            WrittenSampleOut(step=one.step, position=one.position, brief=one.brief, seed=one.seed, text=one.text)
            for one in voice_queries.texts(session, given.id)
        ],
    )


@router.post("/voice-trainings/{voice_training_id}/cancel", summary="Cancel a training of a voice")
@audited("voice_training.cancelled")
def cancel(session: WriteSession, visitor: Editor, voice_training_id: RowId) -> VoiceTrainingOut:
    """A queued one ends at once; a running one stops at its next step and keeps what it has learned as an adapter."""
    given = voice_service.cancel_voice(session, workspace_id=visitor.workspace.id, training_id=voice_training_id)
    return _out(session, [given])[0]
