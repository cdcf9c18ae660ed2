"""Which programs load a file, and how much of it: by the names that each of them looks for.

diffusers 0.42 is judged by its ``loaders/lora_conversion_utils.py``, ComfyUI by its ``comfy/lora.py`` (which Forge
carries too), both of November 2026; A1111, sd-scripts and InvokeAI by the names that their own files and guides have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.adapters.dialects import Layer, Names
from app.adapters.module_names import U_NETS, Architecture
from app.adapters.parts import INPUT_MAGNITUDE, LOHA, LOKR, MAGNITUDE, MID
from app.errors import N_

FLAT = ("kohya", "kohya_sgm", "onetrainer")
_MODERN: tuple[Architecture, ...] = ("flux_2", "z_image", "qwen_image")
OTHER_BASE = N_("It does not run this base.")
OTHER_NAMES = N_("It looks for other names. Convert the file first.")
SOME_NAMES = N_("It looks for other names in a part of the layers. Convert the file first.")
TEXT_NAMES = N_("It looks for the text encoder under another name. Convert the file first.")
NO_DORA = N_("It leaves out the lengths that DoRA has learned.")
NO_KIND = N_("It does not read this kind of adapter (%(kind)s) in these names.")
NO_ALPHA = N_("It does not read the alpha of this file, and would draw %(factor)s times as strong. Convert it first.")
NOT_KNOWN = N_("We do not know.")
NEEDS_CONFIG = N_("It needs the adapter_config.json that belongs to this file.")


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
    strengths: Sequence[float]
    """alpha / rank of each layer that says it."""

    @property
    def architecture(self) -> Architecture:
        return self.names.architecture

    @property
    def total(self) -> int:
        return sum(_count(layer) for layer in self.names.layers)


def fits(contents: Contents) -> list[Fit]:
    """One for each program, in the order in which people ask."""
    if contents.architecture == "language_model":
        whole = Fit("transformers", "transformers, vLLM", contents.total, contents.total, NEEDS_CONFIG)
        return (
            [whole]
            if contents.names.dialect == "peft"
            else [Fit("transformers", "transformers", 0, contents.total, OTHER_NAMES)]
        )
    return [judge(contents) for judge in _JUDGES]


def _comfyui(contents: Contents, program: str = "comfyui", name: str = "ComfyUI") -> Fit:
    dialect, total = contents.names.dialect, contents.total
    if dialect in ("xlabs", "peft", "unknown"):
        return Fit(program, name, 0, total, OTHER_NAMES)
    if dialect in ("canonical", "diffusers_old") and contents.architecture in U_NETS:
        # It knows diffusers' names of 2023, where attention had a processor in its path.
        unheard = [layer for layer in contents.names.layers if ".to_" in layer.path and not _has_processor(layer)]
        missed = sum(_count(layer) for layer in unheard)
        if missed:
            return Fit(program, name, total - missed, total, SOME_NAMES)
    if dialect in FLAT and contents.architecture == "z_image":
        missed = sum(_count(layer) for layer in contents.names.layers if ".attention.to_" in layer.path)
        if missed:
            return Fit(program, name, total - missed, total, SOME_NAMES)
    strength = max(contents.strengths, default=1.0)
    if (
        dialect in ("canonical", "diffusers_old")
        and contents.strengths
        and set(contents.strengths) != {1.0}
        and strength
    ):
        return Fit(program, name, total, total, NO_ALPHA, {"factor": f"{1 / strength:.3g}"})
    return Fit(program, name, total, total)


def _forge(contents: Contents) -> Fit:
    if contents.architecture in _MODERN:
        return Fit("forge", "Forge", 0, contents.total, OTHER_BASE)
    return _comfyui(contents, "forge", "Forge")


def _a1111(contents: Contents) -> Fit:
    total = contents.total
    if contents.architecture not in U_NETS:
        return Fit("a1111", "AUTOMATIC1111", 0, total, OTHER_BASE)
    if contents.names.dialect not in FLAT:
        return Fit("a1111", "AUTOMATIC1111", 0, total, OTHER_NAMES)
    wanted = ("lora_te1_", "lora_te2_") if contents.architecture == "stable_diffusion_xl" else ("lora_te_",)
    missed = [
        layer
        for layer in contents.names.layers
        if layer.component != "unet" and not next(iter(layer.names.values())).startswith(wanted)
    ]
    if missed:
        return Fit("a1111", "AUTOMATIC1111", total - sum(_count(layer) for layer in missed), total, TEXT_NAMES)
    return Fit("a1111", "AUTOMATIC1111", total, total)


def _diffusers(contents: Contents) -> Fit:
    program, name, total, names = "diffusers", "diffusers", contents.total, contents.names
    kinds = {layer.algorithm for layer in names.layers} - {"lora"}
    has_core = any(MID in layer.names for layer in names.layers)
    if (kinds or has_core) and names.dialect != "canonical":
        reads_lokr = contents.architecture in ("flux_2", "z_image") and kinds == {"lokr"} and not has_core
        if not reads_lokr:
            kind = "LoCon" if not kinds else "LoKr" if "lokr" in kinds else "LoHa"
            return Fit(program, name, 0, total, NO_KIND, {"kind": kind})
    if names.dialect in ("lycoris", "unknown") or (names.dialect == "comfyui" and contents.architecture in U_NETS):
        return Fit(program, name, 0, total, OTHER_NAMES)
    words = {layer.names["lora_A.weight"] for layer in names.layers if "lora_A.weight" in layer.names}
    is_original_flux = names.dialect == "comfyui" and contents.architecture == "flux_1"
    if is_original_flux and any(word.endswith(".lora_A.weight") for word in words):
        return Fit(program, name, 0, total, OTHER_NAMES)
    if names.dialect == "comfyui" and contents.architecture == "flux_2" and _has_alphas(names):
        return Fit(program, name, 0, total, OTHER_NAMES)
    lengths = sum(1 for layer in names.layers for part in layer.names if part in (MAGNITUDE, INPUT_MAGNITUDE))
    if lengths and names.dialect != "canonical":
        return Fit(program, name, total - lengths, total, NO_DORA)
    return Fit(program, name, total, total)


def _kohya(contents: Contents) -> Fit:
    program, name, total = "kohya", "kohya sd-scripts", contents.total
    if contents.architecture in _MODERN:
        return Fit(program, name, 0, total, OTHER_BASE)
    if contents.names.dialect not in ("kohya", "kohya_sgm"):
        return Fit(program, name, 0, total, OTHER_NAMES)
    return Fit(program, name, total, total)


def _invokeai(contents: Contents) -> Fit:
    program, name, total, dialect = "invokeai", "InvokeAI", contents.total, contents.names.dialect
    if contents.architecture in _MODERN:
        return Fit(program, name, None, total, NOT_KNOWN)
    if contents.architecture in U_NETS:
        return Fit(program, name, total, total) if dialect in FLAT else Fit(program, name, None, total, NOT_KNOWN)
    if dialect in ("lycoris", "peft", "comfyui", "unknown"):
        return Fit(program, name, None, total, NOT_KNOWN)
    return Fit(program, name, total, total)


_JUDGES: tuple[Callable[[Contents], Fit], ...] = (_comfyui, _a1111, _forge, _diffusers, _kohya, _invokeai)


def _count(layer: Layer) -> int:
    return sum(1 for part in layer.names if part != "alpha")


def _has_processor(layer: Layer) -> bool:
    return any(".processor." in name for name in layer.names.values())


def _has_alphas(names: Names) -> bool:
    return any("alpha" in layer.names for layer in names.layers)


def kinds_of(layer: Layer) -> str:
    """LoRA, LoCon, DoRA, LoKr or LoHa, for people."""
    if any(part in LOKR for part in layer.names):
        return "LoKr"
    if any(part in LOHA for part in layer.names):
        return "LoHa"
    if MAGNITUDE in layer.names or INPUT_MAGNITUDE in layer.names:
        return "DoRA"
    return "LoCon" if MID in layer.names else "LoRA"
