"""What an adapter's files say about it: the facts for their headers, and the sidecar for A1111. Pure."""

import json
from datetime import datetime

from app.adapters.models import Adapter
from app.adapters.names import file_stem
from app.base_models.catalogue import BaseModelEntry
from app.lora_files.families import known
from app.lora_files.families.facts import Architecture
from app.lora_files.keys.bases import UNKNOWN
from app.lora_files.metadata import AdapterFacts, BaseModelFacts, TrainingFacts


def architecture_of(base: BaseModelEntry) -> Architecture:
    """Whose names the layers of its adapters have; ``unknown`` for a family that is no picture model."""
    facts = known.by_key(base.family)
    return facts.architecture if facts is not None else UNKNOWN


def base_facts(base: BaseModelEntry) -> BaseModelFacts:
    """What headers of its adapters say of the base."""
    facts = known.by_key(base.family)
    words = (facts.modelspec, facts.sd_scripts) if facts is not None else (base.key, base.key.replace("-", "_"))
    architecture, version = facts.bases.get(base.key, words) if facts is not None else words
    if base.edition > 1:
        version = f"{version}_{base.edition}"
    return BaseModelFacts(base.name, architecture, version, base.prediction_type, architecture_of(base))


def _sd_version(base: BaseModelEntry) -> str:
    """A1111's word for the base: it hides an adapter from a base of another one, and shows one that is ``Unknown`` with
    every base."""
    facts = known.by_key(base.family)
    return facts.a1111 if facts is not None and base_facts(base).version == facts.sd_scripts else "Unknown"


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
            "sd version": _sd_version(base) if base is not None else "Unknown",
            "activation text": adapter.trigger_word,
            "preferred weight": adapter.recommended_strength,
            "negative text": "",
            "notes": adapter.note,
        },
        ensure_ascii=False,
        indent=1,
    ).encode()
