"""What a language model is, told from its configuration and the headers of its safetensors files. Pure.

Sizes are those of the tensors that are there: a configuration may leave out what its class takes for granted.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.base_models.catalogue import Layout
from app.base_models.recognition import Facts, TextFacts
from app.errors import N_, Invalid

FAMILY = "causal_lm"
ARCHITECTURES = frozenset(
    {
        "Cohere2ForCausalLM",
        "Gemma2ForCausalLM",
        "Gemma3ForCausalLM",
        "GemmaForCausalLM",
        "GraniteForCausalLM",
        "LlamaForCausalLM",
        "MinistralForCausalLM",
        "MistralForCausalLM",
        "Olmo2ForCausalLM",
        "Olmo3ForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
        "SmolLM3ForCausalLM",
        "StableLmForCausalLM",
    }
)
"""Classes of transformers whose layers have the names that an adapter is put on; each is trained small in a test."""
BEYOND_FLOAT16 = frozenset({"Gemma2ForCausalLM", "Gemma3ForCausalLM"})
"""Made in bfloat16, and reaching beyond the largest number of float16: vLLM refuses them there too."""
KNOWN = "Llama, Mistral, Qwen 2 and 3, SmolLM, Gemma, Granite, OLMo, Cohere 2, StableLM"
WHOLE_NUMBERS = frozenset({"F16", "BF16", "F32"})
LARGEST_PARAMETERS = 40_000_000_000
"""In 4 bits these take about 21 GB: more than that no single usual card holds together with what training adds."""
LEAST_CONTEXT, USUAL_CONTEXT = 256, 2048
"""The second is what transformers takes for granted where a configuration is silent."""
EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
LAYER = re.compile(r"model\.layers\.(\d+)\.(self_attn|mlp)\.([a-z]+_proj)\.weight")
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
LANGUAGE = re.compile(r"[a-z]{2,3}")
PACKED_TYPES = frozenset({"llama", "qwen2", "qwen3"})
"""Model types that can be written as a file for llama.cpp; that their vocabulary can too shows when it is written."""
MOST_LANGUAGES = 60


@dataclass(frozen=True)
class Numbers:
    """A tensor as a header tells of it."""

    dtype: str
    """As in safetensors: ``F16``, ``BF16``, ``F32``, …"""
    shape: tuple[int, ...]


class NoLanguageModel(Invalid):
    sentence = N_(
        "A voice cannot be trained on this model: its configuration says %(kind)s. Livery supports language "
        "models that write word by word, of these kinds: %(known)s."
    )


class NotWholeNumbers(Invalid):
    sentence = N_(
        "The weights of this language model are already quantised (%(kind)s). Choose the repository that it "
        "was made from, with 16 or 32 bits per weight; Livery quantises the model itself where memory is short."
    )


class LanguageModelTooLarge(Invalid):
    sentence = N_(
        "This language model has %(billions)s billion parameters; the limit for training here is %(most)s "
        "billion. Choose a smaller one."
    )


class UnknownLayers(Invalid):
    sentence = N_(
        "Training does not support the structure of this language model: %(layer)s is not as expected. Choose "
        "another one."
    )


class NoTokenizer(Invalid):
    sentence = N_(
        "This language model has no tokenizer.json, so Livery cannot tell how it reads words. Add that file, "
        "or choose another repository."
    )


def of_configuration(config: Mapping[str, Any]) -> str:
    """The class that the configuration names. Raises ``NoLanguageModel``, ``NotWholeNumbers``."""
    named = config.get("architectures")
    kind = str(named[0])[:60] if isinstance(named, list) and named else str(config.get("model_type") or "?")[:60]
    if kind not in ARCHITECTURES:
        raise NoLanguageModel(kind=kind, known=KNOWN)
    packed = config.get("quantization_config")
    if packed:
        raise NotWholeNumbers(kind=str(packed.get("quant_method") if isinstance(packed, dict) else "?")[:40])
    return kind


def of_language_model(
    config: Mapping[str, Any],
    tensors: Mapping[str, Numbers],
    *,
    has_tokenizer: bool,
    has_chat_template: bool,
    card: Mapping[str, Any] | None = None,
) -> Facts:
    """From ``config.json`` and the tensors of all files; ``card`` is what stands at the head of its README.

    Raises ``NoLanguageModel``, ``NotWholeNumbers``, ``NoTokenizer``, ``UnknownLayers``, ``LanguageModelTooLarge``.
    """
    architecture = of_configuration(config)
    if not has_tokenizer:
        raise NoTokenizer()
    packed = next((place.dtype for place in tensors.values() if place.dtype not in WHOLE_NUMBERS), None)
    if packed is not None:
        raise NotWholeNumbers(kind=packed)
    is_tied = bool(config.get("tie_word_embeddings", HEAD not in tensors))
    counted = {name: math.prod(place.shape) for name, place in tensors.items() if not (is_tied and name == HEAD)}
    parameters = sum(counted.values())
    if parameters > LARGEST_PARAMETERS:
        raise LanguageModelTooLarge(billions=round(parameters / 1e9), most=LARGEST_PARAMETERS // 1_000_000_000)
    context = config.get("max_position_embeddings", USUAL_CONTEXT)
    if not isinstance(context, int) or context < LEAST_CONTEXT:
        raise UnknownLayers(layer="max_position_embeddings")
    kind = str(config.get("model_type") or "")
    return Facts(
        family=FAMILY,
        text=TextFacts(
            architecture=architecture,
            parameters=parameters,
            embedding_parameters=counted.get(EMBEDDING, 0) + counted.get(HEAD, 0),
            context=context,
            layout=_layout(tensors),
            packs=kind in PACKED_TYPES,
            has_chat_template=has_chat_template,
            licence=_licence(card or {}),
            languages=languages_of((card or {}).get("language")),
        ),
    )


def _layout(tensors: Mapping[str, Numbers]) -> Layout:
    """The widths, the same in every layer. Raises ``UnknownLayers``."""
    found: dict[int, dict[str, tuple[int, ...]]] = {}
    for name, place in tensors.items():
        layer = LAYER.fullmatch(name)
        if layer is not None:
            found.setdefault(int(layer[1]), {})[layer[3]] = place.shape
    words = tensors.get(EMBEDDING)
    first = found.get(0, {})
    missing = next((name for name in PROJECTIONS if len(first.get(name, ())) != 2), None)
    if missing is not None or words is None or len(words.shape) != 2:
        raise UnknownLayers(layer=missing or EMBEDDING)
    odd = next((number for number in range(len(found)) if found.get(number) != first), None)
    if odd is not None:
        raise UnknownLayers(layer=f"model.layers.{odd}")
    layout = Layout(
        layers=len(found),
        width=words.shape[1],
        query=first["q_proj"][0],
        key_value=first["k_proj"][0],
        feed_forward=first["gate_proj"][0],
        vocabulary=words.shape[0],
    )
    for name in PROJECTIONS:
        if layout.sides(name) != tuple(reversed(first[name])):
            raise UnknownLayers(layer=name)
    return layout


def _licence(card: Mapping[str, Any]) -> str:
    """As the makers name it: their own name for one that is not in the hub's list."""
    named = card.get("license")
    own = card.get("license_name") if named == "other" else None
    return str(own or named or "")[:120] if isinstance(named, str) else ""


def languages_of(told: Any) -> tuple[str, ...]:
    """ISO 639 codes from what a card or a person says: a list, or codes with spaces or commas between them.

    What is no such code is left out; ``multilingual`` says nothing of which.
    """
    listed: Iterable[Any] = re.split(r"[\s,;]+", told) if isinstance(told, str) else told
    if not isinstance(listed, list | tuple):
        return ()
    codes = (str(one).strip().lower().split("-")[0] for one in listed)
    return tuple(dict.fromkeys(code for code in codes if LANGUAGE.fullmatch(code)))[:MOST_LANGUAGES]
