"""Stable Diffusion 1.x, and the base model that comes with Livery, which has its names."""

from app.lora_files.families.facts import Checkpoint, FamilyFacts, TextEncoder

FACTS = FamilyFacts(
    architecture="stable_diffusion_1",
    name="Stable Diffusion 1.5",
    place=1,
    is_u_net=True,
    key_formats=("kohya", "canonical", "diffusers_old"),
    # Programs built on SD 1.5 know one text encoder and look for lora_te_.
    text_encoders={"text_encoder": TextEncoder("lora_te_", "text_encoders.clip_l.transformer.")},
    text_width=768,
    header_words=r"sd_v1|stable-diffusion-v1|livery",
    modelspec="stable-diffusion-v1",
    sd_scripts="sd_v1",
    native_side=512,
    a1111="SD1",
    bases={"livery-builtin": ("livery-builtin", "livery_builtin")},
    runs_in=frozenset({"a1111", "forge", "kohya", "invokeai"}),
    key="stable_diffusion",
    short_name="Stable Diffusion 1.x",
    pipeline="StableDiffusionPipeline",
    has_clip_skip=True,
    checkpoint=Checkpoint(
        ("model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.transformer."),
        frozenset({"unet", "vae", "text_encoder"}),
    ),
)
