"""The base models on offer, as plain data from ``catalogue.toml``. Loads no model and no model library."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import N_, NotFound
from app.lora_files.families import known

CATALOGUE = Path(__file__).with_name("catalogue.toml")
KEPT = Path(__file__).with_name("kept.toml")
Quantization = Literal["none", "int8", "nf4"]
"""How the base's numbers are held while an adapter is trained on it."""
TargetModules = Literal["attention", "attention_and_feed_forward", "all_layers"]
"""The same values as in a training's recipe."""
Pixels = Annotated[int, Field(ge=16, le=4096)]


class Sentence(BaseModel, defer_build=True):
    """What people read, in every language of the pages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str
    de: str


Prompts = Annotated[tuple[str, ...], Field(min_length=2)]


class Suggestions(BaseModel, defer_build=True):
    """Prompts that suit a base model, in every language of the pages. Sample pictures of trainings take the English."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: Prompts
    de: Prompts


class StepCost(BaseModel, defer_build=True):
    """What a training step on one picture costs, counted from the base's configuration (``step_cost`` of the engines).

    In bfloat16, with an adapter on the attention layers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: Pixels
    kept_mb: Annotated[float, Field(gt=0)]
    """Kept for the way back."""
    kept_mb_checkpointed: Annotated[float, Field(gt=0)]
    """Kept with gradient checkpointing: the blocks' inputs alone."""
    kept_mb_of_a_block: Annotated[float, Field(ge=0)]
    """Kept of the largest block while it is computed again."""
    tera_operations: Annotated[float, Field(gt=0)]
    """One way through, a multiplication and an addition counted as two."""


class DrawingCost(BaseModel, defer_build=True):
    """What one picture holds at its widest while it is drawn, counted like ``StepCost`` (``drawing_cost``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: Pixels
    denoising_mb: Annotated[float, Field(gt=0)]
    """In one pass through the denoiser, in half precision."""
    decoding_mb: Annotated[float, Field(gt=0)]
    """Needed while the autoencoder decodes to pixels, in float32."""


class Kept(BaseModel, defer_build=True):
    """What the way back of one picture keeps, by the kind of adapter and the layers it learns in, at rank 16.

    In megabytes, in bfloat16, counted like ``StepCost``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Literal["lora", "dora", "lokr"]
    target_modules: TargetModules
    side: Pixels
    trained_parameters: Annotated[int, Field(ge=1)]
    mb: Annotated[float, Field(gt=0)]
    mb_checkpointed: Annotated[float, Field(gt=0)]
    mb_of_a_block: Annotated[float, Field(ge=0)]


class UnknownBaseModel(NotFound):
    field = "base_model"
    sentence = N_("The base model “%(key)s” is not in the catalogue. Please choose another one.")


class BaseModelEntry(BaseModel, defer_build=True):
    """One base model as the catalogue describes it. Its key never changes: adapters and orders name it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modality: Literal["image"] = "image"
    key: Annotated[str, Field(pattern="^[a-z0-9-]{1,80}$")]
    name: str
    summary: Sentence
    suggestions: Suggestions
    """For whoever has no idea yet what to draw."""
    family: str
    source: str
    """``builtin``, or the repository of a model hub."""
    place: Literal["hub", "local"] = "hub"
    """Where ``source`` is: on a hub, or in the folder of checkpoints on a worker's machine."""
    file: str | None = None
    """The one file of the source that is the whole checkpoint; None for diffusers' layout."""
    revision: str | None = None
    """Commit or branch of the repository; None for the newest."""
    edition: Annotated[int, Field(ge=1)] = 1
    """Counts up where the weights of the one that comes along change so far that earlier adapters do not fit them."""
    prediction_type: Literal["epsilon", "v_prediction", "flow"]
    resolution: Pixels
    """Side in pixels of the square that it was trained at."""
    multiple: Pixels
    """Both sides of a picture must be multiples of it."""
    resolutions: tuple[Pixels, ...]
    """What the form offers for training."""
    enlargement: Literal[1, 4] = 1
    """How many times as wide and as high as it draws them its pictures become in the end."""
    training_memory_mb: Annotated[int, Field(ge=1)]
    """Needed for one picture at the native resolution."""
    generation_memory_mb: Annotated[int, Field(ge=1)]
    training_memory_quantized_mb: dict[Literal["nf4", "int8"], int] = {}
    """The same with the base held in 4 or 8 bits; empty where nobody has said (see ``quantizable_share``)."""
    generation_memory_quantized_mb: dict[Literal["nf4", "int8"], int] = {}
    quantization: Quantization = "none"
    """How the base is held unless an order says otherwise."""
    download_mb: int | None = None
    """What the worker fetches once; None where that is not known or nothing is fetched."""
    gated: bool = False
    """Its licence must be accepted on the hub by the account whose token the worker has."""
    is_beyond_float16: bool = False
    """Whether it is trained in float32 where there is no bfloat16, as its makers ask for."""
    distilled: bool = False
    """Made to draw in a few steps, which training on it wears off."""
    timestep_shift: Annotated[float, Field(ge=0.1, le=20)] | None = None
    """How far training moves noise levels towards noise unless an order says otherwise; None: as its scheduler says."""
    has_guidance: bool = True
    """Whether it listens to how closely a picture should follow the words."""
    has_negative_prompt: bool = True
    parameters_per_rank: dict[TargetModules, int] = {}
    trains_text_encoder: bool = False
    """Whether an adapter can learn in its CLIP text encoders too."""
    denoiser_parameters: Annotated[int, Field(ge=1)] | None = None
    denoiser_width: Annotated[int, Field(ge=1)] | None = None
    """Width of a token, by which sizes of one family are told apart; None where the family has one size."""
    quantizable_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of those in linear layers of the blocks, which 8 and 4 bits can hold."""
    step_cost: tuple[StepCost, ...] = ()
    """Empty where nobody has counted it."""
    encoder_parameters: Annotated[int, Field(ge=1)] | None = None
    """Parameters of all text encoders together, held in half precision."""
    autoencoder_parameters: Annotated[int, Field(ge=1)] | None = None
    """Held in float32."""
    block_parameters: Annotated[int, Field(ge=1)] | None = None
    """Parameters of the denoiser on the device at once when its blocks come one by one."""
    drawing_cost: tuple[DrawingCost, ...] = ()
    """Empty where nobody has counted it."""
    kept: tuple[Kept, ...] = ()
    """Read from ``kept.toml``; empty where nobody has counted."""
    offloadable_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the denoiser's parameters in blocks that can wait in the machine's memory; 0 where none can."""
    largest_block_parameters: Annotated[int, Field(ge=0)] = 0
    text_encoder_parameters: Annotated[int, Field(ge=0)] = 0
    """Parameters of the text encoders that an adapter can learn in; 0 where nobody has counted."""
    text_encoder_parameters_per_rank: Annotated[int, Field(ge=0)] = 0
    text_encoder_kept_mb: Annotated[float, Field(ge=0)] = 0.0
    """Kept for their way back, for one caption."""
    text_encoder_tera_operations: Annotated[float, Field(ge=0)] = 0.0
    """Operations of their forward pass, for one caption."""
    steps: Annotated[int, Field(ge=1, le=100)]
    """Default denoising steps of a picture."""
    guidance_scale: Annotated[float, Field(ge=1, le=30)]
    ready: bool
    """True when it comes with Livery; else the worker fetches it once and needs the internet for that."""
    licence: str
    licence_url: str
    licence_sentence: Sentence
    """Whether pictures and adapters may be used commercially, in one sentence."""
    commercial: bool | None = None
    """The same at a glance; None where nobody has said."""
    forbids_uses: bool = False
    """Whether the licence lists uses that it forbids, and asks to pass the list on with every adapter."""

    def adapter_bytes(self, rank: int, target_modules: TargetModules) -> int | None:
        """Size of an adapter file in float16; None where the catalogue does not know."""
        per_rank = self.parameters_per_rank.get(target_modules)
        return None if per_rank is None else per_rank * rank * 2

    @property
    def is_flow(self) -> bool:
        """A flow model, which has noise levels of its own kind and no use for min-SNR weights or a noise offset."""
        return self.prediction_type == "flow"

    @property
    def has_clip_skip(self) -> bool:
        """Whether bases of its kind were made with CLIP's last layer or with the one before it."""
        facts = known.by_key(self.family)
        return facts is not None and facts.has_clip_skip and self.source != "builtin"

    def training_memory(self, quantization: Quantization) -> int:
        """Bytes for one picture at the native resolution."""
        held = None if quantization == "none" else self.training_memory_quantized_mb.get(quantization)
        return (self.training_memory_mb if held is None else held) * 1_000_000


class Layout(BaseModel, defer_build=True):
    """Widths of a language model's layers, by which an adapter of it is told from one of another model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    """Numbers for a word between the layers."""
    query: Annotated[int, Field(ge=1)]
    """Width of all heads together."""
    key_value: Annotated[int, Field(ge=1)]
    feed_forward: Annotated[int, Field(ge=1)]
    vocabulary: Annotated[int, Field(ge=1)]
    """Words that it weighs for each place."""

    def parameters_per_rank(self) -> dict[Literal["attention", "attention_and_feed_forward"], int]:
        """Numbers of an adapter of rank 1 (sum of inputs and outputs of each layer), by what is trained."""
        attention, feed_forward = (
            self.layers * sum(sum(self.sides(kind) or ()) for kind in kinds)
            for kinds in (("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj"))
        )
        return {"attention": attention, "attention_and_feed_forward": attention + feed_forward}

    def sides(self, kind: str) -> tuple[int, int] | None:
        """What goes in and what comes out of a layer such as ``q_proj``; None for a name that is not known."""
        return {
            "q_proj": (self.width, self.query),
            "k_proj": (self.width, self.key_value),
            "v_proj": (self.width, self.key_value),
            "o_proj": (self.query, self.width),
            "gate_proj": (self.width, self.feed_forward),
            "up_proj": (self.width, self.feed_forward),
            "down_proj": (self.feed_forward, self.width),
        }.get(kind)


class TextModelEntry(BaseModel, defer_build=True):
    """A language model. Its key never changes: adapters and orders name it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modality: Literal["text"] = "text"
    key: Annotated[str, Field(pattern="^[a-z0-9-]{1,80}$")]
    name: str
    summary: Sentence
    family: str
    source: str
    """``builtin``, or the repository of a model hub."""
    hub_name: str | None = None
    """Its repository on the hub, where ``source`` says something else."""
    place: Literal["hub", "local"] = "hub"
    """Where ``source`` is: on a hub, or in the folder of checkpoints on a worker's machine."""
    revision: str | None = None
    parameters: Annotated[int, Field(ge=1)]
    """All of its numbers."""
    embedding_parameters: Annotated[int, Field(ge=0)]
    """Those of the word tables, which stay in half precision when the rest is in 4 or 8 bits."""
    parameters_per_rank: dict[Literal["attention", "attention_and_feed_forward"], int]
    """Numbers of an adapter of rank 1, by what is trained (sum of inputs and outputs of each layer)."""
    context: Annotated[int, Field(ge=256)]
    """Tokens that it can look back on."""
    layout: Layout
    packs: bool = False
    """Whether it can be written as a file for llama.cpp: its vocabulary is of a kind that we know how to write."""
    is_beyond_float16: bool = False
    """Whether what it computes is more than float16 can hold, so that it takes float32 where there is no bfloat16."""
    has_chat_template: bool = True
    """Without one it goes on from a text's beginning and answers no orders."""
    languages: tuple[str, ...]
    """Those that its makers name, as ISO 639 codes; empty where nobody has said."""
    gated: bool = False
    """Its licence must be accepted on the hub by the account whose token the worker has."""
    ready: bool
    """True when it comes with Livery; else the worker fetches it once and needs the internet for that."""
    licence: str
    licence_url: str
    licence_sentence: Sentence
    """Whether texts and adapters may be used commercially, in one sentence."""
    commercial: bool | None = None
    """The same at a glance; None where nobody has said."""
    forbids_uses: bool = False
    """Whether the licence lists uses that it forbids, and asks to pass the list on with every adapter."""

    def is_foreign(self, language: str) -> bool:
        """Whether its makers name other languages than this one."""
        return bool(self.languages) and language not in self.languages

    def weight_bytes(self, quantization: Quantization, *, on_card: bool = True) -> int:
        """Bytes of the base alone: arithmetic from the number of parameters, not a measurement.

        Half precision takes 2 bytes a number (on a processor 4), 8 bits one byte, and NF4 half a byte with the scales
        of its blocks of 64 (Dettmers et al. 2023: 0.127 bits with double quantization).
        """
        plain = 2 if on_card else 4
        if quantization == "none":
            return self.parameters * plain
        each = 1.0 if quantization == "int8" else 0.5 + 0.127 / 8
        return round(self.embedding_parameters * plain + (self.parameters - self.embedding_parameters) * each)

    def adapter_bytes(self, rank: int, targets: Literal["attention", "attention_and_feed_forward"]) -> int:
        """Size of an adapter file in float32."""
        return self.parameters_per_rank[targets] * rank * 4


@cache
def all_models() -> tuple[BaseModelEntry, ...]:
    """Every base model for pictures, the recommended one first."""
    with CATALOGUE.open("rb") as file, KEPT.open("rb") as counted:
        kept = tomllib.load(counted)
        return tuple(
            BaseModelEntry.model_validate(
                entry | {"kept": [dict(zip(Kept.model_fields, row, strict=True)) for row in kept.get(entry["key"], ())]}
            )
            for entry in tomllib.load(file)["model"]
        )


@cache
def text_models() -> tuple[TextModelEntry, ...]:
    """Every base model for texts, the recommended one first."""
    with CATALOGUE.open("rb") as file:
        return tuple(TextModelEntry.model_validate(entry) for entry in tomllib.load(file)["text_model"])


def find_text_model(key: str) -> TextModelEntry | None:
    """None for the key of a model for pictures, or of one that has left the catalogue."""
    return next((entry for entry in text_models() if entry.key == key), None)


def text_model(key: str) -> TextModelEntry:
    """Raises ``UnknownBaseModel``, for the key of a model for pictures too."""
    found = find_text_model(key)
    if found is None:
        raise UnknownBaseModel(key=key[:80])
    return found


def get(key: str) -> BaseModelEntry:
    """Raises ``UnknownBaseModel``."""
    for entry in all_models():
        if entry.key == key:
            return entry
    raise UnknownBaseModel(key=key[:80])


def enlargement_of(key: str) -> int:
    """How many times as large as they are drawn pictures become; 1 for what is not in the catalogue."""
    return next((entry.enlargement for entry in all_models() if entry.key == key), 1)


def catalogue_name(key: str) -> str:
    """What people call it; the key itself for a model that has left the catalogue."""
    names = {entry.key: entry.name for entry in all_models()} | {entry.key: entry.name for entry in text_models()}
    return names.get(key, key)
