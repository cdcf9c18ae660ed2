"""What an adapter's files say about it: the facts for their headers, and the sidecar for A1111. Pure."""

import json
from datetime import datetime

from app.adapters.metadata import AdapterFacts, BaseModelFacts, TrainingFacts
from app.adapters.models import Adapter
from app.adapters.names import file_stem
from app.base_models.catalogue import BaseModelEntry

ARCHITECTURES = {
    "livery-builtin": ("livery-builtin", "livery_builtin"),
    "stable-diffusion-1-5": ("stable-diffusion-v1", "sd_v1"),
}
"""By catalogue key: ``modelspec.architecture`` without ``/lora``, and sd-scripts' ``ss_base_model_version``."""


def base_facts(base: BaseModelEntry) -> BaseModelFacts:
    architecture, version = ARCHITECTURES.get(base.key, (base.key, base.key.replace("-", "_")))
    prediction = "v_prediction" if base.prediction_type == "v_prediction" else "epsilon"
    return BaseModelFacts(base.name, architecture, version, prediction)


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


def sidecar(adapter: Adapter, base_name: str) -> bytes:
    """The ``.json`` that A1111 and InvokeAI read beside an adapter of the same name."""
    return json.dumps(
        {
            "description": f"{adapter.name}, {adapter.purpose}, version {adapter.version}. Base: {base_name}.",
            "sd version": "SD1" if adapter.base_model.startswith("stable-diffusion-1") else "Unknown",
            "activation text": adapter.trigger_word,
            "preferred weight": adapter.recommended_strength,
            "negative text": "",
            "notes": adapter.note,
        },
        ensure_ascii=False,
        indent=1,
    ).encode()
