"""The base models that adapters are known to belong to, and what is said of one that cannot be read. Pure."""

from typing import Literal

from app.errors import N_, Invalid

Architecture = Literal[
    "stable_diffusion_1",
    "stable_diffusion_2",
    "stable_diffusion_xl",
    "flux_1",
    "flux_2",
    "z_image",
    "qwen_image",
    "chroma",
    "stable_diffusion_3",
    "auraflow",
    "hunyuan_video",
    "hunyuan_image",
    "krea_2",
    "cosmos",
    "wan",
    "hidream",
    "kandinsky_5",
    "lumina_2",
    "ltx",
    "mochi",
    "pixart",
    "sana",
    "cogvideox",
    "language_model",
    "unknown",
]
U_NETS: tuple[Architecture, ...] = ("stable_diffusion_1", "stable_diffusion_2", "stable_diffusion_xl")
TRANSFORMERS: tuple[Architecture, ...] = ("flux_1", "flux_2", "z_image", "qwen_image")


SUPPORTED: tuple[Architecture, ...] = (*U_NETS, *TRANSFORMERS)
"""Whose layers Livery has tables of; what is known beside them has no base here and is not converted."""
NAMES: dict[Architecture, str] = {
    "stable_diffusion_1": "Stable Diffusion 1.5",
    "stable_diffusion_2": "Stable Diffusion 2",
    "stable_diffusion_xl": "Stable Diffusion XL",
    "flux_1": "FLUX.1",
    "flux_2": "FLUX.2",
    "z_image": "Z-Image",
    "qwen_image": "Qwen-Image",
    "chroma": "Chroma",
    "stable_diffusion_3": "Stable Diffusion 3",
    "auraflow": "AuraFlow",
    "hunyuan_video": "HunyuanVideo",
    "hunyuan_image": "HunyuanImage",
    "krea_2": "Krea 2",
    "cosmos": "Cosmos-Predict2 / Anima",
    "wan": "Wan",
    "hidream": "HiDream",
    "kandinsky_5": "Kandinsky 5",
    "lumina_2": "Lumina 2",
    "ltx": "LTX-Video",
    "mochi": "Mochi",
    "pixart": "PixArt",
    "sana": "Sana",
    "cogvideox": "CogVideoX",
    "language_model": "",
    "unknown": "",
}
"""As people know them; empty where there is no one name."""
SIZES: dict[tuple[Architecture, int | None], str] = {
    ("flux_2", 3072): "FLUX.2 [klein] 4B",
    ("flux_2", 4096): "FLUX.2 [klein] 9B",
    ("flux_2", 6144): "FLUX.2 [dev]",
}
"""Where the width of the tokens says which one of a family it is."""


class UnknownDialect(Invalid):
    sentence = N_("The adapter's layers have names that Livery does not know (%(name)s), so it cannot be converted.")


class UnknownKind(UnknownDialect):
    sentence = N_(
        "This file holds another kind of adapter than a LoRA (%(kind)s), which Livery neither draws with nor converts. "
        "The program that it was made for can load it."
    )


class NoBase(UnknownDialect):
    sentence = N_(
        "This is an adapter of %(base)s, which Livery has no base for. It can be neither used nor converted here."
    )


class UnknownBase(UnknownDialect):
    sentence = N_(
        "Livery cannot tell which base model this adapter was made for, so it can be neither used nor converted here."
    )


class OnlyWrites(UnknownDialect):
    sentence = N_("This adapter belongs to a language model and does not draw, so there is nothing to convert it into.")


def check_supported(architecture: Architecture) -> None:
    """Raises ``NoBase``, ``UnknownBase`` or ``OnlyWrites`` for one whose layers Livery has no table of."""
    if architecture in SUPPORTED:
        return
    if architecture == "language_model":
        raise OnlyWrites()
    if NAMES[architecture]:
        raise NoBase(base=NAMES[architecture])
    raise UnknownBase()
