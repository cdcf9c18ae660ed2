"""The fields of a training on pictures, as people meet them: what the form calls them, what the facts tell. Pure.

To add one: a field of the recipe, a row and a place in ``groups`` here, and what the engine does with it.
"""

from collections.abc import Mapping
from typing import Any

from app.errors import N_
from app.trainings.fields import Field, Sentence, Table, always
from app.trainings.look.recipe import TrainingRecipe

SCHEDULES = {"constant": N_("constant to the end"), "cosine": N_("falling to zero")}
YES_NO = {"true": N_("yes"), "false": N_("no")}
BASES_OWN = "How sample pictures are drawn is the base's own affair."
PLANS_OWN = "Chosen by the plan: changes how it is computed, not what is learned."
NUMBERS = (
    "trigger_word", "resolution", "steps", "rank", "alpha", "learning_rate", "lr_scheduler", "warmup_steps",
    "batch_size", "target_modules", "network", "optimizer", "gradient_accumulation_steps", "crops", "ema_decay",
    "max_grad_norm", "caption_dropout", "keep_tokens", "clip_skip", "timestep_sampling", "timestep_shift",
    "min_snr_gamma", "noise_offset", "quantization", "gradient_checkpointing", "weight_decay", "seed",
    "checkpoint_every", "class_prompt", "num_class_images", "prior_loss_weight", "text_encoder_lr",
)  # fmt: skip
"""In the order of the page."""


def _pixels(side: int) -> Sentence:
    return N_("%(side)s pixels"), {"side": str(side)}


def _sizes(plan: Any) -> Mapping[Any, Sentence]:
    return {size: _pixels(size) for size in plan.base.resolutions}


def _further_sizes(plan: Any) -> Mapping[Any, Sentence]:
    return {size: _pixels(size) for size in plan.base.resolutions if size != plan.recipe.resolution}


def _pictures_a_step(recipe: Any) -> Sentence:
    if recipe.batch_size == 1:
        return N_("one picture at a time"), {}
    return N_("%(n)s pictures at a time"), {"n": recipe.batch_size}


def _scale(recipe: Any) -> Sentence:
    return N_("The adapter's strength is alpha divided by rank: %(scale)s"), {"scale": recipe.alpha / recipe.rank}


TABLE = Table(
    recipe=TrainingRecipe,
    facts_by="name",
    asked_apart=("purpose", "base_model"),
    not_offered={
        "block_offload": PLANS_OWN,
        "compile": PLANS_OWN,
        "sample_seed": BASES_OWN,
        "sample_steps": BASES_OWN,
        "sample_guidance_scale": BASES_OWN,
    },
    groups={
        "numbers": NUMBERS,
        "below": ("extra_resolutions", "train_text_encoder", "shuffle_caption", "flip", "sample_prompts"),
    },
    fields={
        "purpose": Field(untold="The page's title says it."),
        "base_model": Field(untold="The page says it beside the title."),
        "trigger_word": Field(
            N_("Trigger word"),
            N_("The word that calls up the look in a prompt."),
            usual=lambda plan: plan.project.trigger_word,
            untold="The page shows it large, to be copied.",
        ),
        "rank": Field(
            N_("Rank"),
            N_("How much the adapter can hold. 8 to 32 suit most brands."),
            note=N_("How much the adapter can hold"),
        ),
        "alpha": Field(
            N_("Alpha"),
            N_("Scales what was learned. Usually equal to the rank, or half of it."),
            least=0.1,
            note=_scale,
        ),
        "target_modules": Field(
            N_("Trained layers"),
            N_("Each option captures more of a look than the previous one, in a larger file."),
            options={
                "attention": N_("Attention"),
                "attention_and_feed_forward": N_("Attention and feed-forward"),
                "all_layers": N_("All layers, including convolutions"),
            },
            told=always,
        ),
        "network": Field(
            N_("Kind of adapter"),
            N_(
                "Every program reads LoRA and rsLoRA, which suits high ranks. DoRA is slower and often more faithful, "
                "LoKr gives the smallest files; fewer programs read these two."
            ),
            options={"lora": "LoRA", "dora": "DoRA", "rslora": "rsLoRA", "lokr": "LoKr"},
        ),
        "optimizer": Field(
            N_("Optimizer"),
            options={
                "adamw": "AdamW",
                "adamw_8bit": N_("AdamW in 8 bits (less memory)"),
                "prodigy": N_("Prodigy (finds the learning rate itself)"),
            },
        ),
        "learning_rate": Field(
            N_("Learning rate"),
            N_("Size of each step. If pictures turn to noise, use a third of this value."),
            note=lambda recipe: (SCHEDULES[recipe.lr_scheduler], {}),
        ),
        "lr_scheduler": Field(N_("Learning rate over time"), options=SCHEDULES, told_with="learning_rate"),
        "warmup_steps": Field(N_("Warm-up steps"), N_("Steps over which the learning rate rises from zero.")),
        "train_text_encoder": Field(
            N_("Also train the text encoder"),
            N_("Ties the trigger word more closely to the look. Needs more memory and time."),
            offered_on=lambda base: base.trains_text_encoder,
        ),
        "text_encoder_lr": Field(
            N_("Learning rate of the text encoder"),
            offered_on=lambda base: base.trains_text_encoder,
            told=lambda recipe: recipe.train_text_encoder,
        ),
        "steps": Field(
            N_("Steps"),
            N_("Length of the training. Too few steps are hardly visible; too many copy individual pictures."),
            note=_pictures_a_step,
        ),
        "batch_size": Field(
            N_("Pictures at a time"), N_("Higher values are smoother but need more memory."), told_with="steps"
        ),
        "gradient_accumulation_steps": Field(
            N_("Batches per step"), N_("Has the effect of more pictures at a time, without the extra memory.")
        ),
        "resolution": Field(
            N_("Picture size"),
            N_("Larger pictures show more detail but need much more memory and time."),
            options=_sizes,
            value=lambda recipe: _pixels(recipe.resolution),
        ),
        "extra_resolutions": Field(
            N_("Also train at these sizes"),
            N_("Up to three. The adapter then works well at several sizes, but caching takes longer."),
            options=_further_sizes,
            value=lambda recipe: ", ".join(map(str, recipe.extra_resolutions)),
        ),
        "crops": Field(N_("Crops per picture"), N_("Values above 1 add closer crops within the chosen one.")),
        "caption_dropout": Field(
            N_("Caption dropout"),
            N_("Share of pictures trained without a caption, from 0 to 1. Helps a style work with any prompt."),
            note=N_("Share of pictures trained without their caption"),
            told=always,
        ),
        "shuffle_caption": Field(
            N_("Shuffle captions"),
            N_(
                "For captions that are lists of tags: the parts between commas are shuffled each time, so that "
                "no order is learned."
            ),
            note=N_("The parts between commas are shuffled each time"),
        ),
        "keep_tokens": Field(
            N_("Parts kept in place"),
            N_(
                "How many of a caption's first parts stay in place when captions are shuffled, including the trigger "
                "word's."
            ),
            note=N_("Number of first parts kept in place"),
            told=lambda recipe: recipe.shuffle_caption,
        ),
        "clip_skip": Field(
            N_("CLIP layer"),
            N_(
                "Called “clip skip” in other programs. Many anime base models were made with 2, the last but "
                "one; pictures are then drawn the same way."
            ),
            options={1: N_("the last"), 2: N_("the last but one")},
            offered_on=lambda base: base.has_clip_skip,
            value=lambda recipe: recipe.clip_skip,
            note=N_("Reads CLIP's last layer but one"),
        ),
        "min_snr_gamma": Field(
            N_("Min-SNR gamma"),
            N_("Balances coarse and fine detail. 5 is usual, 0 switches it off."),
            offered_on=lambda base: not base.is_flow,
            placeholder="0",
            told=lambda recipe: recipe.min_snr_gamma is not None,
        ),
        "noise_offset": Field(
            N_("Noise offset"),
            N_("Use 0.03 to 0.05 if the brand needs deep black or pure white."),
            offered_on=lambda base: not base.is_flow,
        ),
        "timestep_sampling": Field(
            N_("Noise levels"),
            N_("The stages of a picture that the training focuses on."),
            options={"logit_normal": N_("mostly the middle ones"), "uniform": N_("all equally")},
            offered_on=lambda base: base.is_flow,
        ),
        "timestep_shift": Field(
            N_("Shift towards noise"),
            N_("Values above 1 favour composition over detail. 3 is usual for base models with a fixed shift."),
            offered_on=lambda base: base.is_flow,
            usual=lambda plan: plan.recipe.timestep_shift if plan.base.timestep_shift else None,
            placeholder=N_("depends on picture size"),
            note=N_("Shift towards noise"),
        ),
        "quantization": Field(
            N_("How the base model is loaded"),
            N_("Fewer bits need far less memory; the adapter itself is not quantised."),
            options={"none": N_("in full (16 bits)"), "int8": N_("in 8 bits"), "nf4": N_("in 4 bits (NF4)")},
            offered_on=lambda base: base.quantizable_share,
            value=lambda recipe: recipe.quantization,
            note=N_("The base model is loaded in fewer bits for training"),
        ),
        "gradient_checkpointing": Field(
            N_("Recompute to save memory"),
            N_("About a third slower, with the same result."),
            options=YES_NO,
            note=N_("Recompute to save memory"),
        ),
        "compile": Field(note=N_("Tried after some steps and kept only if faster")),
        "block_offload": Field(
            note=N_("The base model stays in the machine's memory and moves to the card block by block"),
        ),
        "class_prompt": Field(
            N_("Kind of subject"),
            N_(
                "For a character or a product: two or three words, without the trigger word. The base model "
                "also draws and learns ordinary examples, so that not every handbag becomes yours."
            ),
            usual=lambda plan: None,
            placeholder=N_("a handbag"),
            is_optional=True,
        ),
        "num_class_images": Field(N_("Pictures of this kind of subject"), told=lambda recipe: recipe.class_prompt),
        "prior_loss_weight": Field(N_("Weight of this kind of subject"), told=lambda recipe: recipe.class_prompt),
        "ema_decay": Field(
            N_("Moving average"),
            N_("0.99 averages the last steps, which is steadier than the last step alone; 0 switches averaging off."),
            most=0.9999,
        ),
        "max_grad_norm": Field(N_("Maximum gradient"), N_("Larger gradients are clipped to this value."), least=0.001),
        "weight_decay": Field(N_("Weight decay")),
        "flip": Field(
            N_("Also learn from mirrored pictures"),
            N_("Leave off if your pictures contain lettering or a logo."),
            note=N_("Also learn from mirrored pictures"),
            told=always,
        ),
        "seed": Field(
            N_("Seed"),
            N_("The same seed and pictures produce the same adapter."),
            value=lambda recipe: str(recipe.seed),
            told=always,
        ),
        "sample_prompts": Field(
            N_("Sample prompts"),
            N_("One per line, at most four. [trigger] stands for the trigger word."),
            untold="The page shows what was drawn for them.",
        ),
        "sample_seed": Field(untold=BASES_OWN),
        "sample_steps": Field(untold=BASES_OWN),
        "sample_guidance_scale": Field(untold=BASES_OWN),
        "checkpoint_every": Field(
            N_("Checkpoint every … steps"),
            N_("Each checkpoint draws the sample pictures, and training can resume from it."),
            value=lambda recipe: (N_("%(n)s steps"), {"n": float(recipe.checkpoint_every)}),
            told=always,
        ),
    },
)
