"""What an adapter's files say about it: the facts for their headers, and the sidecar for A1111. Pure."""

import json
from datetime import datetime

from app.adapters.models import Adapter
from app.adapters.names import file_stem
from app.base_models.catalogue import BaseModelEntry
from app.lora_files.keys.bases import Architecture
from app.lora_files.metadata import WORDS, AdapterFacts, BaseModelFacts, TrainingFacts

ARCHITECTURES = {
    "livery-builtin": ("livery-builtin", "livery_builtin"),
    "flux-1-schnell": ("flux-1-schnell", "flux1"),
    "flux-2-klein-base-4b": ("flux-2-klein", "flux2"),
    "flux-2-klein-4b": ("flux-2-klein", "flux2"),
    "flux-2-klein-base-9b": ("flux-2-klein", "flux2"),
    "flux-2-klein-9b": ("flux-2-klein", "flux2"),
}
"""By catalogue key, where a base has words of its own in headers."""
SD_VERSIONS = {"sd_v1": "SD1", "sd_v2": "SD2", "sdxl_base_v1-0": "SDXL", "flux1": "Flux"}
"""A1111's words for the bases that it runs, by sd-scripts' version, and Forge's for FLUX.1; both hide an adapter from a
base of another one, and show one that is ``Unknown`` with every base."""
_FAMILY_SIGNS: dict[str, Architecture] = {
    "xl": "stable_diffusion_xl",
    "stable_diffusion": "stable_diffusion_1",
    "flux2": "flux_2",
    "flux_2": "flux_2",
    "flux": "flux_1",
    "z_image": "z_image",
    "qwen_image": "qwen_image",
}


def architecture_of(base: BaseModelEntry) -> Architecture:
    """Whose names the layers of its adapters have; ``unknown`` for a family that is no picture model."""
    return next((found for sign, found in _FAMILY_SIGNS.items() if sign in base.family), "unknown")


def base_facts(base: BaseModelEntry) -> BaseModelFacts:
    family = architecture_of(base)
    plain = WORDS.get(family, (base.key, base.key.replace("-", "_")))
    architecture, version = ARCHITECTURES.get(base.key, plain)
    return BaseModelFacts(base.name, architecture, version, base.prediction_type, family)


def facts_for(
    *,
    brand: str,
    purpose: str,
    version: int,
    base: BaseModelEntry,
    rank: int,
    alpha: float,
    trigger_word: str,
    created_at: datetime,
    training: TrainingFacts | None,
) -> AdapterFacts:
    """What the headers of all its files are made from."""
    return AdapterFacts(
        name=file_stem(brand, purpose, version),
        title=f"{brand} {purpose} v{version}",
        base=base_facts(base),
        rank=rank,
        alpha=alpha,
        trigger_word=trigger_word,
        created_at=created_at,
        description=f"Learned {purpose}. Write “{trigger_word}” in the prompt.",
        license=base.licence,
        usage_hint=f"{trigger_word}, strength 1.0",
        training=training,
    )


def sidecar(adapter: Adapter, base_name: str, base: BaseModelEntry | None) -> bytes:
    """The ``.json`` that A1111 and InvokeAI read beside an adapter of the same name; ``base`` is None for one that
    nobody knows any more."""
    return json.dumps(
        {
            "description": f"{adapter.name}, {adapter.purpose}, version {adapter.version}. Base: {base_name}.",
            "sd version": SD_VERSIONS.get(base_facts(base).version, "Unknown") if base is not None else "Unknown",
            "activation text": adapter.trigger_word,
            "preferred weight": adapter.recommended_strength,
            "negative text": "",
            "notes": adapter.note,
        },
        ensure_ascii=False,
        indent=1,
    ).encode()
