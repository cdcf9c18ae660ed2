"""What a language model is, told from its files: those of a folder, or of a repository before its gigabytes are
fetched."""

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from app.adapters import inspecting
from app.base_models import text_recognition
from app.base_models.recognition import Facts
from app.base_models.text_recognition import Numbers
from app.lora_files import safetensors_file
from worker.files.base_folders import SHARD, WHOLE

MOST_BYTES = 200 * 2**30
"""Of one file."""
MOST_SMALL_BYTES = 1_000_000
"""Of a configuration; what names a chat template may hold every word of a vocabulary too."""
MOST_TOKENIZER_BYTES = 30_000_000
CARD_BYTES = 100_000
CONFIGURATION, TOKENIZER = "config.json", "tokenizer.json"
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
SETTINGS_OF_TOKENIZER = "tokenizer_config.json"
CARD = "README.md"

Read = Callable[[str, int], bytes]
"""The first bytes of a file by its name."""


def is_one(sizes: Mapping[str, int]) -> bool:
    """Whether these files at the top of a folder can be a language model: whose configuration is not a part of a
    pipeline."""
    return CONFIGURATION in sizes and "model_index.json" not in sizes


def facts_of(sizes: Mapping[str, int], read: Read) -> Facts:
    """From configuration, headers of the safetensors files, tokenizer's settings and card.

    ``sizes`` holds the bytes of each file at the top. Raises the errors of ``text_recognition.of_language_model``,
    ``safetensors_file.UnsafeFile``, and whatever ``read`` raises.
    """
    config = _json(sizes, read, CONFIGURATION, MOST_SMALL_BYTES)
    text_recognition.of_configuration(config)
    tensors: dict[str, Numbers] = {}
    weights = [name for name in sizes if WHOLE.search(name)] or sorted(name for name in sizes if SHARD.search(name))
    for name in weights:
        length = int.from_bytes(read(name, 8).ljust(8, b"\0"), "little")
        beginning = read(name, 8 + min(length, safetensors_file.MAX_HEADER_BYTES))
        header = inspecting.header_of(io.BytesIO(beginning), sizes[name], most_bytes=MOST_BYTES)
        tensors |= {tensor: Numbers(place.dtype, place.shape) for tensor, place in header.tensors.items()}
    settings = _json(sizes, read, SETTINGS_OF_TOKENIZER, MOST_TOKENIZER_BYTES)
    return text_recognition.of_language_model(
        config,
        tensors,
        has_tokenizer=TOKENIZER in sizes,
        has_chat_template=bool(settings.get("chat_template")) or any(name in sizes for name in TEMPLATE_FILES),
        card=_card(sizes, read),
    )


def _json(sizes: Mapping[str, int], read: Read, name: str, most: int) -> dict[str, Any]:
    """Empty for one that is not there, is too large or cannot be read."""
    if not 0 < sizes.get(name, 0) <= most:
        return {}
    try:
        content = json.loads(read(name, sizes[name]))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _card(sizes: Mapping[str, int], read: Read) -> dict[str, Any]:
    """What stands at the head of the README; empty where there is none that can be read."""
    text = read(CARD, min(sizes[CARD], CARD_BYTES)).decode("utf-8", "replace") if CARD in sizes else ""
    if not text.startswith("---"):
        return {}
    from huggingface_hub import RepoCard

    try:
        told = RepoCard(text, ignore_metadata_errors=True).data
    except Exception:  # noqa: BLE001 - a card is words of strangers; it decides nothing
        return {}
    return {name: told.get(name) for name in ("license", "license_name", "language")}
