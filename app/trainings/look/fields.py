"""The fields of a training on pictures, as people meet them: what the form calls them, what the facts tell. Pure.

To add one: a field of the recipe, a row and a place in ``groups`` here, and what the engine does with it.
"""

from collections.abc import Mapping
from typing import Any

from app.errors import N_
from app.trainings.fields import Field, Sentence, Table, always
from app.trainings.look.recipe import TrainingRecipe

SCHEDULES = {"constant": N_("the same to the end"), "cosine": N_("falling to zero")}
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
        return N_("with one picture each"), {}
    return N_("with %(n)s pictures each"), {"n": recipe.batch_size}


def _scale(recipe: Any) -> Sentence:
    return N_("Its strength is alpha divided by rank: %(scale)s"), {"scale": recipe.alpha / recipe.rank}


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
            N_("The word that calls the look up in a prompt."),
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
            N_("Scales what was learned. Usually as large as the rank, or half of it."),
            least=0.1,
            note=_scale,
        ),
        "target_modules": Field(
            N_("What is trained"),
            N_("Each holds more of a look than the one before it, in a larger file."),
            options={
                "attention": N_("Attention"),
                "attention_and_feed_forward": N_("Attention and feed-forward"),
                "all_layers": N_("All layers, convolutions too"),
            },
            told=always,
        ),
        "network": Field(
            N_("Kind of adapter"),
            N_(
                "LoRA is read by every program. DoRA is slower and often truer, rsLoRA suits high ranks, LoKr gives "
                "the smallest files; fewer programs read those."
            ),
            options={"lora": "LoRA", "dora": "DoRA", "rslora": "rsLoRA", "lokr": "LoKr"},
        ),
        "optimizer": Field(
            N_("Optimizer"),
            options={
                "adamw": "AdamW",
                "adamw_8bit": N_("AdamW in 8 bits, needs less memory"),
                "prodigy": N_("Prodigy, finds the learning rate itself"),
            },
        ),
        "learning_rate": Field(
            N_("Learning rate"),
            N_("How large each step is. If pictures turn to noise, take a third of it."),
            note=lambda recipe: (SCHEDULES[recipe.lr_scheduler], {}),
        ),
        "lr_scheduler": Field(N_("Learning rate over time"), options=SCHEDULES, told_with="learning_rate"),
        "warmup_steps": Field(N_("Warm-up steps"), N_("Steps over which the learning rate rises from zero.")),
        "train_text_encoder": Field(
            N_("Also learn in the text encoder"),
            N_("Ties the trigger word closer to the look. Needs more memory and time."),
            offered_on=lambda base: base.trains_text_encoder,
        ),
        "text_encoder_lr": Field(
            N_("Learning rate of the text encoder"),
            offered_on=lambda base: base.trains_text_encoder,
            told=lambda recipe: recipe.train_text_encoder,
        ),
        "steps": Field(
            N_("Steps"),
            N_("How long it learns. Too few: hardly visible. Too many: it copies single pictures."),
            note=_pictures_a_step,
        ),
        "batch_size": Field(
            N_("Pictures at a time"), N_("More is smoother, and needs more memory."), told_with="steps"
        ),
        "gradient_accumulation_steps": Field(
            N_("Batches to a step"), N_("Works like more pictures at a time, without their memory.")
        ),
        "resolution": Field(
            N_("Picture size"),
            N_("Larger shows more detail, and needs much more memory and time."),
            options=_sizes,
            value=lambda recipe: _pixels(recipe.resolution),
        ),
        "extra_resolutions": Field(
            N_("Also learn at these sizes"),
            N_("At most three. The adapter is then good at several sizes, and caching takes longer."),
            options=_further_sizes,
            value=lambda recipe: ", ".join(map(str, recipe.extra_resolutions)),
        ),
        "crops": Field(
            N_("Cuts of each picture"), N_("More than 1 also learns from closer cuts inside the chosen one.")
        ),
        "caption_dropout": Field(
            N_("Caption dropout"),
            N_("Share of the pictures it sees without a caption, from 0 to 1. Helps a style to act on any prompt."),
            note=N_("Share of the pictures that it sees without their caption"),
            told=always,
        ),
        "shuffle_caption": Field(
            N_("Shuffle captions"),
            N_(
                "For captions that are lists of tags: what stands between commas comes in another order each time, so "
                "that no order is learned."
            ),
            note=N_("The parts between commas come in another order each time"),
        ),
        "keep_tokens": Field(
            N_("Parts that keep their place"),
            N_("Where captions are shuffled: how many of their first parts stay, the trigger word's among them."),
            note=N_("So many of the first parts keep their place"),
            told=lambda recipe: recipe.shuffle_caption,
        ),
        "clip_skip": Field(
            N_("CLIP layer"),
            N_(
                "Other programs say “clip skip”. Many bases for anime were made with 2, the last but one; pictures are "
                "then drawn the same way."
            ),
            options={1: N_("the last"), 2: N_("the last but one")},
            offered_on=lambda base: base.has_clip_skip,
            value=lambda recipe: recipe.clip_skip,
            note=N_("It reads CLIP's last layer but one"),
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
            N_("0.03 to 0.05 if the brand needs deep black or pure white."),
            offered_on=lambda base: not base.is_flow,
        ),
        "timestep_sampling": Field(
            N_("Noise levels"),
            N_("Which stages of a picture it learns most about."),
            options={"logit_normal": N_("mostly the middle ones"), "uniform": N_("all alike")},
            offered_on=lambda base: base.is_flow,
        ),
        "timestep_shift": Field(
            N_("Shift towards noise"),
            N_("Above 1 it learns more about composition than detail. 3 is usual where it is fixed."),
            offered_on=lambda base: base.is_flow,
            usual=lambda plan: plan.recipe.timestep_shift if plan.base.timestep_shift else None,
            placeholder=N_("by the picture size"),
            note=N_("Shift towards noise"),
        ),
        "quantization": Field(
            N_("How the base is held"),
            N_("Fewer bits need far less memory; the adapter itself is not quantised."),
            options={"none": N_("in full (16 bits)"), "int8": N_("in 8 bits"), "nf4": N_("in 4 bits (NF4)")},
            offered_on=lambda base: base.quantizable_share,
            value=lambda recipe: recipe.quantization,
            note=N_("The base is held in fewer bits while it learns"),
        ),
        "gradient_checkpointing": Field(
            N_("Compute twice to save memory"),
            N_("About a third slower, with the same result."),
            options=YES_NO,
            note=N_("Compute twice to save memory"),
        ),
        "compile": Field(note=N_("Tried after some steps, and kept only if it is faster")),
        "block_offload": Field(
            note=N_("The base waits in the machine's memory and comes to the card block by block"),
        ),
        "class_prompt": Field(
            N_("What kind of thing it is"),
            N_(
                "For a character or a product: in two or three words, without the trigger word. The base then draws "
                "such things itself and learns them along, so that not every handbag becomes yours."
            ),
            usual=lambda plan: None,
            placeholder=N_("a handbag"),
            is_optional=True,
        ),
        "num_class_images": Field(N_("Pictures of that kind"), told=lambda recipe: recipe.class_prompt),
        "prior_loss_weight": Field(N_("Weight of that kind"), told=lambda recipe: recipe.class_prompt),
        "ema_decay": Field(
            N_("Moving average"),
            N_("0.99 keeps the average of the last steps, which is calmer than the last one; 0 switches it off."),
            most=0.9999,
        ),
        "max_grad_norm": Field(N_("Largest gradient"), N_("Longer ones are cut to it."), least=0.001),
        "weight_decay": Field(N_("Weight decay")),
        "flip": Field(
            N_("Also learn from mirrored pictures"),
            N_("Leave off if there is lettering or a logo in them."),
            note=N_("Also learn from mirrored pictures"),
            told=always,
        ),
        "seed": Field(
            N_("Seed"),
            N_("The same seed and pictures give the same adapter again."),
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
            N_("Each draws the sample pictures and can be gone on from."),
            value=lambda recipe: (N_("%(n)s steps"), {"n": float(recipe.checkpoint_every)}),
            told=always,
        ),
    },
)
