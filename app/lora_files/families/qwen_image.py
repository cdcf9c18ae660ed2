"""Qwen-Image, whose adapters are converted and which Livery does not draw with."""

from app.lora_files.families.facts import FamilyFacts, OriginalLayer

FACTS = FamilyFacts(
    architecture="qwen_image",
    name="Qwen-Image",
    place=4,
    is_u_net=False,
    key_formats=("comfyui", "canonical"),
    blocks={
        "transformer_blocks": (
            "transformer_blocks",
            {
                same: OriginalLayer((same,))
                for same in (
                    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0", "to_add_out")),
                    *(f"attn.add_{name}_proj" for name in "qkv"),
                    *(f"{side}_mlp.net.{layer}" for side in ("img", "txt") for layer in ("0.proj", "2")),
                    "img_mod.1",
                    "txt_mod.1",
                )
            },
        )
    },
    top={
        same: OriginalLayer((same,))
        for same in (
            "img_in",
            "txt_in",
            "proj_out",
            "norm_out.linear",
            "time_text_embed.timestep_embedder.linear_1",
            "time_text_embed.timestep_embedder.linear_2",
        )
    },
    widths=frozenset({3072}),
    layers=(r"\.(img|txt)_mlp\.net\.", r"^transformer_blocks\.\d+\.(img|txt)_mod\."),
    header_words=r"qwen[-_ ]?image",
    modelspec="qwen-image",
    sd_scripts="qwen_image",
)
