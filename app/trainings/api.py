"""Trainings as JSON, for both kinds alike: plan, start, watch, cancel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from app.jobs.api import JobOut
from app.projects import queries as projects
from app.trainings import queries, service
from app.trainings.advice import Warning
from app.trainings.answers import (
    Choices,
    CourseOut,
    FindingOut,
    HeldOutLossOut,
    LossOut,
    NewTraining,
    NewVoiceTraining,
    PlanOut,
    SampleOut,
    TrainingList,
    TrainingOut,
    VoiceCourseOut,
    VoicePlanChoices,
    VoicePlanOut,
    VoiceTrainingList,
    VoiceTrainingOut,
    WrittenSampleOut,
)
from app.trainings.kind import AnyKind
from app.trainings.look import queries as look_queries
from app.trainings.look.kind import LOOK
from app.trainings.models import Training
from app.trainings.queries import PAGE
from app.trainings.views import TrainingView, views
from app.trainings.voice import queries as voice_queries
from app.trainings.voice.kind import VOICE
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import send
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.paging import from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)


@dataclass(frozen=True)
class Api:
    """Where one kind's trainings are, and what is sent and told of them."""

    kind: AnyKind
    path: str
    training_id: str
    """Parameter of its addresses."""
    event: str
    """What its events begin with."""
    tag: str
    named: str
    """What its summaries call one."""
    overrides: type[Any]
    new: type[Any]
    plan: type[Any]
    one: type[Any]
    many: type[Any]
    course: type[Any]
    of_plan: Callable[[service.TrainingPlan[Any, Any, Any]], dict[str, Any]]
    of_training: Callable[[TrainingView[Any, Any]], dict[str, Any]]
    of_course: Callable[[ReadSession, Training], dict[str, Any]]

    def out(self, session: ReadSession, rows: list[Training]) -> list[Any]:
        return [
            self.one(
                id=view.training.id,
                project_id=view.training.project_id,
                base_model=view.training.base_model,
                recipe=view.recipe,
                estimate=view.estimate,
                created_at=view.training.created_at,
                seconds_per_step=view.training.seconds_per_step,
                peak_memory_bytes=view.training.peak_memory_bytes,
                device=view.training.device,
                precision=view.adapter.facts.get("precision") if view.adapter is not None else None,
                skipped_steps=view.adapter.facts.get("skipped_steps") if view.adapter is not None else None,
                adapter_id=view.adapter.id if view.adapter is not None else None,
                job=JobOut.of(view.job),
                **self.of_training(view),
            )
            for view in views(session, self.kind, rows)
        ]


def _look_course(session: ReadSession, training: Training) -> dict[str, Any]:
    address = f"/api/v1/trainings/{training.id}/samples"
    return {
        "samples": [
            SampleOut(
                id=one.id,
                step=one.step,
                position=one.position,
                prompt=one.prompt,
                seed=one.seed,
                width=one.width,
                height=one.height,
                url=f"{address}/{one.id}",
            )
            for one in look_queries.samples(session, training.id)
        ]
    }


def _voice_course(session: ReadSession, training: Training) -> dict[str, Any]:
    return {
        "held_out": [
            HeldOutLossOut(step=point.step, loss=point.loss)
            for point in voice_queries.held_out_points(session, training.id)
        ],
        "samples": [
            WrittenSampleOut(step=one.step, position=one.position, brief=one.brief, seed=one.seed, text=one.text)
            for one in voice_queries.texts(session, training.id)
        ],
    }


LOOK_API = Api(
    kind=LOOK,
    path="trainings",
    training_id="training_id",
    event="training",
    tag="Trainings",
    named="training",
    overrides=Choices,
    new=NewTraining,
    plan=PlanOut,
    one=TrainingOut,
    many=TrainingList,
    course=CourseOut,
    of_plan=lambda plan: {"picture_count": len(plan.pictures)},
    of_training=lambda view: {"purpose": view.training.purpose, "picture_count": len(view.frozen)},
    of_course=_look_course,
)
VOICE_API = Api(
    kind=VOICE,
    path="voice-trainings",
    training_id="voice_training_id",
    event="voice_training",
    tag="Voice trainings",
    named="voice training",
    overrides=VoicePlanChoices,
    new=NewVoiceTraining,
    plan=VoicePlanOut,
    one=VoiceTrainingOut,
    many=VoiceTrainingList,
    course=VoiceCourseOut,
    of_plan=lambda plan: {
        "sample_count": len(plan.frozen.texts),
        "held_out_count": len(plan.frozen.held_out),
        "language": plan.frozen.language,
        "style_guide": plan.frozen.style_guide,
    },
    of_training=lambda view: {
        "sample_count": len(view.frozen.texts),
        "held_out_count": len(view.frozen.held_out),
        "measures": view.measures,
    },
    of_course=_voice_course,
)


def _finding(locale: str, warning: Warning) -> FindingOut:
    count = warning.params.get("count")
    sentence = translate(locale, warning.msgid, **warning.params)
    return FindingOut(
        key=warning.key, kind=warning.kind, sentence=sentence, count=None if count is None else int(count)
    )


def _add_before_the_start(api: Api) -> None:
    address, overrides_type, new_type = f"/projects/{{project_id}}/{api.path}", api.overrides, api.new

    @router.post(f"{address}/plan", summary=f"Plan a {api.named}", tags=[api.tag], response_model=api.plan)
    def plan(
        session: ReadSession,
        visitor: Viewer,
        project_id: RowId,
        overrides: overrides_type,  # type: ignore[valid-type]
    ) -> Any:
        """Recipe, estimate and warnings for the brand's current pictures or texts. Starts nothing."""
        found = service.plan_training(
            session,
            api.kind,
            workspace_id=visitor.workspace.id,
            project_id=project_id,
            overrides=overrides,
            to_the_letter=True,
        )
        findings = [_finding(visitor.user.locale, warning) for warning in found.warnings]
        return api.plan(
            recipe=found.recipe,
            estimate=found.estimate,
            warnings=[one.sentence for one in findings],
            findings=findings,
            possible=found.is_possible,
            **api.of_plan(found),
        )

    @router.post(address, summary=f"Start a {api.named}", tags=[api.tag], response_model=api.one, status_code=201)
    @audited(f"{api.event}.started")
    def start(
        session: WriteSession,
        visitor: Editor,
        project_id: RowId,
        overrides: new_type,  # type: ignore[valid-type]
    ) -> Any:
        """Freeze the recipe and the pictures or texts that the brand includes, and queue the job."""
        started = service.start_training(
            session,
            api.kind,
            workspace_id=visitor.workspace.id,
            project_id=project_id,
            overrides=overrides,
            created_by=visitor.user.id,
            order_id=overrides.order_id,  # type: ignore[attr-defined]
            to_the_letter=True,
        )
        return api.out(session, [started])[0]


def _add_after_the_start(api: Api) -> None:
    address = f"/{api.path}/{{{api.training_id}}}"

    @router.get(
        f"/projects/{{project_id}}/{api.path}",
        summary=f"List a brand's {api.named}s",
        tags=[api.tag],
        response_model=api.many,
    )
    def of_project(
        session: ReadSession,
        visitor: Viewer,
        project_id: RowId,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Any:
        """Newest first."""
        workspace_id = visitor.workspace.id
        projects.project(session, workspace_id=workspace_id, project_id=project_id)
        found = queries.of_project(
            session, api.kind, workspace_id=workspace_id, project_id=project_id, before=from_cursor(cursor)
        )
        shown, following = split(found, PAGE)
        return api.many(items=api.out(session, shown), next=following)

    @router.get(address, summary=f"Get a {api.named}", tags=[api.tag], response_model=api.one)
    def show(session: ReadSession, visitor: Viewer, training_id: Annotated[RowId, Path(alias=api.training_id)]) -> Any:
        """A training that has ended includes its measurements."""
        found = queries.training(session, api.kind, workspace_id=visitor.workspace.id, training_id=training_id)
        return api.out(session, [found])[0]

    @router.get(f"{address}/course", summary="Get losses and samples", tags=[api.tag], response_model=api.course)
    def course(
        session: ReadSession, visitor: Viewer, training_id: Annotated[RowId, Path(alias=api.training_id)]
    ) -> Any:
        """The loss curve and the samples so far; for a voice, also the loss on the texts set aside."""
        found = queries.training(session, api.kind, workspace_id=visitor.workspace.id, training_id=training_id)
        losses = [
            LossOut(step=point.step, loss=point.loss, learning_rate=point.learning_rate)
            for point in queries.loss_points(session, found.id)
        ]
        return api.course(losses=losses, **api.of_course(session, found))

    @router.post(f"{address}/cancel", summary=f"Cancel a {api.named}", tags=[api.tag], response_model=api.one)
    @audited(f"{api.event}.cancelled")
    def cancel(
        session: WriteSession, visitor: Editor, training_id: Annotated[RowId, Path(alias=api.training_id)]
    ) -> Any:
        """A queued training ends at once; a running one stops at its next step and keeps what it has learned."""
        found = service.cancel_training(session, api.kind, workspace_id=visitor.workspace.id, training_id=training_id)
        return api.out(session, [found])[0]


for _api in (LOOK_API, VOICE_API):
    _add_before_the_start(_api)
    _add_after_the_start(_api)


@router.get(
    "/trainings/{training_id}/samples/{sample_id}",
    summary="Get a sample picture",
    tags=[LOOK_API.tag],
    response_class=Response,
)
def sample(
    session: ReadSession, visitor: Viewer, storage: FileStorage, training_id: RowId, sample_id: RowId
) -> Response:
    """A WebP picture."""
    found = look_queries.sample(
        session, workspace_id=visitor.workspace.id, training_id=training_id, sample_id=sample_id
    )
    return send(storage, found.key, "image/webp")
