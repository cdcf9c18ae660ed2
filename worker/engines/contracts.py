"""The contract between handlers and engines. No model library is imported here, and nothing of the database."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import TrainingRecipe


class Cancelled(Exception):
    """Raised by ``Progress.step`` when a person has asked to stop: keep what there is and return."""


class GiveBack(Exception):
    """Raised by ``Progress.step`` when this worker must stop: write a checkpoint and let the exception through."""


class EngineError(Exception):
    """An error meant for people: a code, and a sentence that says what happened and what to do."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True)
class Base:
    """A base model as an engine needs to know it."""

    key: str
    family: str
    source: str
    """``builtin``, a hub repository name, an absolute folder, or the absolute path of one checkpoint file."""
    revision: str | None = None
    parts: str | None = None
    """For a checkpoint that is one file: the folder with its configuration, and with what the file does not hold."""
    on_hub: str | None = None
    """Repository of a model hub that a folder's files came from."""

    @property
    def origin(self) -> str:
        """For people and other programs: the name on the hub; of a folder or file the last name alone, as paths of this
        machine are nobody's business."""
        return self.on_hub or (Path(self.source).name if Path(self.source).is_absolute() else self.source)


@dataclass(frozen=True)
class TrainingPicture:
    """One picture as the engine gets it: a file in the job's folder and the crop that is scaled to the target size."""

    path: Path
    caption: str
    left: int
    top: int
    width: int
    height: int
    target_width: int
    target_height: int


@dataclass(frozen=True)
class TrainingInputs:
    base: Base
    pictures: tuple[TrainingPicture, ...]
    resume_from: Path | None = None
    """Folder of the checkpoint to go on from; the result equals an uninterrupted run."""
    enlargement: int = 1
    """How many times as wide and as high as they are drawn sample pictures become, 1 or 4."""


@dataclass(frozen=True)
class Step:
    """Measures of one optimizer step."""

    step: int
    total: int
    loss: float | None
    """None where it was no number, and the step was left out."""
    learning_rate: float
    seconds: float
    peak_memory_bytes: int | None = None
    """While steps were taken so far, what is drawn between them left out; None where nobody measures that."""


@dataclass(frozen=True)
class SamplePicture:
    """A picture drawn while training: by the base alone at step 0, by the adapter afterwards, at the same seed."""

    step: int
    index: int
    prompt: str
    seed: int
    path: Path


@dataclass(frozen=True)
class TrainedAdapter:
    """``weights`` is a diffusers LoRA file (``unet.…lora_A.weight``) whose header holds the PEFT config."""

    weights: Path
    rank: int
    alpha: float
    steps: int
    finished: bool
    """False when a person stopped it early."""
    final_loss: float | None
    """Mean loss over the last tenth of the steps run; None when no step ran."""
    seconds_per_step: float | None
    peak_memory_bytes: int
    device: str
    precision: str
    """The precision it computed in: ``bfloat16``, ``float16`` or ``float32``."""
    skipped_steps: int
    """Steps left out because their gradient was no number in float16."""


@dataclass(frozen=True)
class AdapterFile:
    """An adapter to draw with. ``key`` is stable for the file's content, so that an engine may keep it loaded."""

    key: str
    path: Path
    strength: float


@dataclass(frozen=True)
class GenerationInputs:
    base: Base
    adapters: tuple[AdapterFile, ...] = field(default=())
    image: Path | None = None
    """The picture to start from, of any size; it is cropped around its middle to the proportion asked for."""
    mask: Path | None = None
    """Grey picture of the size of ``image``: white is drawn anew, black stays to the pixel, grey is blended."""
    offload: Literal["none", "models", "blocks"] | None = None
    """What leaves the card while it is not needed: nothing, whole models, or the denoiser's blocks too. None: as the
    family thinks best."""
    batch_size: int | None = None
    """Pictures to draw together at most; None: as the engine estimates."""
    tiled: bool | None = None
    """Whether the autoencoder works in tiles; None: where the memory looks short."""
    enlargement: int = 1
    """How many times as wide and as high as the recipe says pictures become at the end, 1 or 4."""
    trigger_words: tuple[str, ...] = ()
    """The adapters' own words in the prompt, which mean nothing else."""


@dataclass(frozen=True)
class GeneratedPicture:
    index: int
    path: Path
    """A PNG without metadata."""
    seed: int
    width: int
    """Of the file, in pixels, as is the height."""
    height: int
    strength: float
    """The multiplier of the strip, 1.0 outside a strip."""
    seconds: float


class Progress(Protocol):
    """How an engine tells what it does. The worker throttles what it writes."""

    def phase(self, name: str) -> None:
        """Say what goes on now: ``loading``, ``caching``, ``training``, ``sampling``, ``saving``, ``drawing``,
        ``measuring``, ``writing``, ``enlarging``.

        Raises ``Cancelled`` or ``GiveBack`` like ``step``.
        """

    def step(self, step: Step) -> None:
        """Report a finished optimizer step. Raises ``Cancelled`` or ``GiveBack``."""

    def drawn(self, done: int, total: int) -> None:
        """Report finished denoising steps of all pictures, words of all texts, or tiles.

        Raises ``Cancelled``/``GiveBack``.
        """

    def sample(self, picture: SamplePicture) -> None:
        """Hand over a finished sample picture."""

    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        """Say that the memory ran out in a step and that this is how it goes on, to the same result."""

    def drawing_smaller(self, *, batch_size: int, tiled: bool) -> None:
        """Say that the memory ran out while drawing and that this is how it goes on, to the same pictures."""

    def checkpoint(self, folder: Path, step: int) -> None:
        """Hand over a complete checkpoint folder."""


class Engine(Protocol):
    """One model family. Modules satisfy it with plain functions."""

    def train(self, recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
        """Train one adapter; writes ``adapter.safetensors``, ``samples/`` and ``checkpoints/`` under ``out``.

        A checkpoint is handed over every ``checkpoint_every`` steps and after the last one, after its sample pictures.
        On ``Cancelled`` the adapter is saved as it is and returned with ``finished=False``; before the first step there
        is nothing to keep and ``Cancelled`` goes through. On ``GiveBack`` a checkpoint is handed over and the exception
        goes through.

        Raises ``EngineError``: ``diverged`` (the checkpoints up to then stay), ``out_of_memory``, ``bad_picture``,
        ``bad_size``, ``bad_order``, ``no_pictures``, ``bad_checkpoint``, ``disk_full``, ``model_unavailable``,
        ``model_unsupported``, ``optimizer_unavailable``.
        """

    def generate(
        self, recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
    ) -> Iterator[GeneratedPicture]:
        """Draw the pictures, several in one batch where memory allows, and yield each when its file is complete.

        Picture i starts from the noise of ``seed + i`` whatever the batch, see ``GenerationRecipe`` for strips and
        variations; a variation's ``seed`` is that of the noise it was turned towards. With ``inputs.image`` it starts
        from that picture as far as ``strength`` says, with ``inputs.mask`` it keeps the rest to the pixel, of the start
        picture in the size that comes out. Files are ``picture-<i>.png``. On ``Cancelled`` the pictures that are
        complete have been yielded and the iterator ends; ``GiveBack`` goes through.

        Raises ``EngineError``: ``bad_size``, ``bad_order``, ``bad_picture``, ``unknown_scheduler``,
        ``adapter_mismatch``, ``adapter_unreadable``, ``out_of_memory``, ``model_unavailable``, ``model_unsupported``.
        """


@dataclass(frozen=True)
class EnlargedPicture:
    """A PNG without metadata, and by which network it was enlarged, by its makers' name."""

    path: Path
    width: int
    height: int
    network: str
    seconds: float


class Enlarger(Protocol):
    """Makes pictures larger. A module satisfies it with a plain function."""

    def enlarge(self, source: Path, times: int, target: Path, progress: Progress) -> EnlargedPicture:
        """Write the picture ``source`` 2 or 4 times as wide and as high to ``target``; tells each tile as ``drawn``.

        Raises ``EngineError`` (``out_of_memory``, ``enlarger_missing``), and between tiles ``Cancelled``, ``GiveBack``.
        """
