"""Stable Diffusion 2.x, whose adapters are converted and which Livery does not draw with."""

from app.lora_files.families.facts import Checkpoint, FamilyFacts, TextEncoder

FACTS = FamilyFacts(
    architecture="stable_diffusion_2",
    name="Stable Diffusion 2",
    place=2,
    is_u_net=True,
    key_formats=("kohya", "canonical", "diffusers_old"),
    text_encoders={"text_encoder": TextEncoder("lora_te_")},
    text_width=1024,
    header_words=r"sd_v2|stable-diffusion-v2",
    modelspec="stable-diffusion-v2",
    sd_scripts="sd_v2",
    sd_scripts_v2=True,
    native_side=768,
    a1111="SD2",
    runs_in=frozenset({"a1111", "forge", "kohya", "invokeai"}),
    checkpoint=Checkpoint(("model.diffusion_model.input_blocks.0.0.weight",)),
)
