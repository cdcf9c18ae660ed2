"""Turns a request into a ``GenerationRecipe``, with every default of the studio. Pure."""

from dataclasses import dataclass
from typing import Any

from app.adapters.models import Adapter
from app.base_models.catalogue import BaseModelEntry, Quantization
from app.generations import channels, schedulers
from app.generations.errors import (
    EmptyPrompt,
    MixedBases,
    NoSuchChannel,
    OtherBase,
    OtherScheduler,
    PromptTooLong,
    TooManyAdapters,
)
from app.generations.planner import DrawingPlan
from app.generations.prompts import with_trigger_words
from app.generations.recipe import AdapterUse, GenerationRecipe
from app.generations.seeds import HIGHEST_SEED, positions_left, random_seed

DEFAULT_CHANNEL = "square"
DEFAULT_COUNT = 4
MOST_PICTURES = 8
MOST_ADAPTERS = 4
LONGEST_PROMPT = 2000
START_STRENGTH = 0.6
"""How far from its start picture a picture goes: the motif stays, the style changes."""
MASKED_STRENGTH = 0.95
"""What is painted over is wanted new; a trace of the old keeps light and colours in tune."""
VARIATION_STRENGTHS = (0.35, 0.3, 0.4, 0.25, 0.45, 0.2, 0.5)
"""How far "more like this" turns from the picture: the first, and others when it is asked for again."""
COMPARED_STRENGTHS = (0.0, 1.0)
STRIP_STRENGTHS = (0.0, 0.4, 0.7, 1.0, 1.3)


@dataclass(frozen=True)
class AdapterRef:
    adapter_id: str
    strength: float | None = None
    """None: the adapter's recommended strength."""


@dataclass(frozen=True)
class StartImage:
    """A start picture and a mask that are in the storage."""

    image_key: str
    image: str
    """SHA-256."""
    width: int
    height: int
    mask_key: str | None = None
    mask: str | None = None
    strength: float | None = None
    """None: what suits, which with a mask is more."""


@dataclass(frozen=True)
class GenerationRequest:
    """What a person asks for. Only the prompt is needed; None means the sensible default."""

    prompt: str
    adapters: tuple[AdapterRef, ...] | None = None
    """None: the brand's newest adapter; empty: the base model alone."""
    base_model: str | None = None
    """What draws without adapters; None: the catalogue's first. Adapters draw on their own base alone."""
    channel: str = DEFAULT_CHANNEL
    count: int = DEFAULT_COUNT
    seed: int | None = None
    negative_prompt: str = ""
    steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str = schedulers.OWN
    quantization: Quantization | None = None
    """None: what fits the device that draws."""
    start: StartImage | None = None


def base_key_of(adapters: list[Adapter], requested: str | None, otherwise: str) -> str:
    """The one base model of these adapters, else the one that was wished. Raises ``MixedBases``, ``OtherBase``."""
    for adapter in adapters[1:]:
        if adapter.base_model != adapters[0].base_model:
            raise MixedBases(first=adapters[0].name, second=adapter.name)
    if not adapters:
        return requested or otherwise
    if requested is not None and requested != adapters[0].base_model:
        raise OtherBase(adapter=adapters[0].name)
    return adapters[0].base_model


def recipe_for(
    request: GenerationRequest, adapters: list[Adapter], base: BaseModelEntry
) -> tuple[GenerationRecipe, tuple[str, ...]]:
    """The recipe, and the trigger words that were added to the prompt. ``adapters`` are those of the request, in order;
    where the request leaves them open, they act at their recommended strength.

    Raises ``EmptyPrompt``, ``PromptTooLong``, ``NoSuchChannel``, ``TooManyAdapters``, ``OtherScheduler``.
    """
    if not request.prompt.strip():
        raise EmptyPrompt()
    if len(adapters) > MOST_ADAPTERS:
        raise TooManyAdapters()
    channel = channels.channel(request.channel)
    if request.channel == channels.LIKE_START and request.start is not None:
        channel = channels.like(request.start.width, request.start.height)
    if channel is None:
        raise NoSuchChannel()
    if not schedulers.fits(request.scheduler, base):
        known = [schedulers.OWN, *(one.key for one in schedulers.fitting(base))]
        raise OtherScheduler(base=base.name, name=request.scheduler[:40], known=", ".join(known))
    prompt, added = with_trigger_words(request.prompt, [adapter.trigger_word for adapter in adapters])
    if len(prompt) > LONGEST_PROMPT:
        raise PromptTooLong()
    refs = request.adapters or tuple(AdapterRef(adapter.id) for adapter in adapters)
    width, height = channels.size_for(channel, native=base.resolution, multiple=base.multiple)
    recipe = GenerationRecipe(
        base_model=base.key,
        prompt=prompt,
        negative_prompt=request.negative_prompt if base.has_negative_prompt else "",
        adapters=tuple(
            AdapterUse(
                adapter_id=adapter.id,
                strength=adapter.recommended_strength if ref.strength is None else ref.strength,
            )
            for ref, adapter in zip(refs, adapters, strict=True)
        ),
        width=width,
        height=height,
        count=request.count,
        seed=random_seed() if request.seed is None else request.seed,
        steps=base.steps if request.steps is None else request.steps,
        guidance_scale=_guidance(request, base),
        scheduler=request.scheduler,
        clip_skip=_clip_skip(adapters, base),
        **_start_of(request.start),
        quantization=request.quantization,
    )
    return recipe, added


def _clip_skip(adapters: list[Adapter], base: BaseModelEntry) -> int:
    """The value that the adapters were trained with; among several the first one that was trained here decides."""
    recipes = [recipe for adapter in adapters if (recipe := (adapter.facts or {}).get("recipe"))]
    return int(recipes[0].get("clip_skip", 1)) if recipes and base.has_clip_skip else 1


def _guidance(request: GenerationRequest, base: BaseModelEntry) -> float:
    """The requested value, where the base has guidance at all."""
    return base.guidance_scale if request.guidance_scale is None or not base.has_guidance else request.guidance_scale


def _start_of(start: StartImage | None) -> dict[str, Any]:
    """The recipe's fields about a start picture."""
    if start is None:
        return {}
    usual = START_STRENGTH if start.mask is None else MASKED_STRENGTH
    return {"image": start.image, "mask": start.mask, "strength": start.strength or usual}


def as_drawn(recipe: GenerationRecipe, drawing: dict[str, Any] | None) -> GenerationRecipe:
    """The recipe with the base held as it was when the generation was drawn (``Generation.drawing``), so that another
    picture of it comes from the very same numbers."""
    if drawing is None:
        return recipe
    return recipe.model_copy(update={"quantization": DrawingPlan.model_validate(drawing).quantization})


def own_seed(recipe: GenerationRecipe, drawn_seed: int) -> int:
    """The seed to go on from for one picture of a generation. A variation starts from the seed of its
    generation, turned; the seed that it was turned towards would give quite another picture."""
    return recipe.seed if recipe.variation_strength else min(drawn_seed, HIGHEST_SEED)


def more_like(
    recipe: GenerationRecipe, drawn_seed: int, strength: float, *, share: float, count: int
) -> GenerationRecipe:
    """Pictures around one picture of a generation, as it was drawn (``as_drawn``); ``strength`` is that picture's
    multiplier."""
    return _one_of(recipe, drawn_seed, strength).model_copy(update={"count": count, "variation_strength": share})


def strip(recipe: GenerationRecipe, drawn_seed: int, strengths: tuple[float, ...]) -> GenerationRecipe:
    """One picture of a generation again, at several strengths of its adapters."""
    again = {"count": len(strengths), "strengths": strengths}
    return _one_of(recipe, drawn_seed, 1.0).model_copy(update=again)


def _one_of(recipe: GenerationRecipe, drawn_seed: int, strength: float) -> GenerationRecipe:
    uses = tuple(
        use.model_copy(update={"strength": min(2.0, max(-2.0, use.strength * strength))}) for use in recipe.adapters
    )
    same = {"seed": own_seed(recipe, drawn_seed), "adapters": uses, "strengths": (), "variation_strength": 0.0}
    return recipe.model_copy(update=same)


@dataclass(frozen=True)
class Part:
    """A recipe for some pictures of a generation, and the positions that they have in it."""

    recipe: GenerationRecipe
    positions: tuple[int, ...]


def remaining(recipe: GenerationRecipe, done: frozenset[int]) -> Part | None:
    """What is left of a generation of which ``done`` is there already; None when nothing is left. Pictures that are
    there may be drawn again where the recipe cannot leave them out (see ``positions_left``)."""
    rest = positions_left(recipe.count, done)
    if not rest:
        return None
    if recipe.strengths:
        missing = tuple(position for position in rest if position not in done)
        strengths = tuple(recipe.strengths[position] for position in missing)
        return Part(recipe.model_copy(update={"count": len(missing), "strengths": strengths}), missing)
    if recipe.variation_strength:
        return Part(recipe, tuple(range(recipe.count)))
    return Part(recipe.model_copy(update={"seed": recipe.seed + rest.start, "count": len(rest)}), tuple(rest))
