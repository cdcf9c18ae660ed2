"""What llama.cpp must know of a model that transformers has: its measures and its vocabulary, as fields of a GGUF file.

Field by field as llama.cpp's own ``convert_hf_to_gguf.py`` writes them, for the architectures of ``files`` with a
byte-level vocabulary. llama.cpp knows the ways in which texts are cut before words are looked up by name; a way that is
not among those below is refused, because a wrong one gives other words without saying so.
"""

import json
from pathlib import Path
from typing import Any

import gguf
from transformers import AutoTokenizer

from worker.engines.contracts import EngineError

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_AFTER_NUMBERS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {
    _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _AFTER_NUMBERS: "qwen2",
    _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _AFTER_NUMBERS: "llama-bpe",
}
"""Regular expression by which a tokenizer cuts → llama.cpp's name for it."""


def refused(what: str) -> EngineError:
    """The error of a model that has no such form; ``what`` is the reason."""
    return EngineError(
        "not_packed",
        f"This base model cannot be written for llama.cpp here: {what}. Take the adapter for llama.cpp, or the merged "
        "safetensors, from which llama.cpp's own convert_hf_to_gguf.py makes such a file.",
    )


def add_measures(writer: gguf.GGUFWriter, configuration: Any) -> None:
    """Widths, counts and the rotation of positions. Raises ``EngineError`` (``not_packed``)."""
    rotation = getattr(configuration, "rope_parameters", None) or {}
    if rotation.get("rope_type", "default") != "default":
        raise refused("its positions are stretched in a way that is not known")
    if getattr(configuration, "sliding_window", None) and getattr(configuration, "use_sliding_window", True):
        raise refused("it looks back through a window")
    heads = configuration.num_attention_heads
    head = getattr(configuration, "head_dim", None) or configuration.hidden_size // heads
    writer.add_block_count(configuration.num_hidden_layers)
    writer.add_context_length(configuration.max_position_embeddings)
    writer.add_embedding_length(configuration.hidden_size)
    writer.add_feed_forward_length(configuration.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(getattr(configuration, "num_key_value_heads", None) or heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(rotation.get("rope_theta", 10000.0)))
    writer.add_layer_norm_rms_eps(configuration.rms_norm_eps)
    writer.add_vocab_size(configuration.vocab_size)


def add_vocabulary(writer: gguf.GGUFWriter, folder: Path, vocabulary_size: int) -> None:
    """Words, merges, special words and the chat template of the tokenizer in ``folder``.

    Raises ``EngineError``: ``not_packed`` for a vocabulary of another kind, ``model_unavailable``.
    """
    try:
        told = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise EngineError("model_unavailable", "The language model's tokenizer could not be read.") from error
    model = told["model"]
    if model.get("type") != "BPE" or not isinstance(model.get("merges"), list):
        raise refused("its vocabulary is of a kind that is not known")
    writer.add_tokenizer_model("gpt2")
    way = _way_of_cutting(told.get("pre_tokenizer") or {})
    if (way == "llama-bpe") != bool(model.get("ignore_merges")):
        raise refused("its tokenizer looks words up in a way that is not known")
    writer.add_tokenizer_pre(way)
    words = {number: (word, gguf.TokenType.NORMAL) for word, number in model["vocab"].items()}
    for added in told.get("added_tokens", []):
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        words[added["id"]] = (added["content"], kind)
    if max(words) >= vocabulary_size:
        raise refused("its vocabulary is larger than the model")
    listed = [words.get(number, (f"[PAD{number}]", gguf.TokenType.UNUSED)) for number in range(vocabulary_size)]
    writer.add_token_list([word for word, _ in listed])
    writer.add_token_types([kind for _, kind in listed])
    writer.add_token_merges([_merge(pair) for pair in model["merges"]])
    for number, add in (
        (tokenizer.bos_token_id, writer.add_bos_token_id),
        (tokenizer.eos_token_id, writer.add_eos_token_id),
        (tokenizer.pad_token_id, writer.add_pad_token_id),
        (tokenizer.unk_token_id, writer.add_unk_token_id),
    ):
        if number is not None:
            add(number)
    writer.add_add_bos_token(tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id])
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _way_of_cutting(told: dict[str, Any]) -> str:
    """llama.cpp's name for it. Raises ``EngineError`` (``not_packed``)."""
    steps = told.get("pretokenizers", [told])
    match [step.get("type") for step in steps]:
        case ["ByteLevel"] if steps[0].get("use_regex", True) and not steps[0].get("add_prefix_space"):
            return "gpt-2"
        case ["Digits", "ByteLevel"] if steps[0].get("individual_digits") and steps[1].get("use_regex", True):
            return "smollm"
        case ["Split", "ByteLevel"] if not steps[1].get("use_regex", True):
            name = PATTERNS.get((steps[0].get("pattern") or {}).get("Regex", ""))
            if name is not None and steps[0].get("behavior") == "Isolated" and not steps[0].get("invert"):
                return name
    raise refused("its tokenizer cuts texts in a way that is not known")


def _merge(pair: Any) -> str:
    """Two halves of a word; no byte-level vocabulary has a space in one."""
    return pair if isinstance(pair, str) else " ".join(pair)
