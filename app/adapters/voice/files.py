"""The files that a voice can be taken along as. Made from the one stored file while they are sent; no model library.

The stored file holds PEFT's tensors, and PEFT's configuration as JSON in its header.
"""

import json
import struct
from typing import Any, Literal
from zipfile import ZIP_STORED

from zipstream import ZipStream

from app.adapters.models import Adapter
from app.adapters.names import file_stem
from app.base_models.catalogue import TextModelEntry
from app.errors import NotFound
from app.storage import Storage

VoiceFile = Literal["peft", "safetensors", "gguf"]
VOICE_FILES: tuple[VoiceFile, ...] = ("peft", "safetensors", "gguf")
CONFIGURATION = "lora_adapter_metadata"
CONFIGURATION_FILE, TENSORS = "adapter_config.json", "adapter_model.safetensors"
"""What PEFT calls the two files of an adapter."""
LONGEST_HEADER = 10_000_000
HELD = {"int8": "in 8 bits", "nf4": "in 4 bits (NF4)"}


def voice_file_name(adapter: Adapter, kind: VoiceFile) -> str:
    """The name under which the file leaves the house."""
    ending = {"peft": "-peft.zip", "safetensors": ".safetensors", "gguf": ".gguf"}[kind]
    return file_stem(adapter.name, adapter.purpose, adapter.version) + ending


def configuration(storage: Storage, key: str) -> dict[str, Any]:
    """PEFT's configuration from the stored file's header. Raises ``NotFound`` when the file is gone."""
    try:
        start = b"".join(storage.chunks(key, 0, 8))
        (length,) = struct.unpack("<Q", start)
        if length > LONGEST_HEADER:
            raise NotFound()
        header = json.loads(b"".join(storage.chunks(key, 8, 8 + length)))
        found: dict[str, Any] = json.loads(header["__metadata__"][CONFIGURATION])
    except (FileNotFoundError, KeyError, ValueError, struct.error) as error:
        raise NotFound() from error
    return found


def peft_folder(storage: Storage, adapter: Adapter, base: TextModelEntry | None) -> ZipStream:
    """A ZIP with ``adapter_config.json``, ``adapter_model.safetensors`` and a card: what PEFT calls an adapter.

    Its length is known before the first byte. Raises ``NotFound``.
    """
    facts = configuration(storage, adapter.diffusers_key)
    packed = ZipStream(compress_type=ZIP_STORED, sized=True)
    packed.add(json.dumps(facts, indent=1, sort_keys=True).encode(), CONFIGURATION_FILE)
    packed.add(storage.chunks(adapter.diffusers_key), TENSORS, size=adapter.byte_count)
    packed.add(card(adapter, base, facts).encode(), "README.md")
    return packed


def card(adapter: Adapter, base: TextModelEntry | None, facts: dict[str, Any]) -> str:
    """A model card of the adapter in Markdown. Tells of the texts no more than their number."""
    told = adapter.facts
    lines = [
        "---",
        "library_name: peft",
        f"base_model: {facts.get('base_model_name_or_path', adapter.base_model)}",
        f"language: {told.get('language', 'en')}",
        "---",
        "",
        f"# Voice of {adapter.name}, version {adapter.version}",
        "",
        f"- Base model: {base.name if base else adapter.base_model} ({base.licence if base else 'see its page'})",
        f"- Rank {adapter.rank}, alpha {adapter.alpha:g}",
        f"- Base model held {_held(told)} while it learned",
        f"- Learned from {told.get('sample_count', '?')} texts; {told.get('held_out_count', '?')} kept back to measure",
        f"- {told.get('best_step', told.get('steps', '?'))} of {told.get('planned_steps', '?')} steps",
    ]
    measured = (told.get("measures") or {}).get("held_out")
    if measured:
        lines += [
            "",
            "| on the texts kept back | loss in nats per token | distance in style |",
            "|---|---|---|",
            *(
                f"| {name} | {measured[arm]['loss']:.3f} | {_shown(measured[arm]['style_distance'])} |"
                for arm, name in (
                    ("base", "base model"),
                    ("prompted", "base model with a style guide in its prompt"),
                    ("adapter", "with this adapter"),
                )
            ),
        ]
    lines += [
        "",
        "```python",
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM",
        "",
        f'base = AutoModelForCausalLM.from_pretrained("{facts.get("base_model_name_or_path", "")}")',
        'model = PeftModel.from_pretrained(base, "this folder")',
        "```",
        "",
    ]
    return "\n".join(lines)


def _held(told: dict[str, Any]) -> str:
    return HELD.get((told.get("recipe") or {}).get("quantization", ""), "as it is")


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
