"""Trainings as JSON: plan, order, watch, cancel."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from app.jobs.api import JobOut
from app.projects import queries as projects
from app.trainings import queries, service
from app.trainings.look.estimate import Estimate
from app.trainings.look.forms import CleanChoices
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import Training
from app.trainings.rows import PAGE
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.files import send
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Trainings"], route_class=DeferredRoute)


class Choices(JsonBody, CleanChoices):
    """What to learn. Every field that is left out takes what fits the purpose, the base and the pictures."""


class NewTraining(Choices):
    """What to learn. Every field that is left out takes what fits the purpose, the base and the pictures."""

    order_id: RowId | None = None
    """An id of your own (32 hexadecimal digits) that makes it safe to send the same order twice."""


class PlanOut(BaseModel, defer_build=True):
    """What a training would do and take."""

    recipe: TrainingRecipe
    picture_count: int
    estimate: Estimate
    warnings: list[str]
    possible: bool


class TrainingOut(BaseModel, defer_build=True):
    """An ordered training and how far it is."""

    id: str
    project_id: str
    purpose: str
    base_model: str
    recipe: TrainingRecipe
    picture_count: int
    estimate: Estimate
    created_at: datetime
    seconds_per_step: float | None
    """Measured; null until it has ended."""
    peak_memory_bytes: int | None
    device: str | None
    precision: str | None
    """What it was computed in: ``bfloat16``, ``float16`` or ``float32``; null until it has left an adapter."""
    skipped_steps: int | None
    """Steps left out because their gradient was too large for float16."""
    adapter_id: str | None
    """The adapter that it left."""
    job: JobOut


class TrainingList(BaseModel, defer_build=True):
    items: list[TrainingOut]
    next: str | None


class LossOut(BaseModel, defer_build=True):
    """Mean loss over the steps up to this one."""

    step: int
    loss: float
    learning_rate: float


class SampleOut(BaseModel, defer_build=True):
    """A picture drawn while training; step 0 is the base alone."""

    id: str
    step: int
    position: int
    prompt: str
    seed: int
    width: int
    height: int
    url: str


class CourseOut(BaseModel, defer_build=True):
    """What was measured and drawn so far."""

    losses: list[LossOut]
    samples: list[SampleOut]


def _out(session: ReadSession, rows: list[Training]) -> list[TrainingOut]:
    return [
        TrainingOut(
            id=view.training.id,
            project_id=view.training.project_id,
            purpose=view.training.purpose,
            base_model=view.training.base_model,
            recipe=view.recipe,
            picture_count=len(view.training.pictures),
            estimate=view.estimate,
            created_at=view.training.created_at,
            seconds_per_step=view.training.seconds_per_step,
            peak_memory_bytes=view.training.peak_memory_bytes,
            device=view.training.device,
            precision=view.adapter.facts.get("precision") if view.adapter is not None else None,
            skipped_steps=view.adapter.facts.get("skipped_steps") if view.adapter is not None else None,
            adapter_id=view.adapter.id if view.adapter is not None else None,
            job=JobOut.of(view.job),
        )
        for view in queries.views(session, rows)
    ]


@router.get("/projects/{project_id}/trainings", summary="List a brand's trainings")
def of_project(
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> TrainingList:
    """The newest first."""
    workspace_id = visitor.workspace.id
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    found = queries.of_project(session, workspace_id=workspace_id, project_id=project_id, before=from_cursor(cursor))
    shown, more = found[:PAGE], found[PAGE:]
    following = to_cursor(shown[-1].created_at, shown[-1].id) if more else None
    return TrainingList(items=_out(session, shown), next=following)


@router.post("/projects/{project_id}/trainings/plan", summary="Plan a training")
def plan(session: ReadSession, visitor: Viewer, project_id: RowId, choices: Choices) -> PlanOut:
    """Recipe, estimate and warnings for the brand's pictures as they are now. Orders nothing."""
    found = service.plan_training(
        session, workspace_id=visitor.workspace.id, project_id=project_id, choices=choices, to_the_letter=True
    )
    return PlanOut(
        recipe=found.recipe,
        picture_count=len(found.pictures),
        estimate=found.estimate,
        warnings=[translate(visitor.user.locale, warning.msgid, **warning.params) for warning in found.warnings],
        possible=found.is_possible,
    )


@router.post("/projects/{project_id}/trainings", summary="Start a training", status_code=201)
@audited("training.started")
def start(session: WriteSession, visitor: Editor, project_id: RowId, choices: NewTraining) -> TrainingOut:
    """Freeze the brand's included pictures and the recipe, and queue the job."""
    given = service.start_training(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        choices=choices,
        created_by=visitor.user.id,
        order_id=choices.order_id,
        to_the_letter=True,
    )
    return _out(session, [given])[0]


@router.get("/trainings/{training_id}", summary="Get a training")
def show(session: ReadSession, visitor: Viewer, training_id: RowId) -> TrainingOut:
    given = queries.training(session, workspace_id=visitor.workspace.id, training_id=training_id)
    return _out(session, [given])[0]


@router.get("/trainings/{training_id}/course", summary="Get losses and samples")
def course(session: ReadSession, visitor: Viewer, training_id: RowId) -> CourseOut:
    """The loss curve and the sample pictures so far."""
    given = queries.training(session, workspace_id=visitor.workspace.id, training_id=training_id)
    return CourseOut(
        losses=[
            LossOut(step=point.step, loss=point.loss, learning_rate=point.learning_rate)
            for point in queries.loss_points(session, given.id)
        ],
        samples=[
            SampleOut(
                id=one.id,
                step=one.step,
                position=one.position,
                prompt=one.prompt,
                seed=one.seed,
                width=one.width,
                height=one.height,
                url=f"/api/v1/trainings/{given.id}/samples/{one.id}",
            )
            for one in queries.samples(session, given.id)
        ],
    )


@router.get("/trainings/{training_id}/samples/{sample_id}", summary="Get a sample picture", response_class=Response)
def sample(
    session: ReadSession, visitor: Viewer, storage: FileStorage, training_id: RowId, sample_id: RowId
) -> Response:
    """A WebP picture."""
    found = queries.sample(session, workspace_id=visitor.workspace.id, training_id=training_id, sample_id=sample_id)
    return send(storage, found.key, "image/webp")


@router.post("/trainings/{training_id}/cancel", summary="Cancel a training")
@audited("training.cancelled")
def cancel(session: WriteSession, visitor: Editor, training_id: RowId) -> TrainingOut:
    """A queued one ends at once; a running one stops at its next step and keeps what it has learned as an adapter."""
    given = service.cancel_training(session, workspace_id=visitor.workspace.id, training_id=training_id)
    return _out(session, [given])[0]
