"""What the studio shows: the form before anybody fills it in, with a sensible value for everything, and the stream of
orders, each with the comparisons that belong to it."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session, aliased

from app.adapters import queries as adapters
from app.adapters.models import Adapter
from app.base_files import queries as base_files
from app.base_models import catalogue, told_words
from app.base_models import queries as base_models
from app.base_models.catalogue import BaseModelEntry, Quantization
from app.base_models.told_words import ToldWord
from app.generations import channels, queries, requests, schedulers
from app.generations.channels import Channel
from app.generations.models import Generation, Output, StartPicture
from app.generations.prompts import as_written
from app.generations.queries import GenerationView
from app.generations.recipe import AdapterUse, GenerationRecipe
from app.generations.schedulers import Scheduler
from app.generations.seeds import random_seed
from app.generations.start_pictures import service as start_pictures


@dataclass(frozen=True)
class Format:
    """A channel and the pixels that pictures have for it with the base model in use."""

    channel: Channel
    width: int
    height: int


@dataclass(frozen=True)
class FormState:
    """The form's values, and what there is to choose from."""

    prompt: str
    negative_prompt: str
    adapters: tuple[AdapterUse, ...]
    channel: str
    count: int
    seed: int
    keep_seed: bool
    steps: int
    guidance_scale: float
    scheduler: str
    quantization: Quantization | None
    """None: what fits the card that draws."""
    campaign_id: str | None
    again: bool
    """Whether it is filled with what an earlier order was."""
    source: Output | None
    base: BaseModelEntry
    bases: tuple[BaseModelEntry, ...]
    """Those that can draw without an adapter: what is ready, and ``base`` in any case."""
    formats: tuple[Format, ...]
    schedulers: tuple[Scheduler, ...]
    """Those that draw with ``base``, its own aside."""
    start: StartPicture | None
    start_strength: float
    mask_keeps: bool
    choices: tuple[Adapter, ...]
    """Adapters of the workspace, the newest first."""
    has_own: bool
    """Whether one of them is the brand's."""
    fetches_first: bool
    """Whether the worker must fetch the base model before it can draw."""

    @property
    def trigger_words(self) -> tuple[str, ...]:
        """Those of the adapters in use, which every prompt gets by itself."""
        by_id = {one.id: one.trigger_word for one in self.choices}
        return tuple(dict.fromkeys(word for use in self.adapters if (word := by_id.get(use.adapter_id))))

    @property
    def face(self) -> int | None:
        """The place of the sample picture that the first adapter is known by; None without one."""
        first = self.adapters[0].adapter_id if self.adapters else None
        facts = next((one.facts for one in self.choices if one.id == first), {})
        steps = [sample["step"] for sample in facts.get("samples", [])]
        return steps.index(max(steps)) if steps and max(steps) > 0 else None

    @property
    def words(self) -> tuple[ToldWord, ...]:
        """What of the prompt the base does not know."""
        return told_words.told_words(self.base, self.prompt, self.trigger_words)


def form_state(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    source: str | None = None,
    again: str | None = None,
    adapter: str | None = None,
    start: str | None = None,
) -> FormState:
    """The form of a brand: fresh, or filled with everything of the picture ``source`` or of the generation ``again``.

    A fresh one takes ``adapter``, else the brand's newest; ``start`` is the picture to start from. Raises ``NotFound``.
    """
    choices = tuple(queries.adapters_to_choose(session, workspace_id=workspace_id))
    output = queries.output(session, workspace_id=workspace_id, output_id=source) if source else None
    order_id = output.generation_id if output else again
    generation = (
        queries.generation(session, workspace_id=workspace_id, generation_id=order_id) if order_id is not None else None
    )
    if generation is not None:
        return _filled(session, choices, generation, output)
    given = (
        start_pictures.start_picture(session, workspace_id=workspace_id, start_id=start) if start is not None else None
    )
    chosen = (
        adapters.adapter(session, workspace_id=workspace_id, adapter_id=adapter)
        if adapter is not None
        else queries.newest_adapter(session, workspace_id=workspace_id, project_id=project_id)
    )
    base_key = chosen.base_model if chosen else catalogue.all_models()[0].key
    base = base_models.entry(session, workspace_id=workspace_id, key=base_key)
    return FormState(
        prompt="",
        negative_prompt="",
        adapters=(AdapterUse(adapter_id=chosen.id, strength=chosen.recommended_strength),) if chosen else (),
        channel=channels.LIKE_START if given else requests.DEFAULT_CHANNEL,
        count=requests.DEFAULT_COUNT,
        seed=random_seed(),
        keep_seed=False,
        steps=base.steps,
        guidance_scale=base.guidance_scale,
        scheduler=schedulers.OWN,
        quantization=None,
        campaign_id=None,
        again=False,
        source=None,
        base=base,
        bases=_ready(session, workspace_id, base),
        formats=formats_for(base, given),
        schedulers=schedulers.fitting(base),
        start=given,
        start_strength=requests.START_STRENGTH,
        mask_keeps=False,
        choices=choices,
        has_own=any(one.project_id == project_id for one in choices),
        fetches_first=fetches_first(session, workspace_id, base),
    )


def _filled(session: Session, choices: tuple[Adapter, ...], generation: Generation, output: Output | None) -> FormState:
    recipe = GenerationRecipe.model_validate(generation.recipe)
    there = {adapter.id: adapter.trigger_word for adapter in choices}
    used = [use.adapter_id for use in recipe.adapters if use.adapter_id in there]
    base = base_models.entry(session, workspace_id=generation.workspace_id, key=recipe.base_model)
    start = (
        start_pictures.by_hash(
            session, workspace_id=generation.workspace_id, project_id=generation.project_id, sha256=recipe.image
        )
        if recipe.image
        else None
    )
    return FormState(
        prompt=as_written(recipe.prompt, [there[one] for one in used]),
        negative_prompt=recipe.negative_prompt,
        adapters=tuple(use for use in recipe.adapters if use.adapter_id in there),
        channel=generation.channel,
        count=min(recipe.count, requests.MOST_PICTURES) if output is None else requests.DEFAULT_COUNT,
        seed=requests.own_seed(recipe, output.seed) if output else recipe.seed,
        keep_seed=True,
        steps=recipe.steps,
        guidance_scale=recipe.guidance_scale,
        scheduler=recipe.scheduler if schedulers.fits(recipe.scheduler, base) else schedulers.OWN,
        quantization=recipe.quantization,
        campaign_id=output.campaign_id if output else generation.campaign_id,
        again=True,
        source=output,
        base=base,
        bases=_ready(session, generation.workspace_id, base),
        formats=formats_for(base, start),
        schedulers=schedulers.fitting(base),
        start=start,
        start_strength=recipe.strength,
        mask_keeps=False,
        choices=choices,
        has_own=any(one.project_id == generation.project_id for one in choices),
        fetches_first=fetches_first(session, generation.workspace_id, base),
    )


def form_state_on(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    adapter_ids: list[str],
    base_model: str | None,
    channel: str = "",
    negative_prompt: str = "",
    start: str | None = None,
) -> FormState:
    """A fresh form for these adapters, else for this base model: sizes and numbers follow what draws, the rest stays as
    given. Raises ``NotFound``, ``UnknownBaseModel``."""
    fresh = form_state(session, workspace_id=workspace_id, project_id=project_id, start=start)
    first = adapter_ids[0] if adapter_ids else None
    base = base_in_use(session, workspace_id=workspace_id, adapter_id=first, base_model=base_model)
    used = [adapters.adapter(session, workspace_id=workspace_id, adapter_id=one) for one in adapter_ids]
    formats = formats_for(base, fresh.start)
    return replace(
        fresh,
        adapters=tuple(AdapterUse(adapter_id=one.id, strength=one.recommended_strength) for one in used),
        base=base,
        formats=formats,
        schedulers=schedulers.fitting(base),
        channel=channel if channel in [one.channel.key for one in formats] else fresh.channel,
        negative_prompt=negative_prompt,
        steps=base.steps,
        guidance_scale=base.guidance_scale,
        fetches_first=fetches_first(session, workspace_id, base),
    )


def base_in_use(
    session: Session, *, workspace_id: str, adapter_id: str | None, base_model: str | None
) -> BaseModelEntry:
    """The adapter's base model, else the one that was chosen, else the first. Raises ``NotFound``,
    ``UnknownBaseModel``."""
    key = base_model or catalogue.all_models()[0].key
    if adapter_id is not None:
        key = adapters.adapter(session, workspace_id=workspace_id, adapter_id=adapter_id).base_model
    return base_models.entry(session, workspace_id=workspace_id, key=key)


def words_of(
    session: Session, *, workspace_id: str, prompt: str, adapter_ids: list[str], base_model: str | None
) -> tuple[ToldWord, ...]:
    """What of this prompt the base in use does not know. Raises ``NotFound``, ``UnknownBaseModel``."""
    first = adapter_ids[0] if adapter_ids else None
    base = base_in_use(session, workspace_id=workspace_id, adapter_id=first, base_model=base_model)
    chosen = [adapters.adapter(session, workspace_id=workspace_id, adapter_id=one) for one in adapter_ids]
    return told_words.told_words(base, prompt, [one.trigger_word for one in chosen])


def _ready(session: Session, workspace_id: str, base: BaseModelEntry) -> tuple[BaseModelEntry, ...]:
    states = base_files.states(session, workspace_id=workspace_id)
    return tuple(
        one
        for one in base_models.offered(session, workspace_id=workspace_id)
        if one.ready or one.key == base.key or states.get(one.key, base_files.NOTHING).is_here
    )


def fetches_first(session: Session, workspace_id: str, base: BaseModelEntry) -> bool:
    """Whether the worker must fetch the base model before it can draw."""
    return not base.ready and not base_files.state(session, workspace_id=workspace_id, key=base.key).is_here


def formats_for(base: BaseModelEntry, start: StartPicture | None) -> tuple[Format, ...]:
    """Every channel with its pixels on this base, the start picture's own shape before them."""
    own = (channels.like(start.width, start.height),) if start else ()
    sizes = (
        (channel, *channels.size_for(channel, native=base.resolution, multiple=base.multiple))
        for channel in (*own, *channels.CHANNELS)
    )
    return tuple(
        Format(channel, width * base.enlargement, height * base.enlargement) for channel, width, height in sizes
    )


def stream(
    session: Session, *, workspace_id: str, project_id: str, before: tuple[datetime, str] | None = None
) -> list[Generation]:
    """``queries.recent`` of a brand, without the comparisons that open over the order which they belong to."""
    of_brand = Generation.workspace_id == workspace_id, Generation.project_id == project_id
    return queries.page(session, queries.shown().where(*of_brand, ~_belongs()), before, queries.PAGE)


def _belongs() -> ColumnElement[bool]:
    """Whether a generation is a strip of a picture whose order has pictures left, so that it is shown with it."""
    source, order = aliased(Output), aliased(Generation)
    return exists().where(
        Generation.kind == "strip",
        source.id == Generation.source_output_id,
        source.workspace_id == Generation.workspace_id,
        order.id == source.generation_id,
        order.kind != "strip",
        queries.has_pictures(order),
    )


def stream_views(session: Session, generations: list[Generation]) -> list[GenerationView]:
    """``queries.views`` of orders of one workspace, each with its comparisons; one query more."""
    if not generations:
        return []
    rows = session.execute(
        queries.shown()
        .add_columns(Output.generation_id)
        .join(Output, Output.id == Generation.source_output_id)
        .where(
            Generation.workspace_id == generations[0].workspace_id,
            Output.generation_id.in_([one.id for one in generations]),
            _belongs(),
        )
        .order_by(Generation.created_at.desc(), Generation.id.desc())
    ).all()
    strips = [row[0] for row in rows]
    found = queries.views(session, [*generations, *strips])
    of_order: dict[str, list[GenerationView]] = {one.id: [] for one in generations}
    for (_strip, order_id), view in zip(rows, found[len(generations) :], strict=True):
        of_order[order_id].append(view)
    return [replace(view, comparisons=tuple(of_order[view.generation.id])) for view in found[: len(generations)]]


def order_compared(session: Session, strip: Generation) -> str | None:
    """Id of the order over which this strip opens; None where it stands alone."""
    return session.scalar(
        select(Output.generation_id).where(
            Output.id == strip.source_output_id,
            Output.workspace_id == strip.workspace_id,
            select(Generation.id).where(Generation.id == strip.id, _belongs()).exists(),
        )
    )
