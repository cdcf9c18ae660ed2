"""What may happen with orders for pictures: they are frozen when given, and their results are new rows."""

from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.adapters.models import Adapter
from app.base_models import catalogue, told_words
from app.base_models import queries as base_models
from app.campaigns import queries as campaigns
from app.db import Database
from app.errors import NotFound
from app.generations import queries, requests
from app.generations.enlarging.service import EnlargementSpec, enlarge
from app.generations.enlarging.steps import read_kept
from app.generations.errors import NothingToCompare
from app.generations.models import Generation, Output
from app.generations.planner import DrawingPlan
from app.generations.prompts import folded
from app.generations.queries import GenerationSpec
from app.generations.recipe import GenerationRecipe
from app.generations.requests import GenerationRequest
from app.generations.seeds import random_seed
from app.generations.start_pictures import service as start_pictures
from app.generations.start_pictures.service import StartChoice
from app.jobs import claims, counters
from app.jobs import queries as job_queries
from app.jobs import service as jobs
from app.jobs.models import Job
from app.projects import queries as projects
from app.storage import Storage

KIND = "generation"


@dataclass(frozen=True)
class Requested:
    """A new generation, and the trigger words that were added to what the person wrote."""

    generation: Generation
    added_words: tuple[str, ...] = ()


def request_pictures(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    user_id: str | None,
    request: GenerationRequest,
    source_output_id: str | None = None,
    campaign_id: str | None = None,
) -> Requested:
    """Freeze a request and queue it. Its pictures land in the campaign, which must be of this workspace.

    Raises ``NotFound`` for another workspace's brand, ``EmptyPrompt``, ``PromptTooLong``, ``NoSuchChannel``,
    ``NoSuchAdapter``, ``TooManyAdapters``, ``MixedBases``, ``OtherBase``, ``OtherEdition``, ``UnknownBaseModel``,
    ``OtherScheduler``.
    """
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    if request.adapters is None:
        newest = queries.newest_adapter(session, workspace_id=workspace_id, project_id=project_id)
        adapters: list[Adapter] = [newest] if newest else []
    else:
        wanted = [ref.adapter_id for ref in request.adapters]
        adapters = queries.adapters_named(session, workspace_id=workspace_id, adapter_ids=wanted)
    base_key = requests.base_key_of(adapters, request.base_model, otherwise=catalogue.all_models()[0].key)
    base = base_models.entry(session, workspace_id=workspace_id, key=base_key)
    recipe, added = requests.recipe_for(request, adapters, base)
    if source_output_id is not None:
        source_output_id = queries.output(session, workspace_id=workspace_id, output_id=source_output_id).id
    generation = Generation(
        workspace_id=workspace_id,
        project_id=project.id,
        recipe=recipe.model_dump(mode="json"),
        channel=request.channel,
        image_key=request.start.image_key if request.start else None,
        mask_key=request.start.mask_key if request.start else None,
        words=told_words.kept(told_words.told_words(base, recipe.prompt, [one.trigger_word for one in adapters])),
        source_output_id=source_output_id,
        campaign_id=campaign_id,
        created_by=user_id,
    )
    return Requested(_queued(session, generation, recipe), added)


def order_pictures(
    session: Session,
    database: Database,
    storage: Storage,
    *,
    workspace_id: str,
    project_id: str,
    user_id: str | None,
    request: GenerationRequest,
    start: StartChoice,
    source_output_id: str | None = None,
    campaign_id: str | None = None,
) -> Requested:
    """What pages and programs ask for: the mask is stored and the campaign checked before the request is frozen.

    Raises what ``request_pictures`` and ``start_pictures.start_image`` raise, and ``NoSuchCampaign``.
    """
    started = start_pictures.start_image(database, storage, workspace_id=workspace_id, choice=start)
    if campaign_id is not None:
        campaigns.campaign_to_use(session, workspace_id=workspace_id, campaign_id=campaign_id)
    return request_pictures(
        session,
        workspace_id=workspace_id,
        project_id=project_id,
        user_id=user_id,
        request=replace(request, start=started),
        source_output_id=source_output_id,
        campaign_id=campaign_id,
    )


def more_like(session: Session, *, workspace_id: str, output_id: str, user_id: str | None, count: int) -> Generation:
    """Order pictures like this one: the same recipe, its noise turned a little.

    Asked for again, it turns by another share, because the same request would give the same pictures.
    Raises ``NotFound``, ``OtherEdition``.
    """
    output, generation = _with_generation(session, workspace_id, output_id)
    share = _next_share(session, generation, output_id)
    recipe = requests.more_like(_as_drawn(generation), output.seed, output.strength, share=share, count=count)
    return _derived(session, output, generation, recipe, "pictures", user_id)


def _next_share(session: Session, generation: Generation, source_output_id: str | None) -> float:
    """How far to turn from this picture when it is asked for once more."""
    earlier = session.scalar(
        select(func.count()).where(
            Generation.workspace_id == generation.workspace_id,
            Generation.project_id == generation.project_id,
            Generation.source_output_id == source_output_id,
            Generation.kind == "pictures",
        )
    )
    return requests.VARIATION_STRENGTHS[(earlier or 0) % len(requests.VARIATION_STRENGTHS)]


def strip(
    session: Session, *, workspace_id: str, output_id: str, user_id: str | None, strengths: tuple[float, ...]
) -> Generation:
    """Order this picture again at several strengths; ``(0, 1)`` compares it without and with its adapters.

    Raises ``NotFound``, ``NothingToCompare`` for a picture made without an adapter, ``OtherEdition``.
    """
    output, generation = _with_generation(session, workspace_id, output_id)
    recipe = _as_drawn(generation)
    if not recipe.adapters:
        raise NothingToCompare()
    return _derived(session, output, generation, requests.strip(recipe, output.seed, strengths), "strip", user_id)


def again(session: Session, *, workspace_id: str, generation_id: str, user_id: str | None) -> Generation:
    """Make the same request once more; where it has been done, with a new seed (pictures like another one: turned by
    another share), because it would give the same pictures. An enlargement is made again as it was.

    Raises ``NotFound``, ``OtherEdition``, ``TooLargeToEnlarge``.
    """
    before = queries.generation(session, workspace_id=workspace_id, generation_id=generation_id)
    steps = read_kept(before.enlargements)
    if steps:
        source = before.source_output_id or ""
        return enlarge(session, workspace_id=workspace_id, output_id=source, user_id=user_id, times=steps[-1].times)
    recipe = GenerationRecipe.model_validate(before.recipe)
    if before.kind == "pictures" and job_queries.job_of(session, before.id).state == "done":
        fresh = (
            {"variation_strength": _next_share(session, before, before.source_output_id)}
            if recipe.variation_strength
            else {"seed": random_seed()}
        )
        recipe = recipe.model_copy(update=fresh)
    generation = Generation(
        workspace_id=workspace_id,
        project_id=before.project_id,
        kind=before.kind,
        recipe=recipe.model_dump(mode="json"),
        channel=before.channel,
        image_key=before.image_key,
        mask_key=before.mask_key,
        words=before.words,
        campaign_id=before.campaign_id,
        source_output_id=before.source_output_id,
        created_by=user_id,
    )
    return _queued(session, generation, recipe)


def cancel(session: Session, *, workspace_id: str, generation_id: str) -> Job:
    """Ask for an end; finished pictures stay. Raises ``NotFound``, ``AlreadyEnded``."""
    generation = queries.generation(session, workspace_id=workspace_id, generation_id=generation_id)
    job = job_queries.job_of(session, generation.id)
    return jobs.request_cancel(session, workspace_id=workspace_id, job_id=job.id)


@dataclass(frozen=True)
class FinishedPicture:
    """A picture whose files are in the storage."""

    output_id: str
    position: int
    seed: int
    multiplier: float
    key: str
    thumb_key: str
    width: int
    height: int
    byte_count: int
    sha256: str
    placeholder: str
    seconds: float


def positions_done(session: Session, generation_id: str) -> frozenset[int]:
    return frozenset(session.scalars(select(Output.position).where(Output.generation_id == generation_id)))


def _campaign_now(session: Session, generation_id: str) -> str | None:
    """Not as it was when the worker began: the campaign may have been removed since."""
    return session.scalar(
        select(Generation.campaign_id).where(Generation.id == generation_id).with_for_update(read=True)
    )


def add_output(
    session: Session, claim: claims.Claim, spec: GenerationSpec | EnlargementSpec, picture: FinishedPicture
) -> bool:
    """Add the row of a finished picture, if its place is still free. Says whether it is there now.

    Raises ``LeaseLost`` when this attempt is not the current one any more.
    """
    claims.assert_lease(session, claim, got_further=True, with_result=True)
    taken = session.scalar(
        select(Output.id).where(Output.generation_id == spec.generation_id, Output.position == picture.position)
    )
    if taken is not None:
        return taken == picture.output_id  # a commit whose answer was lost, tried again
    session.add(
        Output(
            id=picture.output_id,
            workspace_id=spec.workspace_id,
            project_id=spec.project_id,
            generation_id=spec.generation_id,
            position=picture.position,
            seed=picture.seed,
            strength=picture.multiplier,
            prompt=spec.recipe.prompt,
            prompt_folded=folded(spec.recipe.prompt),
            adapter_id=spec.adapters[0].used.adapter_id if spec.adapters else None,
            key=picture.key,
            thumb_key=picture.thumb_key,
            width=picture.width,
            height=picture.height,
            byte_count=picture.byte_count,
            sha256=picture.sha256,
            placeholder=picture.placeholder,
            seconds=picture.seconds,
            campaign_id=_campaign_now(session, spec.generation_id),
            in_gallery=not spec.recipe.strengths,
        )
    )
    session.flush()
    counters.count(session, counters.PICTURES, kind=KIND)
    return True


def note_drawing(session: Session, claim: claims.Claim, generation_id: str, plan: DrawingPlan) -> None:
    """Keep with the generation how it is drawn from now on. Raises ``LeaseLost``, and ``NotFound`` for one that is
    gone."""
    claims.assert_lease(session, claim)
    generation = session.get(Generation, generation_id)
    if generation is None:
        raise NotFound()
    generation.drawing = plan.model_dump(mode="json")
    session.flush()


def _as_drawn(generation: Generation) -> GenerationRecipe:
    return requests.as_drawn(GenerationRecipe.model_validate(generation.recipe), generation.drawing)


def _with_generation(session: Session, workspace_id: str, output_id: str) -> tuple[Output, Generation]:
    output = queries.output(session, workspace_id=workspace_id, output_id=output_id)
    return output, queries.generation(session, workspace_id=workspace_id, generation_id=output.generation_id)


def _derived(
    session: Session, output: Output, generation: Generation, recipe: GenerationRecipe, kind: str, user_id: str | None
) -> Generation:
    derived = Generation(
        workspace_id=generation.workspace_id,
        project_id=generation.project_id,
        kind=kind,
        recipe=recipe.model_dump(mode="json"),
        channel=generation.channel,
        image_key=generation.image_key,
        mask_key=generation.mask_key,
        words=generation.words,
        campaign_id=output.campaign_id,
        source_output_id=output.id,
        created_by=user_id,
    )
    return _queued(session, derived, recipe)


def _queued(session: Session, generation: Generation, recipe: GenerationRecipe) -> Generation:
    """Raises ``NoSuchAdapter``, ``OtherEdition``."""
    base = base_models.find(session, workspace_id=generation.workspace_id, key=recipe.base_model)
    if base is not None:
        used = [one.adapter_id for one in recipe.adapters]
        queries.adapters_that_fit(session, workspace_id=generation.workspace_id, adapter_ids=used, base=base)
    session.add(generation)
    session.flush()
    jobs.enqueue(
        session,
        workspace_id=generation.workspace_id,
        project_id=generation.project_id,
        kind=KIND,
        subject_id=generation.id,
        title=recipe.prompt,
        created_by=generation.created_by,
    )
    return generation
