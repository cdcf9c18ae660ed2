"""The typed order of one training: what the form fills, the row keeps and the loop reads, under the same names.

Pure data: imports pydantic alone, because the worker's engines read it too.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Purpose = Literal["style", "character", "product"]
Quantization = Literal["none", "nf4", "int8"]
TimestepSampling = Literal["logit_normal", "uniform"]
Network = Literal["lora", "dora", "rslora", "lokr"]
Optimizer = Literal["adamw", "adamw_8bit", "prodigy"]
TargetModules = Literal["attention", "attention_and_feed_forward", "all_layers"]
MOST_SAMPLE_PROMPTS = 4


class TrainingRecipe(BaseModel, defer_build=True):
    """Every number that decides how an adapter is trained. Unknown fields are refused; a recipe never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: Annotated[str, Field(min_length=1, max_length=80)]
    """Key of the base model in the catalogue."""
    purpose: Purpose
    trigger_word: Annotated[str, Field(min_length=1, max_length=60)]
    rank: Annotated[int, Field(ge=1, le=256)]
    alpha: Annotated[float, Field(gt=0, le=512)]
    """ΔW is scaled by alpha / rank; by alpha / √rank with ``network`` ``rslora``."""
    network: Network = "lora"
    """``lora`` (Hu et al. 2021); ``dora`` learns size and direction apart (Liu et al. 2024); ``rslora`` keeps its pull
    at high ranks (Kalajdzievski 2023); ``lokr`` is a Kronecker product, a fraction of the size (LyCORIS)."""
    target_modules: TargetModules = "attention"
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    """For ``prodigy`` a factor on the rate that it finds by itself: 1 leaves it as found."""
    optimizer: Optimizer = "adamw"
    train_text_encoder: bool = False
    """Also learn in the CLIP text encoders, where the base has any."""
    text_encoder_lr: Annotated[float, Field(gt=0, le=1)] = 1e-5
    """Of the text encoders; ``prodigy`` uses one rate for all."""
    lr_scheduler: Literal["constant", "cosine"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0, le=10_000)] = 0
    steps: Annotated[int, Field(ge=1, le=100_000)]
    """Optimizer steps in all."""
    batch_size: Annotated[int, Field(ge=1, le=64)] = 1
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=64)] = 1
    """Batches whose mean gradient makes one step."""
    resolution: Annotated[int, Field(ge=64, le=2048)]
    """Side in pixels of the square whose area every training crop keeps to."""
    extra_resolutions: Annotated[tuple[Annotated[int, Field(ge=64, le=2048)], ...], Field(max_length=3)] = ()
    """Further sides at which every picture is learned too, so that the adapter is good at several sizes."""
    crops: Annotated[int, Field(ge=1, le=8)] = 1
    """Cuts of each picture: the chosen one, and others inside it that come closer."""
    caption_dropout: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the samples whose caption is replaced by the empty one."""
    shuffle_caption: bool = False
    """Read the parts of a caption that stand between commas in another order each time."""
    keep_tokens: Annotated[int, Field(ge=0, le=20)] = 1
    """With ``shuffle_caption``: so many of the first parts keep their place, the trigger word's among them."""
    clip_skip: Annotated[int, Field(ge=1, le=2)] = 1
    """Which of CLIP's layers Stable Diffusion 1.x reads, from the last: other programs' "clip skip". 2 for bases that
    were made so; pictures are drawn with the adapter in the same way."""
    min_snr_gamma: Annotated[float, Field(gt=0, le=100)] | None = 5.0
    """Clamp of the signal-to-noise ratio in the loss weight; used by noise- and v-prediction, never by flow models."""
    noise_offset: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    timestep_sampling: TimestepSampling = "logit_normal"
    """How flow models draw the noise level of a sample: around the middle (what other trainers also call "sigmoid"), or
    all alike. Noise- and v-prediction models draw all alike whatever it says."""
    timestep_shift: Annotated[float, Field(ge=0.1, le=20)] | None = None
    """How far flow models move those levels towards noise: t becomes s·t / (1 + (s - 1)·t). None takes the base's own
    shift, which may grow with the resolution."""
    quantization: Quantization = "none"
    """How the frozen base is held in memory: as it is, in 4 bits (NF4) or in 8. The adapter is always in float32."""
    gradient_checkpointing: bool = False
    """Compute activations again on the way back instead of keeping them: about a third slower, in far less memory."""
    block_offload: bool = False
    """The base's blocks wait in the machine's memory and come to the card one at a time; needs
    ``gradient_checkpointing``. Each step copies the base twice, in a small part of the card's memory."""
    compile: bool = False
    """Try, once some steps were taken, whether the denoiser's blocks are faster compiled, and leave them so if they
    are."""
    flip: bool = False
    """Also train on mirrored pictures. Off by default: logos and lettering must not be mirrored."""
    class_prompt: Annotated[str, Field(max_length=300)] = ""
    """What kind of thing it is, without the trigger word ("a dog"): pictures of it by the base itself are learned
    along, so that the base keeps its idea of all the others (Ruiz et al. 2023). Empty: none."""
    num_class_images: Annotated[int, Field(ge=1, le=500)] = 40
    prior_loss_weight: Annotated[float, Field(ge=0, le=10)] = 1.0
    """How much those pictures count beside the brand's; 0: not at all."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Above 0 the file holds the moving average of the weights instead of the last ones."""
    max_grad_norm: Annotated[float, Field(gt=0, le=100)] = 1.0
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    sample_prompts: Annotated[tuple[str, ...], Field(max_length=MOST_SAMPLE_PROMPTS)] = ()
    """Fixed prompts drawn at every checkpoint, beside the base model's picture for the same seed."""
    sample_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    sample_steps: Annotated[int, Field(ge=1, le=100)] = 20
    sample_guidance_scale: Annotated[float, Field(ge=1, le=30)] = 5.0
    checkpoint_every: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Steps between two checkpoints; each checkpoint also draws the sample prompts."""

    @property
    def with_prior_preservation(self) -> bool:
        return bool(self.class_prompt) and self.prior_loss_weight > 0

    def used(self, *, is_flow: bool) -> dict[str, Any]:
        """Every field by its name, as a header tells it; None for what a training by this recipe does not use."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        unused = {"min_snr_gamma", "noise_offset"} if is_flow else {"timestep_sampling", "timestep_shift"}
        if not self.noise_offset:
            unused.add("noise_offset")
        if self.clip_skip == 1:  # other programs tell it of another layer than the last alone
            unused.add("clip_skip")
        if not self.train_text_encoder:
            unused.add("text_encoder_lr")
        elif self.optimizer == "prodigy":
            values["text_encoder_lr"] = self.learning_rate  # one rate for all
        if not self.with_prior_preservation:
            unused |= {"class_prompt", "prior_loss_weight"}
            values["num_class_images"] = 0
        return values | dict.fromkeys(unused)


_OTHERS_KEYS = {
    "trigger_word": "modelspec.trigger_phrase",
    "rank": "ss_network_dim",
    "learning_rate": "ss_learning_rate",
    "optimizer": "ss_optimizer",
    "text_encoder_lr": "ss_text_encoder_lr",
    "lr_scheduler": "ss_lr_scheduler",
    "warmup_steps": "ss_lr_warmup_steps",
    "steps": "ss_max_train_steps",
    "batch_size": "ss_batch_size_per_device",
    "gradient_accumulation_steps": "ss_gradient_accumulation_steps",
    "resolution": "ss_resolution",
    "caption_dropout": "ss_caption_dropout_rate",
    "shuffle_caption": "ss_shuffle_caption",
    "keep_tokens": "ss_keep_tokens",
    "clip_skip": "ss_clip_skip",
    "min_snr_gamma": "ss_min_snr_gamma",
    "noise_offset": "ss_noise_offset",
    "timestep_sampling": "ss_timestep_sampling",
    "timestep_shift": "ss_discrete_flow_shift",
    "gradient_checkpointing": "ss_gradient_checkpointing",
    "flip": "ss_flip_aug",
    "num_class_images": "ss_num_reg_images",
    "prior_loss_weight": "ss_prior_loss_weight",
    "max_grad_norm": "ss_max_grad_norm",
    "seed": "ss_seed",
}
"""Only where the value means the same there: ``ss_network_alpha`` is the file's own, larger for rsLoRA and absent in
some formats, so ``alpha`` is not in this list."""


def header_keys(recipe: type[BaseModel]) -> dict[str, str]:
    """Field of a recipe → key in the header of exported files: sd-scripts' or modelspec's own where they have one, else
    ``livery.<field>``. Files that have left the house hold these keys: none may change."""
    return {name: _OTHERS_KEYS.get(name, f"livery.{name}") for name in recipe.model_fields}
