"""Turns a request into a ``WritingOrder``, with every default of the writing studio. Pure."""

from dataclasses import dataclass

from app.base_models.catalogue import TextModelEntry
from app.generations.seeds import positions_left
from app.machine.devices import WORKING_BYTES, Device, precision_on, room_of
from app.trainings.voice.recipe import Quantization, VoiceKind
from app.voice.analysis import pairs
from app.writings import channels
from app.writings.channels import TextChannel
from app.writings.checks import Rules
from app.writings.errors import EmptyBrief, NoSuchTextChannel
from app.writings.recipe import ArmRecipe, Message, WritingOrder, WritingRecipe

DEFAULT_COUNT = 2
MOST_VARIANTS = 4
TOKENS_PER_WORD = 3.5
"""Room for German on a model whose vocabulary is English; the model ends earlier by itself."""
LEAST_TOKENS, MOST_TOKENS = 48, 1024
TEMPERATURE = 0.7
NEWEST, NOBODY = "newest", "none"

_AUDIENCE = {"en": "It is for {words}.", "de": "Er ist für: {words}."}
_TONE = {"en": "Tone: {words}.", "de": "Ton: {words}."}
_CAMPAIGN = {"en": "It belongs to the campaign “{words}”.", "de": "Er gehört zur Kampagne „{words}“."}
_CLAIMS = {"en": "It must say: {words}.", "de": "Darin muss stehen: {words}."}
_ADDRESS = {"sie": "Sprich die Leserinnen und Leser mit Sie an.", "du": "Sprich die Leserinnen und Leser mit du an."}
KEPT_TOKENS = 4096
"""Order, style guide and text together, whose keys and values are kept: the most that an order may be."""
FINEST_FIRST: tuple[Quantization, ...] = ("none", "int8", "nf4")


@dataclass(frozen=True)
class WritingRequest:
    """What a person asks for. The brief alone is needed."""

    brief: str
    channel: str = channels.DEFAULT_CHANNEL
    language: str = "en"
    audience: str = ""
    tone: str = ""
    length: str = "usual"
    count: int = DEFAULT_COUNT
    seed: int | None = None
    adapter_id: str | None = NEWEST
    """``newest``: the brand's newest voice; None: no voice."""
    base_model: str | None = None
    """Used where no voice writes; None: the first that is ready and knows the language."""
    campaign_id: str | None = None
    campaign: str = ""
    """The campaign's name at the time of the request."""
    output_id: str | None = None


def checked_channel(request: WritingRequest) -> TextChannel:
    """Raises ``EmptyBrief``, ``NoSuchTextChannel``."""
    if not request.brief.strip():
        raise EmptyBrief()
    found = channels.channel(request.channel)
    if found is None:
        raise NoSuchTextChannel()
    return found


def instruction(request: WritingRequest, channel: TextChannel, rules: Rules) -> str:
    """What every arm is asked for: the same words, so that the arms can be compared.

    What must be said and the form of address are told to the model. Forbidden words are not: to name a word invites it.
    """
    said = "de" if request.language == "de" else "en"
    words = channels.words_for(channel, request.length)
    parts = [channels.order_for(channel, request.language, request.brief, words)]
    for template, text in ((_AUDIENCE, request.audience), (_TONE, request.tone)):
        if text.strip():
            parts.append(template[said].format(words=text.strip().rstrip(".")))
    # An alternative text says what is to be seen, whatever the picture is used for.
    if request.campaign and channel.key != channels.ALT_TEXT:
        parts.append(_CAMPAIGN[said].format(words=" ".join(request.campaign.split())))
    if rules.claims and channel.key in rules.claim_channels:
        claims = "; ".join(claim.split("|")[0].strip() for claim in rules.claims)
        parts.append(_CLAIMS[said].format(words=claims))
    if request.language == "de" and rules.address:
        parts.append(_ADDRESS[rules.address])
    return " ".join(parts)


@dataclass(frozen=True)
class Writer:
    """The base model that writes, with a voice or without, and how that was trained."""

    base_model: str
    adapter_id: str | None = None
    quantization: Quantization = "none"
    kind: VoiceKind = "instructions"


def writing_order(
    request: WritingRequest, channel: TextChannel, rules: Rules, *, writer: Writer, guide: str, seed: int
) -> WritingOrder:
    """The arms of a request: with a voice three, without one two; without samples there is no style guide either.

    A voice that has read plain texts knows no orders: all three go on from the brief, as they did when it was measured,
    and nothing else is told.
    """
    words = channels.words_for(channel, request.length) or channel.most_characters // 6
    bare: tuple[Message, ...]
    if writer.kind == "plain_text":
        bare = (Message(role="user", content=request.brief.strip()),)
        above = guide
    else:
        system, asked = pairs.messages(instruction(request, channel, rules), request.language)
        bare = (Message.model_validate(system), Message.model_validate(asked))
        above = f"{system['content']}\n\n{guide}"
    recipe = WritingRecipe(
        base_model=writer.base_model,
        quantization=writer.quantization,
        kind=writer.kind,
        messages=bare,
        max_new_tokens=min(MOST_TOKENS, max(LEAST_TOKENS, round(words * TOKENS_PER_WORD))),
        temperature=TEMPERATURE,
        seed=seed,
        count=request.count,
    )
    arms = []
    if writer.adapter_id is not None:
        arms.append(ArmRecipe(arm="adapter", adapter_id=writer.adapter_id, recipe=recipe))
    if guide:
        guided = (Message(role="system", content=above), bare[-1])
        arms.append(ArmRecipe(arm="prompted_base", recipe=recipe.model_copy(update={"messages": guided})))
    arms.append(ArmRecipe(arm="base", recipe=recipe))
    return WritingOrder(arms=tuple(arms))


@dataclass(frozen=True)
class Part:
    """What is left of one arm: the recipe for it, and the position of its first variant."""

    recipe: WritingRecipe
    first: int


def remaining(recipe: WritingRecipe, done: frozenset[int]) -> Part | None:
    """What an arm still has to write; None when nothing is left. Variants between two missing ones are written again
    (see ``positions_left``)."""
    rest = positions_left(recipe.count, done)
    if not rest:
        return None
    return Part(recipe.model_copy(update={"seed": recipe.seed + rest.start, "count": len(rest)}), rest.start)


def quantization_on(base: TextModelEntry, device: Device | None) -> Quantization:
    """The finest precision that fits: unquantised where no device is known, 4 bits where nothing fits."""
    if device is None:
        return "none"
    return next((held for held in FINEST_FIRST if memory_of(base, device, held) <= room_of(device)), "nf4")


def memory_of(base: TextModelEntry, device: Device, held: Quantization) -> int:
    """Predicted peak in bytes while it writes one text."""
    layout, plain = base.layout, 4 if precision_on(device, base) == "float32" else 2
    kept = 2 * layout.layers * layout.key_value * plain * min(KEPT_TOKENS, base.context)
    whole_again = 0 if held == "none" else layout.width * layout.feed_forward * plain
    return base.weight_bytes(held, on_card=plain == 2) + kept + whole_again + WORKING_BYTES
