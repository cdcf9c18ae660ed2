"""Which family a checkpoint belongs to, told from its small files or from the names of its tensors. Pure."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.base_models.catalogue import Layout
from app.errors import N_, Invalid
from app.lora_files.families import known as families
from app.lora_files.families.facts import FamilyFacts


class UnknownFamily(Invalid):
    sentence = N_("Livery does not support this kind of checkpoint (%(kind)s). Supported kinds: %(known)s.")

    def __init__(self, *, kind: str, known: str = "") -> None:
        super().__init__(kind=kind, known=known or families.listing())


class OtherFamily(Invalid):
    sentence = N_(
        "The checkpoint is of a different kind than the one chosen: its files say %(found)s. Add it again with "
        "the right kind, or let Livery detect it."
    )


class WholeLanguageModel(Invalid):
    sentence = N_(
        "This file is a language model, which also needs its configuration and tokenizer. Add the whole "
        "repository: leave “Single file” empty."
    )


class TextFacts(BaseModel, defer_build=True):
    """What a language model's files tell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: str
    """Its class in transformers."""
    parameters: int
    embedding_parameters: int
    context: int
    """Tokens that it can look back on."""
    layout: Layout
    packs: bool
    """Whether it can be written as a file for llama.cpp."""
    has_chat_template: bool
    """Without one it goes on from a text's beginning and answers no orders."""
    licence: str = ""
    """As the card of its makers says; empty where there is none."""
    languages: tuple[str, ...] = ()
    """Those that the card names, as ISO 639 codes."""


class Facts(BaseModel, defer_build=True):
    """What a checkpoint's files tell beside its family; None where they do not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str
    prediction_type: Literal["epsilon", "v_prediction", "flow"] | None = None
    resolution: int | None = None
    """Side in pixels of the square that it was trained at."""
    is_distilled: bool = False
    """Does without guidance, as FLUX.1 [schnell] does."""
    denoiser_width: int | None = None
    """Width of the tokens, where that tells sizes of the family apart."""
    is_beyond_float16: bool = False
    """Whether its attention must be computed in float32 where there is no bfloat16, as Stable Diffusion 2.1 says."""
    text: TextFacts | None = None
    """Only for a language model."""


def of_pipeline(
    index: Mapping[str, Any],
    *,
    scheduler: Mapping[str, Any] | None = None,
    unet: Mapping[str, Any] | None = None,
    transformer: Mapping[str, Any] | None = None,
) -> Facts:
    """Reads ``model_index.json`` and the configurations of its parts. Raises ``UnknownFamily``."""
    kind = str(index.get("_class_name"))
    family = next((one for one in families.with_engine() if one.pipeline == kind), None)
    if family is None:
        raise UnknownFamily(kind=kind[:60])
    shape = transformer or {}
    if not family.is_flow:
        predicts, side = (scheduler or {}).get("prediction_type", "epsilon"), (unet or {}).get("sample_size")
        return Facts(
            family=family.key,
            prediction_type=predicts if predicts in ("epsilon", "v_prediction") else None,
            resolution=side * 8 if isinstance(side, int) and 2 <= side <= 512 else None,
            is_beyond_float16=(unet or {}).get("upcast_attention") is True,
        )
    distilled = {
        "guidance_embeds": not shape.get("guidance_embeds", True),
        "is_distilled": index.get("is_distilled") is True,
    }
    return Facts(
        family=family.key,
        prediction_type="flow",
        is_distilled=distilled.get(family.distilled_by, False),
        denoiser_width=_width(shape) if family.tells_width else None,
    )


def _width(shape: Mapping[str, Any]) -> int | None:
    """Of the tokens of a transformer with this configuration."""
    heads, each = shape.get("num_attention_heads"), shape.get("attention_head_dim", 128)
    return heads * each if isinstance(heads, int) and isinstance(each, int) else None


def of_tensors(names: Collection[str]) -> Facts:
    """Reads the names of the tensors in one file. Raises ``UnknownFamily``."""
    with_plain = {*names, *(name.removeprefix("model.diffusion_model.") for name in names)}
    family = _family_of(with_plain)
    if family is None and ("model.embed_tokens.weight" in names or "model.layers.0.self_attn.q_proj.weight" in names):
        raise WholeLanguageModel()
    if family is None or family.checkpoint is None or not family.checkpoint.parts:
        raise UnknownFamily(kind=family.name if family is not None else "?")
    if not family.is_flow:
        predicts: Literal["epsilon", "v_prediction"] = "v_prediction" if "v_pred" in names else "epsilon"
        return Facts(family=family.key, prediction_type=predicts)
    guided_by = family.checkpoint.guided_by
    is_distilled = bool(guided_by) and guided_by not in with_plain
    return Facts(family=family.key, prediction_type="flow", is_distilled=is_distilled)


def _family_of(names: Collection[str]) -> FamilyFacts | None:
    """The family all of whose signs are there; of several the one with the most."""
    fitting = [
        one
        for one in families.FAMILIES
        if one.checkpoint is not None and all(_is_there(sign, names) for sign in one.checkpoint.signs)
    ]
    return max(fitting, key=lambda one: len(one.checkpoint.signs) if one.checkpoint else 0, default=None)


def _is_there(sign: str, names: Collection[str]) -> bool:
    return any(name.startswith(sign) for name in names) if sign.endswith(".") else sign in names
