"""Orders for pictures, as JSON."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from app.base_models.catalogue import Quantization
from app.base_models.told_words import ToldWord
from app.generations import queries, requests, schedulers, service
from app.generations.channels import CHANNEL_KEYS, CHANNELS
from app.generations.enlarging.steps import EnlargementStep, read_kept
from app.generations.forms import Count, Guidance, Seed, Steps, Strength
from app.generations.models import Generation
from app.generations.planner import DrawingPlan
from app.generations.recipe import GenerationRecipe
from app.generations.requests import AdapterRef, GenerationRequest
from app.generations.start_pictures.files import LONGEST_MASK, Rectangle
from app.generations.start_pictures.service import StartChoice
from app.jobs.api import OLD, JobOut
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.paging import Cursor, from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import RowId, Text

router = APIRouter(tags=["Generations"], route_class=DeferredRoute)


class AdapterChoice(JsonBody):
    """An adapter to draw with."""

    adapter_id: RowId
    strength: Strength | None = Field(None, description="Left out: the adapter's recommended strength.")


class StartRectangle(JsonBody):
    """A part of the start picture, in percent of its sides."""

    left: float = Field(ge=0, le=100)
    top: float = Field(ge=0, le=100)
    width: float = Field(gt=0, le=100)
    height: float = Field(gt=0, le=100)


class StartOptions(JsonBody):
    """A picture to start from, and with a mask the part of it that changes."""

    start_id: RowId = Field(description="Of a start picture, see ``POST /projects/{id}/starts``.")
    strength: float | None = Field(
        None, gt=0, le=1, description="Share of the denoising: small stays close. Left out: 0.6, with a mask 0.95."
    )
    mask: str | None = Field(
        None,
        max_length=LONGEST_MASK,
        description="A PNG in base64: white counts as painted; of a transparent one what is not transparent.",
    )
    rectangle: StartRectangle | None = Field(None, description="In place of a mask: this part counts as painted.")
    mask_keeps: bool = Field(
        False, description="False: what is painted is drawn anew. True: it stays to the pixel, all else is drawn anew."
    )

    def choice(self) -> StartChoice:
        rectangle = None if self.rectangle is None else Rectangle(**self.rectangle.model_dump())
        mask = rectangle if self.mask is None else self.mask
        return StartChoice(self.start_id, mask, self.mask_keeps, self.strength)


class NewGeneration(JsonBody):
    """What to draw. A prompt alone is enough."""

    prompt: Text = Field(max_length=2000, description="Missing trigger words are put in front.")
    negative_prompt: Text = Field("", max_length=2000)
    adapters: list[AdapterChoice] | None = Field(
        None,
        max_length=requests.MOST_ADAPTERS,
        description="Left out: the brand's newest adapter, or none with ``base_model``. Empty: the base model alone.",
    )
    base_model: str | None = Field(
        None,
        max_length=80,
        description="Key of the base model to draw with where there are no adapters, which draw on their own alone. "
        "Left out: the first one.",
    )
    channel: str = Field(
        requests.DEFAULT_CHANNEL, max_length=20, description="One of: " + ", ".join(CHANNEL_KEYS) + "."
    )
    count: Count = requests.DEFAULT_COUNT
    seed: Seed = Field(None, description="Left out: a random one.")
    steps: Steps = Field(None, description="Left out: the base model's own.")
    guidance_scale: Guidance = Field(None, description="Left out: the base model's own.")
    scheduler: str = Field(
        schedulers.OWN,
        max_length=40,
        description="The sampler: default (the base model's own), "
        + ", ".join(f"{one.key}{'' if one.for_flow else ' (not for flow models)'}" for one in schedulers.SCHEDULERS)
        + ".",
    )
    quantization: Quantization | None = Field(
        None, description="How the base is held: as it is, in 8 or in 4 bits. Left out: what fits the card that draws."
    )
    campaign_id: RowId | None = Field(None, description="The campaign that the pictures land in.")

    start: StartOptions | None = Field(None, description="Left out: from noise alone.")

    def generation_request(self) -> GenerationRequest:
        adapters: tuple[AdapterRef, ...] | None = None if self.base_model is None else ()
        if self.adapters is not None:
            chosen = {one.adapter_id: one.strength for one in reversed(self.adapters)}
            adapters = tuple(AdapterRef(one, chosen[one]) for one in reversed(chosen))
        return GenerationRequest(
            prompt=self.prompt,
            adapters=adapters,
            base_model=self.base_model,
            channel=self.channel,
            count=self.count,
            seed=self.seed,
            negative_prompt=self.negative_prompt,
            steps=self.steps,
            guidance_scale=self.guidance_scale,
            scheduler=self.scheduler,
            quantization=self.quantization,
        )


class Variations(JsonBody):
    """How many pictures like one."""

    count: Count = requests.DEFAULT_COUNT


class Strengths(JsonBody):
    """Multipliers of every adapter's strength; 0 is the base model alone. ``[0, 1]`` compares without and with."""

    strengths: Annotated[list[Strength], Field(min_length=1, max_length=8)] = list(requests.STRIP_STRENGTHS)  # noqa: RUF012 - copied for each


class Progress(BaseModel, defer_build=True):
    """The old form of ``job`` and ``ahead``."""

    job_id: str
    state: str = Field(description="queued, running, done, failed or cancelled")
    phase: str
    done: int = Field(description="Denoising steps of all pictures so far.")
    total: int
    seconds_left: float | None
    ahead: int | None = Field(description="While queued: how many orders run or wait before this one.")
    error_code: str | None
    error: str | None


class FinishedOutput(BaseModel, defer_build=True):
    """A finished picture; ``/api/v1/outputs/{id}`` tells all of it."""

    id: str
    position: int
    seed: int
    strength: float = Field(description="The multiplier of a strip; 1 outside one.")
    width: int
    height: int
    sha256: str
    in_gallery: bool = Field(description="False for a picture of a comparison that nobody has kept in the gallery.")
    picture_url: str


class Drawing(BaseModel, defer_build=True):
    """How the memory of the card that draws is used."""

    device: str
    quantization: Quantization
    offload: Literal["none", "models", "blocks"] = Field(
        description="What leaves the card while it is not needed: nothing, whole models, or blocks of the denoiser too."
    )
    at_once: int = Field(description="Pictures drawn together.")
    tiled: bool = Field(description="Whether the autoencoder works in tiles.")
    memory_bytes: int = Field(description="Predicted at most.")
    told: list[str] = Field(description="Why so, and what changed when the memory ran out all the same.")


class GenerationOut(BaseModel, defer_build=True):
    """An order, frozen when it was given, and what has come of it."""

    id: str
    project_id: str
    kind: str = Field(description="``pictures``, ``strip`` (one seed at several strengths), or ``enlargement``.")
    channel: str
    recipe: GenerationRecipe
    words: list[ToldWord] = Field(
        description="What the base model does not know of the prompt; empty where nobody has said what it knows."
    )
    drawing: Drawing | None = Field(description="None before it is drawn, and where there is nothing to plan.")
    source_output_id: str | None
    enlargements: list[EnlargementStep] = Field(
        description="Each time that its picture was enlarged after it was drawn, the first one first."
    )
    campaign_id: str | None
    created_at: datetime
    job: JobOut = Field(description="Its progress counts denoising steps of all pictures.")
    ahead: int | None = Field(description="While queued: how many jobs run or wait before this one.")
    progress: Progress = Field(json_schema_extra=OLD)
    outputs: list[FinishedOutput]


class GenerationPage(BaseModel, defer_build=True):
    """Orders, the newest first."""

    items: list[GenerationOut]
    next: str | None


def _drawing(plan: DrawingPlan | None) -> Drawing | None:
    if plan is None:
        return None
    return Drawing(
        device=plan.device,
        quantization=plan.quantization,
        offload=plan.offload,
        at_once=plan.at_once,
        tiled=plan.tiled,
        memory_bytes=plan.memory_bytes,
        told=[text % facts for text, facts in plan.sentences],
    )


def _out(view: queries.GenerationView) -> GenerationOut:
    generation, job = view.generation, view.job
    return GenerationOut(
        id=generation.id,
        project_id=generation.project_id,
        kind=generation.kind,
        channel=generation.channel,
        recipe=view.recipe,
        words=list(view.words),
        drawing=_drawing(view.drawing),
        source_output_id=generation.source_output_id,
        enlargements=list(read_kept(generation.enlargements)),
        campaign_id=generation.campaign_id,
        created_at=generation.created_at,
        job=JobOut.of(job),
        ahead=view.waiting.ahead if view.waiting else None,
        progress=Progress(
            job_id=job.id,
            state=job.state,
            phase=job.phase,
            done=job.progress_done,
            total=job.progress_total,
            seconds_left=job.seconds_left,
            ahead=view.waiting.ahead if view.waiting else None,
            error_code=job.error_code,
            error=job.error_sentence,
        ),
        outputs=[
            FinishedOutput(
                id=output.id,
                position=output.position,
                seed=output.seed,
                strength=output.strength,
                width=output.width,
                height=output.height,
                sha256=output.sha256,
                in_gallery=output.in_gallery,
                picture_url=f"/api/v1/outputs/{output.id}/picture",
            )
            for output in view.outputs
        ],
    )


def told(session: WriteSession, generation: Generation) -> GenerationOut:
    """A new order, as its answer tells it."""
    return _out(queries.views(session, [generation])[0])


@router.post("/projects/{project_id}/generations", status_code=201, summary="Request pictures")
@audited("generation.ordered")
def create(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    storage: FileStorage,
    project_id: RowId,
    wanted: NewGeneration,
) -> GenerationOut:
    """Pictures are drawn one by one; poll the generation until the state of its job is ``done``."""
    requested = service.order_pictures(
        session,
        request.app.state.database,
        storage,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        user_id=visitor.user.id,
        request=wanted.generation_request(),
        start=wanted.start.choice() if wanted.start else StartChoice(),
        campaign_id=wanted.campaign_id,
    )
    return told(session, requested.generation)


@router.get("/generations", summary="List requests")
def list_generations(
    session: ReadSession,
    visitor: Viewer,
    project_id: Annotated[RowId | None, Query(description="Only those of this brand.")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
) -> GenerationPage:
    found = queries.recent(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        before=from_cursor(cursor),
        limit=limit,
    )
    shown, more = split(found, limit)
    return GenerationPage(items=[_out(view) for view in queries.views(session, shown)], next=more)


@router.get("/generations/{generation_id}", summary="Get a request with its progress and pictures")
def get_generation(session: ReadSession, visitor: Viewer, generation_id: RowId) -> GenerationOut:
    return _out(queries.view(session, workspace_id=visitor.workspace.id, generation_id=generation_id))


@router.post("/generations/{generation_id}/cancel", summary="Stop a request; finished pictures stay")
@audited("generation.cancelled")
def cancel(session: WriteSession, visitor: Editor, generation_id: RowId) -> GenerationOut:
    service.cancel(session, workspace_id=visitor.workspace.id, generation_id=generation_id)
    return _out(queries.view(session, workspace_id=visitor.workspace.id, generation_id=generation_id))


@router.post("/generations/{generation_id}/again", status_code=201, summary="Repeat a request")
@audited("generation.ordered")
def again(session: WriteSession, visitor: Editor, generation_id: RowId) -> GenerationOut:
    """The repeat uses a new seed if the request has already delivered its pictures."""
    generation = service.again(
        session, workspace_id=visitor.workspace.id, generation_id=generation_id, user_id=visitor.user.id
    )
    return told(session, generation)


@router.post("/outputs/{output_id}/more-like-this", status_code=201, summary="Request pictures like this one")
@audited("generation.ordered")
def more_like_this(session: WriteSession, visitor: Editor, output_id: RowId, wanted: Variations) -> GenerationOut:
    generation = service.more_like(
        session,
        workspace_id=visitor.workspace.id,
        output_id=output_id,
        user_id=visitor.user.id,
        count=wanted.count,
    )
    return told(session, generation)


@router.post("/outputs/{output_id}/strip", status_code=201, summary="Request this picture at several strengths")
@audited("generation.ordered")
def strip(session: WriteSession, visitor: Editor, output_id: RowId, wanted: Strengths) -> GenerationOut:
    generation = service.strip(
        session,
        workspace_id=visitor.workspace.id,
        output_id=output_id,
        user_id=visitor.user.id,
        strengths=tuple(wanted.strengths),
    )
    return told(session, generation)


class ChannelOut(BaseModel, defer_build=True):
    """A format: ``across`` to ``down`` is its proportion."""

    key: str
    name: str
    across: int
    down: int


class ChannelList(BaseModel, defer_build=True):
    """Every format."""

    items: list[ChannelOut]
    next: str | None = None


@router.get("/channels", summary="List the formats that can be requested")
def list_channels(visitor: Viewer) -> ChannelList:
    return ChannelList(
        items=[ChannelOut(key=one.key, name=one.name, across=one.across, down=one.down) for one in CHANNELS]
    )
