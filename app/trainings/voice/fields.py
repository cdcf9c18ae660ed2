"""The fields of a training of a voice, as people meet them: what the form calls them, what the facts tell. Pure.

To add one: a field of the recipe, a row and a place in ``groups`` here, and what the engine does with it.
"""

from typing import Any

from app.errors import N_
from app.trainings.fields import Field, Sentence, Table, always, ngettext
from app.trainings.voice.recipe import VoiceRecipe

YES_NO = {"true": N_("Yes"), "false": N_("No")}
SAMPLES = "Sample texts and closing measurements are alike for all voices, so that they can be compared."
NUMBERS = (
    "kind", "epochs", "quantization", "rank", "alpha", "target_modules", "learning_rate", "lr_scheduler",
    "batch_size", "max_length", "packing", "gradient_checkpointing", "held_out_share", "evaluations_per_epoch",
    "early_stop_patience", "warmup_share", "weight_decay", "seed",
)  # fmt: skip
"""In the order of the page."""


def _rises(recipe: Any) -> Sentence | None:
    return (N_("rises at first, then falls to zero"), {}) if recipe.lr_scheduler == "cosine" else None


def _passes(recipe: Any) -> Sentence | None:
    if recipe.gradient_accumulation_steps == 1:
        return None
    return N_("%(n)s times per step"), {"n": recipe.gradient_accumulation_steps}


def _end(recipe: Any) -> Sentence:
    if not recipe.early_stop_patience:
        return N_("never ends early"), {}
    return N_("ends early after %(n)s measurements without improvement"), {"n": recipe.early_stop_patience}


TABLE = Table(
    recipe=VoiceRecipe,
    facts_by="label",
    asked_apart=("base_model",),
    not_offered={
        "gradient_accumulation_steps": "Follows from the rows that fit at a time.",
        "max_grad_norm": "The same for all voices.",
        "sample_count": SAMPLES,
        "sample_tokens": SAMPLES,
        "sample_temperature": SAMPLES,
        "sample_seed": SAMPLES,
        "measured_texts": SAMPLES,
    },
    groups={
        "numbers": NUMBERS,
    },
    fields={
        "base_model": Field(untold="The page says it beside the title."),
        "kind": Field(
            N_("What the voice learns"),
            N_(
                "Livery derives briefs from your texts. The second option suits many texts that should teach "
                "only words and tone."
            ),
            options={"instructions": N_("answers to briefs"), "plain_text": N_("the texts as they are")},
            told=always,
        ),
        "epochs": Field(
            N_("Rounds"),
            N_("How often the training reads every text. Too often, and the voice repeats sentences."),
            term=N_("Reads every text"),
            value=lambda recipe: ngettext("%(num)s time", "%(num)s times", recipe.epochs),
        ),
        "rank": Field(
            N_("Rank"),
            N_("How much the adapter can hold. 8 to 32 suit most brands."),
            term=N_("Rank, alpha"),
            value=lambda recipe: [recipe.rank, recipe.alpha],
        ),
        "alpha": Field(
            N_("Alpha"), N_("Scales what was learned. Usually twice the rank."), least=0.1, told_with="rank"
        ),
        "learning_rate": Field(
            N_("Learning rate"), N_("Size of each step. If texts fall apart, use a third of this value."), note=_rises
        ),
        "lr_scheduler": Field(
            N_("Learning rate over time"),
            options={"constant": N_("constant to the end"), "cosine": N_("falling to zero")},
            told_with="learning_rate",
        ),
        "target_modules": Field(
            N_("Trained layers"),
            N_("The second option captures more detail in a larger file."),
            options={"attention": N_("Attention"), "attention_and_feed_forward": N_("Attention and feed-forward")},
            told=always,
        ),
        "quantization": Field(
            N_("Base model loaded"),
            N_("Fewer bits need much less memory but lose a little quality."),
            options={"none": N_("as it is"), "int8": N_("in 8 bits"), "nf4": N_("in 4 bits (QLoRA, NF4)")},
            told=always,
        ),
        "max_length": Field(
            N_("Tokens per row"),
            N_("Longer texts are cut to this length. A word is one to three tokens."),
            note=lambda recipe: (N_("several texts in one row"), {}) if recipe.packing else None,
            told=always,
        ),
        "packing": Field(
            N_("Several texts in one row"),
            N_("Faster; the texts do not influence each other."),
            options=YES_NO,
            told_with="max_length",
        ),
        "batch_size": Field(
            N_("Rows at a time"), N_("Higher values are smoother but need more memory."), note=_passes, told=always
        ),
        "gradient_accumulation_steps": Field(told_with="batch_size"),
        "gradient_checkpointing": Field(
            N_("Recompute to save memory"),
            N_("A third slower."),
            options=YES_NO,
            value=lambda recipe: recipe.gradient_checkpointing,
        ),
        "held_out_share": Field(
            N_("Share set aside"), N_("Share of the texts, from 0.02 to 0.5. Only these texts are used for measuring.")
        ),
        "evaluations_per_epoch": Field(
            N_("Measurements per round"),
            N_("Each measurement writes the sample texts, and training can resume from it."),
            term=N_("Measured"),
            value=lambda recipe: ngettext(
                "%(num)s time per round", "%(num)s times per round", recipe.evaluations_per_epoch
            ),
            note=_end,
            told=always,
        ),
        "early_stop_patience": Field(
            N_("Patience"),
            N_(
                "Number of measurements without improvement before training ends and keeps the best. "
                "0: never ends early."
            ),
            told_with="evaluations_per_epoch",
        ),
        "warmup_share": Field(
            N_("Warm-up share"), N_("Share of the steps over which the learning rate rises from zero.")
        ),
        "weight_decay": Field(N_("Weight decay")),
        "max_grad_norm": Field(),
        "seed": Field(N_("Seed"), N_("The same seed and texts produce the same adapter."), told=always),
        "sample_count": Field(untold=SAMPLES),
        "sample_tokens": Field(untold=SAMPLES),
        "sample_temperature": Field(untold=SAMPLES),
        "sample_seed": Field(untold=SAMPLES),
        "measured_texts": Field(untold=SAMPLES),
    },
)
