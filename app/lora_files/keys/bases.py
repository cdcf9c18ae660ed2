"""The base models that adapters are known to belong to, and what is said of one that cannot be read. Pure."""

from app.errors import N_, Invalid
from app.lora_files.families import known
from app.lora_files.families.facts import Architecture

OTHERS: dict[Architecture, str] = {
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
}
"""Those whose layers Livery has no table of, as people know them: their adapters are neither used nor converted."""
LANGUAGE_MODEL, UNKNOWN = "language_model", "unknown"


def name_of(architecture: Architecture, width: int | None = None) -> str:
    """As people know it, with its size where the width of its tokens says it; empty where there is no one name."""
    facts = known.find(architecture)
    if facts is None:
        return OTHERS.get(architecture, "")
    return facts.name if width is None else facts.sizes.get(width, facts.name)


class UnknownKeyFormat(Invalid):
    sentence = N_("The adapter's layers have names that Livery does not know (%(name)s), so it cannot be converted.")


class UnknownAdapterKind(UnknownKeyFormat):
    sentence = N_(
        "This file is not a LoRA but a different kind of adapter (%(kind)s), which Livery can neither draw "
        "with nor convert. The program that it was made for can load it."
    )


class NoBase(UnknownKeyFormat):
    sentence = N_(
        "This adapter belongs to %(base)s, a base model that Livery does not have. You can neither use nor "
        "convert it here."
    )


class UnknownBase(UnknownKeyFormat):
    sentence = N_(
        "Livery cannot tell which base model this adapter was made for, so you can neither use nor convert it here."
    )


class OnlyWrites(UnknownKeyFormat):
    sentence = N_("This adapter belongs to a language model and cannot draw, so there is no format to convert it to.")


def check_supported(architecture: Architecture) -> None:
    """Raises ``NoBase``, ``UnknownBase`` or ``OnlyWrites`` for one whose layers Livery has no table of."""
    if known.find(architecture) is not None:
        return
    if architecture == LANGUAGE_MODEL:
        raise OnlyWrites()
    if name := name_of(architecture):
        raise NoBase(base=name)
    raise UnknownBase()
