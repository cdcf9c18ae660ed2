"""Which family a checkpoint belongs to, told from its small files or from the names of its tensors. Pure."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.base_models.catalogue import Layout
from app.errors import N_, Invalid

PIPELINES = {
    "StableDiffusionPipeline": "stable_diffusion",
    "StableDiffusionXLPipeline": "stable_diffusion_xl",
    "FluxPipeline": "flux",
    "Flux2KleinPipeline": "flux2_klein",
}
"""Class in ``model_index.json`` → family."""
SINGLE_FILE_FAMILIES = ("stable_diffusion", "stable_diffusion_xl", "flux")
"""Those whose checkpoints are also traded as one file."""


class UnknownFamily(Invalid):
    sentence = N_(
        "This checkpoint is of a kind that Livery does not know (%(kind)s). Known are Stable Diffusion 1.x, SDXL, "
        "FLUX.1 and FLUX.2 [klein]."
    )


class OtherFamily(Invalid):
    sentence = N_(
        "The checkpoint is of another kind than was chosen: its files say %(found)s. Add it again with the right kind, "
        "or let Livery recognise it."
    )


class WholeLanguageModel(Invalid):
    sentence = N_(
        "This file holds a language model, which needs its configuration and tokenizer beside it. Add the whole "
        "repository: leave “One file of it” empty."
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
    family = PIPELINES.get(kind)
    if family is None:
        raise UnknownFamily(kind=kind[:60])
    shape = transformer or {}
    if family == "flux":
        return Facts(family=family, prediction_type="flow", is_distilled=not shape.get("guidance_embeds", True))
    if family == "flux2_klein":
        heads, each = shape.get("num_attention_heads"), shape.get("attention_head_dim", 128)
        width = heads * each if isinstance(heads, int) and isinstance(each, int) else None
        distilled = index.get("is_distilled") is True
        return Facts(family=family, prediction_type="flow", is_distilled=distilled, denoiser_width=width)
    predicts, side = (scheduler or {}).get("prediction_type", "epsilon"), (unet or {}).get("sample_size")
    return Facts(
        family=family,
        prediction_type=predicts if predicts in ("epsilon", "v_prediction") else None,
        resolution=side * 8 if isinstance(side, int) and 2 <= side <= 512 else None,
        is_beyond_float16=(unet or {}).get("upcast_attention") is True,
    )


def of_tensors(names: Collection[str]) -> Facts:
    """Reads the names of the tensors in one file. Raises ``UnknownFamily``."""
    plain = {name.removeprefix("model.diffusion_model.") for name in names}
    if "double_blocks.0.img_attn.qkv.weight" in plain and "time_in.in_layer.weight" in plain:
        if any(name.startswith("double_stream_modulation_img.") for name in plain):
            raise UnknownFamily(kind="FLUX.2")
        is_distilled = "guidance_in.in_layer.weight" not in plain
        return Facts(family="flux", prediction_type="flow", is_distilled=is_distilled)
    if "model.embed_tokens.weight" in names or "model.layers.0.self_attn.q_proj.weight" in names:
        raise WholeLanguageModel()
    if "model.diffusion_model.input_blocks.0.0.weight" not in names:
        raise UnknownFamily(kind="?")
    predicts: Literal["epsilon", "v_prediction"] = "v_prediction" if "v_pred" in names else "epsilon"
    if any(name.startswith("conditioner.embedders.1.") for name in names):
        return Facts(family="stable_diffusion_xl", prediction_type=predicts)
    if any(name.startswith("cond_stage_model.transformer.") for name in names):
        return Facts(family="stable_diffusion", prediction_type=predicts)
    raise UnknownFamily(kind="Stable Diffusion 2")
