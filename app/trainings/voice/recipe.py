"""The typed order of one training of a brand's voice: what the form fills, the row keeps and the loop reads.

Pure data: imports pydantic alone, because the worker's engines read it too.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

VoiceKind = Literal["instructions", "plain_text"]
"""``instructions``: it answers briefs in the brand's voice. ``plain_text``: it reads the texts as they are, which
teaches a domain's words; made for many texts without a brief."""
VoiceTargets = Literal["attention", "attention_and_feed_forward"]
Quantization = Literal["none", "int8", "nf4"]


class VoiceRecipe(BaseModel, defer_build=True):
    """Every number that decides how a voice is trained. Unknown fields are refused; a recipe never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: Annotated[str, Field(min_length=1, max_length=80)]
    """Key of the language model in the catalogue."""
    kind: VoiceKind = "instructions"
    rank: Annotated[int, Field(ge=1, le=256)]
    alpha: Annotated[float, Field(gt=0, le=512)]
    """ΔW is scaled by alpha / rank."""
    target_modules: VoiceTargets = "attention_and_feed_forward"
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    lr_scheduler: Literal["constant", "cosine"] = "cosine"
    warmup_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of all steps over which the learning rate rises."""
    epochs: Annotated[int, Field(ge=1, le=50)]
    """How often every text is read."""
    batch_size: Annotated[int, Field(ge=1, le=64)] = 1
    """Rows computed at a time; a row holds one text, or several with ``packing``."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=64)] = 1
    """So many times ``batch_size`` rows make one step. A plan raises it where fewer rows fit at a time."""
    max_length: Annotated[int, Field(ge=64, le=8192)] = 512
    """Tokens of a row; a longer text is cut (conversations) or goes on in the next row (plain text)."""
    packing: bool = True
    """Put several texts into one row, each blind for the others: less padding, fewer and fuller steps."""
    gradient_checkpointing: bool = False
    """Compute twice instead of keeping: less memory, a third more time."""
    quantization: Quantization = "none"
    """How the base's numbers are held: as they are, in 8 bits, or in 4 bits (NF4, QLoRA)."""
    held_out_share: Annotated[float, Field(ge=0.02, le=0.5)] = 0.1
    """Share of the texts that are kept back to measure with, and never trained on."""
    evaluations_per_epoch: Annotated[int, Field(ge=1, le=20)] = 2
    """How often the texts kept back are measured, sample texts written and a checkpoint kept."""
    early_stop_patience: Annotated[int, Field(ge=0, le=100)] = 3
    """End after so many measurements in a row without a better one, with the best adapter; 0 never ends early."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    max_grad_norm: Annotated[float, Field(gt=0, le=100)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    sample_count: Annotated[int, Field(ge=0, le=4)] = 2
    """Briefs that are written at every measurement, beside the base's answer to the same seed."""
    sample_tokens: Annotated[int, Field(ge=1, le=400)] = 80
    sample_temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    sample_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    measured_texts: Annotated[int, Field(ge=0, le=50)] = 8
    """Briefs of the held-out part that base, prompted base and adapter each answer at the end, to compare styles."""
