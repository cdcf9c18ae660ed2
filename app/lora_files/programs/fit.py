"""What the programs' loaders are judged by, and what is said of each. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.errors import N_
from app.lora_files.families.facts import Architecture, KeyFormat
from app.lora_files.keys.layers import Layer, Names
from app.lora_files.keys.tensor_names import stem_of
from app.lora_files.keys.weights import INPUT_MAGNITUDE, MAGNITUDE, MID, Shaped

FLAT: tuple[KeyFormat, ...] = ("kohya", "kohya_sgm", "onetrainer")
ORIGINAL_U_NET = (
    "input_blocks",
    "middle_block",
    "output_blocks",
    "time_embed_",
    "time_embed.",
    "label_emb",
    "out_2",
    "out.2",
)
ORIGINAL_FLUX = (
    "double_blocks", "single_blocks", "img_in", "txt_in", "time_in", "vector_in", "guidance_in", "final_layer",
    "single_stream_modulation", "double_stream_modulation",
)  # fmt: skip

OTHER_BASE = N_("Does not run this base.")
OTHER_NAMES = N_("Expects other names. Convert the file first.")
SOME_NAMES = N_("Expects other names for some of the layers. Convert the file first.")
OTHER_LAYERS = N_("Does not support some of the layers.")
TEXT_NAMES = N_("Expects another name for the text encoder. Convert the file first.")
NO_DORA = N_("Ignores the lengths that DoRA learned.")
NO_DORA_IN_TEXT = N_("Ignores the lengths that DoRA learned in the text encoder.")
DORA_OF_BASE = N_(
    "Measures DoRA's lengths on the base's rows instead of the changed ones, so pictures are slightly off."
)
DORA_OF_COLUMNS = N_("Mistakes DoRA's row lengths for column lengths, so pictures differ.")
NO_KIND = N_("Does not read this kind of adapter (%(kind)s) under these names.")
NO_ALPHA = N_("Ignores this file's alpha and would draw %(factor)s times as strong. Convert the file first.")
NEEDS_ALPHA = N_("Stops at layers without an alpha of their own. Convert the file first.")
REFUSES_ALPHA = N_("Refuses alphas under these names. Convert the file first.")
NEEDS_LYCORIS = N_("Reads this kind of adapter (%(kind)s) only if LyCORIS is also installed.")
TOO_MANY_LEFT = N_("Refuses a file with more than %(most)s tensors that it does not know. Convert the file first.")
TAKEN_FOR_FLUX_1 = N_("Mistakes this file for a FLUX.1 file and then misses FLUX.1's layers. Convert the file first.")
NOT_KNOWN = N_("We do not know.")
NEEDS_CONFIG = N_("Needs the adapter_config.json that belongs to this file.")


@dataclass(frozen=True)
class Fit:
    """How much of a file a program loads."""

    program: str
    name: str
    loaded: int | None
    """Tensors, alphas not counted; None where we do not know."""
    total: int
    reason: str = ""
    """An English %-template that says why not all, or what is different."""
    params: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        return self.loaded == self.total


@dataclass(frozen=True)
class Contents:
    """What a program's loader decides by."""

    names: Names
    entries: Mapping[str, Shaped]
    untold: Sequence[float] = ()
    """alpha / rank of each layer whose alpha stands in the header alone."""

    @property
    def architecture(self) -> Architecture:
        return self.names.architecture

    @property
    def key_format(self) -> KeyFormat:
        return self.names.key_format

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.names.layers

    @property
    def total(self) -> int:
        return sum(count(layer) for layer in self.layers)

    @property
    def lengths(self) -> int:
        """Tensors with DoRA's lengths."""
        return sum(1 for layer in self.layers for part in layer.names if part in (MAGNITUDE, INPUT_MAGNITUDE))

    @property
    def kind(self) -> str:
        """The first kind of adapter in it that is no plain LoRA, for people; empty if there is none."""
        kinds = {layer.algorithm for layer in self.layers}
        if "lokr" in kinds or "loha" in kinds:
            return "LoKr" if "lokr" in kinds else "LoHa"
        return "LoCon" if any(MID in layer.names for layer in self.layers) else ""

    @property
    def measures_rows(self) -> bool:
        """Whether LyCORIS's name for DoRA's lengths holds those of rows, as it writes them itself since 2024."""
        lengths = [layer.names[MAGNITUDE] for layer in self.layers if MAGNITUDE in layer.names]
        return any(name.endswith(".dora_scale") and self.entries[name].shape[:1] != (1,) for name in lengths)

    @property
    def has_alphas(self) -> bool:
        return any("alpha" in layer.names for layer in self.layers)


def count(layer: Layer) -> int:
    """Its tensors, alphas not counted."""
    return sum(1 for part in layer.names if part != "alpha")


def words(layer: Layer) -> set[str]:
    """What stands behind the layer's name: ``lora_down.weight``, ``alpha``…"""
    stem = stem_of(layer)
    return {name.removeprefix(stem).lstrip("._") for name in layer.names.values()}


def after(layer: Layer, *prefixes: str) -> str | None:
    """The layer's name in the file without the first of these prefixes that it bears; None if it bears none."""
    stem = stem_of(layer)
    return next((stem.removeprefix(prefix) for prefix in prefixes if stem.startswith(prefix)), None)


def by_layers(
    contents: Contents, program: str, name: str, hears: Callable[[Layer], bool], reason: str = SOME_NAMES
) -> Fit:
    """A fit by what ``hears`` says of each layer; ``reason`` where it is a part of them."""
    missed = sum(count(layer) for layer in contents.layers if not hears(layer))
    if missed == contents.total:
        return Fit(program, name, 0, contents.total, OTHER_NAMES)
    return Fit(program, name, contents.total - missed, contents.total, reason if missed else "")


def none(contents: Contents, program: str, name: str, reason: str, **params: str) -> Fit:
    return Fit(program, name, 0, contents.total, reason, params)
