"""Stable Diffusion XL and what was made from it (Illustrious, Pony)."""

from app.lora_files.families.facts import Checkpoint, FamilyFacts, TextEncoder

FACTS = FamilyFacts(
    architecture="stable_diffusion_xl",
    name="Stable Diffusion XL",
    place=3,
    is_u_net=True,
    key_formats=("kohya", "canonical", "diffusers_old"),
    # CLIP-L and bigG.
    text_encoders={
        "text_encoder": TextEncoder("lora_te1_", "text_encoders.clip_l.transformer."),
        "text_encoder_2": TextEncoder("lora_te2_", "text_encoders.clip_g.transformer."),
    },
    kohya_has_original_names=True,
    first_up_block_has_attention=True,
    text_width=2048,
    header_words=r"sdxl|stable-diffusion-xl|illustrious|pony",
    modelspec="stable-diffusion-xl-v1-base",
    sd_scripts="sdxl_base_v1-0",
    makers_code="https://github.com/Stability-AI/generative-models",
    a1111="SDXL",
    runs_in=frozenset({"a1111", "forge", "kohya", "invokeai"}),
    key="stable_diffusion_xl",
    short_name="SDXL",
    pipeline="StableDiffusionXLPipeline",
    checkpoint=Checkpoint(
        ("model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.1."),
        frozenset({"unet", "vae", "text_encoder", "text_encoder_2"}),
    ),
)
