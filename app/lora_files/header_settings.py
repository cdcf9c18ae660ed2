"""The settings of a training as words in a header, and back: sd-scripts' own where it has one, else ``livery.…``. Pure.

What a training did not use – the noise offset of a flow model, the rate of a text encoder that stayed as it was – is
the text "None", as sd-scripts writes it, and is not read back.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.plain_text import all_keepable
from app.trainings.look.recipe import TrainingRecipe

OPTIMIZERS = {
    "adamw": "torch.optim.adamw.AdamW",
    "adamw_8bit": "bitsandbytes.optim.adamw.AdamW8bit",
    "prodigy": "prodigyopt.prodigy.Prodigy",
}
"""As sd-scripts names them; their settings stand behind in brackets."""
SAMPLINGS = {
    "sigmoid": "logit_normal",
    "shift": "logit_normal",
    "flux_shift": "logit_normal",
    "uniform": "uniform",
    "uniform_shift": "uniform",
}
"""sd-scripts' ``timestep_sampling``: around the middle without a shift, with a number's, and with the base's own;
evenly, without one. Its levels that are drawn evenly are never shifted, so the last word is ours alone."""
KEYS = {
    "base_model": "livery.base_model",
    "purpose": "livery.purpose",
    "trigger_word": "modelspec.trigger_phrase",
    "rank": "ss_network_dim",
    "alpha": "livery.alpha",  # ss_network_alpha is that of the file: larger for rsLoRA, none for some dialects
    "network": "livery.network",
    "target_modules": "livery.target_modules",
    "learning_rate": "ss_learning_rate",
    "optimizer": "ss_optimizer",
    "train_text_encoder": "livery.train_text_encoder",
    "text_encoder_lr": "ss_text_encoder_lr",
    "lr_scheduler": "ss_lr_scheduler",
    "warmup_steps": "ss_lr_warmup_steps",
    "steps": "ss_max_train_steps",
    "batch_size": "ss_batch_size_per_device",
    "gradient_accumulation_steps": "ss_gradient_accumulation_steps",
    "resolution": "ss_resolution",
    "extra_resolutions": "livery.extra_resolutions",
    "crops": "livery.crops",
    "caption_dropout": "ss_caption_dropout_rate",
    "shuffle_caption": "ss_shuffle_caption",
    "keep_tokens": "ss_keep_tokens",
    "clip_skip": "ss_clip_skip",
    "min_snr_gamma": "ss_min_snr_gamma",
    "noise_offset": "ss_noise_offset",
    "timestep_sampling": "ss_timestep_sampling",
    "timestep_shift": "ss_discrete_flow_shift",
    "quantization": "livery.quantization",
    "gradient_checkpointing": "ss_gradient_checkpointing",
    "block_offload": "livery.block_offload",
    "compile": "livery.compile",
    "flip": "ss_flip_aug",
    "class_prompt": "livery.class_prompt",
    "num_class_images": "ss_num_reg_images",
    "prior_loss_weight": "ss_prior_loss_weight",
    "ema_decay": "livery.ema_decay",
    "max_grad_norm": "ss_max_grad_norm",
    "weight_decay": "livery.weight_decay",
    "seed": "ss_seed",
    "sample_prompts": "livery.sample_prompts",
    "sample_seed": "livery.sample_seed",
    "sample_steps": "livery.sample_steps",
    "sample_guidance_scale": "livery.sample_guidance_scale",
    "checkpoint_every": "livery.checkpoint_every",
}
"""Field of the recipe → key of the header. Every field has one; a test goes over them."""
PRIVATE = frozenset({"livery.class_prompt", "livery.sample_prompts"})
"""What of ours may hold words of captions."""


def words_of(recipe: TrainingRecipe, *, is_flow: bool, shifts: bool = True) -> dict[str, str]:
    """The header entries of a training's settings; rank and trigger word are the file's own and stand there already.

    ``shifts``: whether the base has a shift of its own.
    """
    words = {key: _word(recipe, field, is_flow) for field, key in KEYS.items() if field not in ("rank", "trigger_word")}
    return words | {KEYS["timestep_sampling"]: _sampling(recipe, shifts) if is_flow else "None"}


def _sampling(recipe: TrainingRecipe, shifts: bool) -> str:
    """The word for how noise levels were drawn, so that whoever trains by the header gets the same ones."""
    shift = recipe.timestep_shift
    is_shifted = shifts if shift is None else shift != 1
    if recipe.timestep_sampling == "uniform":
        return "uniform_shift" if is_shifted else "uniform"
    if not is_shifted:
        return "sigmoid"
    return "flux_shift" if shift is None else "shift"


def _word(recipe: TrainingRecipe, field: str, is_flow: bool) -> str:
    value = getattr(recipe, field)
    match field:
        case "optimizer":
            return f"{OPTIMIZERS[value]}(weight_decay={recipe.weight_decay})"
        case "resolution":
            return f"({value}, {value})"
        case "text_encoder_lr":
            # Prodigy has one rate for all.
            rate = recipe.learning_rate if recipe.optimizer == "prodigy" else value
            return str(rate if recipe.train_text_encoder else None)
        case "clip_skip":  # as sd-scripts says it of the last layer
            return str(value if value > 1 else None)
        case "num_class_images":
            return str(value if recipe.with_prior_preservation else 0)
        case "class_prompt" | "prior_loss_weight":
            return str(value if recipe.with_prior_preservation else None)
        case "min_snr_gamma":
            return str(None if is_flow else value)
        case "noise_offset":
            return str(None if is_flow else value or None)
        case "timestep_shift":
            return str(value if is_flow else None)
        case "extra_resolutions" | "sample_prompts":
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


_TYPES: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(field.rebuild_annotation()) for name, field in TrainingRecipe.model_fields.items()
}


def read(told: Mapping[str, str]) -> dict[str, Any]:
    """The recipe's fields that a header tells, ours or sd-scripts'; what makes no sense there is left out."""
    found: dict[str, Any] = {}
    for field, key in KEYS.items():
        text = told.get(key, "None")
        if text in ("", "None"):
            continue
        try:
            found[field] = _TYPES[field].validate_python(_value(field, text))
        except (ValidationError, ValueError, RecursionError):
            continue
    if not found.get("num_class_images", True):
        del found["num_class_images"]
    sampling = told.get(KEYS["timestep_sampling"])
    if sampling == "flux_shift":
        found.pop("timestep_shift", None)  # sd-scripts writes a number all the same, and does not use it
    elif sampling in ("sigmoid", "uniform") and not any(key.startswith("livery.") for key in told):
        found["timestep_shift"] = 1.0  # likewise; an older Livery wrote these words where it shifted
    return found


def _value(field: str, text: str) -> Any:
    match field:
        case "optimizer":
            return next((name for name, word in OPTIMIZERS.items() if text.partition("(")[0] == word), text)
        case "resolution":
            side = re.fullmatch(r"\(?(\d{1,5})(?:, ?\1\)?)?", text)
            return side[1] if side else text
        case "timestep_sampling":
            return SAMPLINGS.get(text, text)
        case "extra_resolutions" | "sample_prompts":
            return all_keepable(json.loads(text))
        case _:
            return text
