"""The contract between handlers and text engines, beside ``contracts``. No model library is imported here, and
nothing of the database."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from app.trainings.voice.recipe import VoiceRecipe
from worker.engines.contracts import AdapterFile, Base, Progress, Step


class Turn(Protocol):
    """One turn of a conversation, such as ``app.writings.recipe.Message``."""

    @property
    def role(self) -> str: ...

    @property
    def content(self) -> str: ...


class WritingRequest(Protocol):
    """A request to write, such as ``app.writings.recipe.WritingRecipe``."""

    @property
    def quantization(self) -> Literal["none", "int8", "nf4"]:
        """How the base's numbers are held: as when the adapter was trained."""

    @property
    def kind(self) -> Literal["instructions", "plain_text"]:
        """Whether ``messages`` are an order, or a text's beginning with what stands above it."""

    @property
    def messages(self) -> Sequence[Turn]: ...

    @property
    def max_new_tokens(self) -> int: ...

    @property
    def temperature(self) -> float: ...

    @property
    def top_p(self) -> float: ...

    @property
    def seed(self) -> int: ...

    @property
    def count(self) -> int: ...


@dataclass(frozen=True)
class WritingInputs:
    """The base and the adapter to write with."""

    base: Base
    adapter: AdapterFile | None = None
    """One safetensors file of PEFT's tensors with the PEFT configuration in its header; without it the base alone."""
    cache: Path | None = None
    """Folder that outlives the job, where a converted base may be kept."""


@dataclass(frozen=True)
class Written:
    """A variant as far as it is written."""

    variant: int
    text_so_far: str
    finished: bool
    tokens: int
    seconds: float
    """Since this variant was begun."""


@dataclass(frozen=True)
class Said:
    """A turn of a conversation that a voice is trained on."""

    role: str
    content: str


@dataclass(frozen=True)
class VoiceText:
    """One text of the brand, with the order that it answers (system and user; not read for plain text)."""

    key: str
    """Stable for the sample, so that the order of learning follows from it."""
    order: tuple[Said, ...]
    text: str


@dataclass(frozen=True)
class VoiceInputs:
    base: Base
    texts: tuple[VoiceText, ...]
    held_out: tuple[VoiceText, ...] = ()
    """The validation split: measured with, never trained on."""
    style_guide: str = ""
    """What the base is given in its prompt to compare with; made from ``texts`` alone."""
    resume_from: Path | None = None
    """Folder of the checkpoint to go on from; the result equals an uninterrupted run."""
    cache: Path | None = None
    """Folder that outlives the job, where a converted base may be kept."""


@dataclass(frozen=True)
class SampleText:
    """A text written while training: by the base alone at step 0, by the adapter afterwards, with the same seed."""

    step: int
    index: int
    brief: str
    seed: int
    text: str


@dataclass(frozen=True)
class VariantMeasures:
    """Measures of one variant (base, base with style guide, adapter) on the validation split."""

    loss: float
    """Mean negative log-likelihood of a token of the held-out texts, in nats; its exponential is the perplexity."""
    texts: tuple[str, ...]
    """Its answers to the briefs that ``VoiceMeasures.asked`` names, in that order."""
    embedding_distance: float | None
    """1 − cosine between the mean last hidden states of the base over its texts and over the held-out ones."""


@dataclass(frozen=True)
class VoiceMeasures:
    """Base alone, base with the style guide in its prompt, and adapter, on the same texts."""

    tokens: int
    """Number of held-out tokens whose loss counts."""
    base: VariantMeasures
    prompted: VariantMeasures
    adapter: VariantMeasures
    asked: tuple[int, ...]
    """Places of the held-out texts whose briefs each of the three answered: spread over all of them."""


@dataclass(frozen=True)
class TrainedVoice:
    """``weights`` is one safetensors file under PEFT's names, with PEFT's configuration in its header."""

    weights: Path
    rank: int
    alpha: float
    steps: int
    planned_steps: int
    finished: bool
    """False when a person stopped it."""
    best_step: int
    """The step whose weights were kept; less than ``steps`` when the held-out part got worse again."""
    final_loss: float | None
    """Mean over the last tenth of the steps run."""
    seconds_per_step: float | None
    tokens_per_step: float | None
    peak_memory_bytes: int
    base_bytes: int
    """Bytes of the base's weights, as they were held."""
    device: str
    precision: str
    """The precision it computed in: ``bfloat16``, ``float16`` or ``float32``."""
    skipped_steps: int
    """Steps left out because their gradient was no number in float16."""
    cut_texts: int
    """Texts of which the end was not read, because a row was too short for them; trained and held out together."""
    measures: VoiceMeasures | None
    """None without a held-out part, or when a person stopped it."""


class VoiceProgress(Protocol):
    """How the training of a voice reports."""

    def held_out(self, step: int, loss: float) -> None:
        """Report the mean loss over the held-out part."""

    def sample_text(self, text: SampleText) -> None:
        """Hand over a finished sample text."""

    def phase(self, name: str) -> None: ...

    def step(self, step: Step) -> None: ...

    def drawn(self, done: int, total: int) -> None: ...

    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None: ...

    def checkpoint(self, folder: Path, step: int) -> None: ...


class TextEngine(Protocol):
    """One family of language models. Modules satisfy it with plain functions."""

    def train(self, recipe: VoiceRecipe, inputs: VoiceInputs, out: Path, progress: VoiceProgress) -> TrainedVoice:
        """Train one adapter; writes ``adapter.safetensors`` and ``checkpoints/`` under ``out``.

        Several times an epoch the held-out part is measured, the sample briefs are written and a checkpoint is handed
        over. The adapter that measured best is kept, and the training ends early when it gets no better. ``Cancelled``
        and ``GiveBack`` as for ``Engine.train``.

        Raises ``EngineError``: ``diverged``, ``out_of_memory``, ``no_texts``, ``too_long``, ``no_chat_template``,
        ``bad_checkpoint``, ``disk_full``, ``model_unavailable``, ``model_unsupported``.
        """

    def gguf_adapter(self, base: Base, weights: Path, out: Path, cache: Path | None = None) -> Path | None:
        """Write a trained adapter for llama.cpp; None where the base's layout has no such form."""

    def merged_folder(
        self, base: Base, weights: Path, out: Path, cache: Path | None, told: Callable[[int, int], None]
    ) -> Path:
        """Write base and adapter as one model that transformers loads. ``told`` is called with how many tensors are
        written and how many there are, and may raise. Raises ``EngineError``."""

    def merged_gguf(
        self,
        base: Base,
        weights: Path,
        out: Path,
        precision: Literal["f16", "q8_0"],
        name: str,
        cache: Path | None,
        told: Callable[[int, int], None],
    ) -> Path:
        """The same as one file for llama.cpp. Raises ``EngineError``: ``not_packed`` where the base has none."""

    def write(self, recipe: WritingRequest, inputs: WritingInputs, progress: Progress) -> Iterator[Written]:
        """Write the variants one after the other, yielding each as it grows. Raises ``EngineError``."""
