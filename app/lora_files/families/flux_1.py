"""FLUX.1 [dev] and [schnell]."""

from app.lora_files.families.facts import Checkpoint, FamilyFacts, OriginalLayer, TextEncoder

QKV = (1, 1, 1)
ATTENTION = {
    "img_attn.qkv": OriginalLayer(("attn.to_q", "attn.to_k", "attn.to_v"), QKV),
    "txt_attn.qkv": OriginalLayer(("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"), QKV),
    "img_attn.proj": OriginalLayer(("attn.to_out.0",)),
    "txt_attn.proj": OriginalLayer(("attn.to_add_out",)),
}
ENDS = {
    "img_in": OriginalLayer(("x_embedder",)),
    "txt_in": OriginalLayer(("context_embedder",)),
    "final_layer.linear": OriginalLayer(("proj_out",)),
    "final_layer.adaLN_modulation.1": OriginalLayer(("norm_out.linear",), swaps_halves=True),
}
FACTS = FamilyFacts(
    architecture="flux_1",
    name="FLUX.1",
    place=6,
    is_u_net=False,
    key_formats=("kohya", "canonical", "comfyui"),
    # CLIP-L, and a T5.
    text_encoders={
        "text_encoder": TextEncoder("lora_te1_", "text_encoders.clip_l.transformer."),
        "text_encoder_2": TextEncoder("lora_te3_", "text_encoders.t5xxl.transformer.", is_trained=False),
    },
    blocks={
        "double_blocks": (
            "transformer_blocks",
            ATTENTION
            | {
                "img_mlp.0": OriginalLayer(("ff.net.0.proj",)),
                "img_mlp.2": OriginalLayer(("ff.net.2",)),
                "txt_mlp.0": OriginalLayer(("ff_context.net.0.proj",)),
                "txt_mlp.2": OriginalLayer(("ff_context.net.2",)),
                "img_mod.lin": OriginalLayer(("norm1.linear",)),
                "txt_mod.lin": OriginalLayer(("norm1_context.linear",)),
            },
        ),
        "single_blocks": (
            "single_transformer_blocks",
            {
                "linear1": OriginalLayer(("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"), (1, 1, 1, 4)),
                "linear2": OriginalLayer(("proj_out",)),
                "modulation.lin": OriginalLayer(("norm.linear",)),
            },
        ),
    },
    top=ENDS
    | {
        "time_in.in_layer": OriginalLayer(("time_text_embed.timestep_embedder.linear_1",)),
        "time_in.out_layer": OriginalLayer(("time_text_embed.timestep_embedder.linear_2",)),
        "vector_in.in_layer": OriginalLayer(("time_text_embed.text_embedder.linear_1",)),
        "vector_in.out_layer": OriginalLayer(("time_text_embed.text_embedder.linear_2",)),
        "guidance_in.in_layer": OriginalLayer(("time_text_embed.guidance_embedder.linear_1",)),
        "guidance_in.out_layer": OriginalLayer(("time_text_embed.guidance_embedder.linear_2",)),
    },
    unsplit={
        "transformer_blocks.attn.to_qkv": "double_blocks.img_attn.qkv",
        "transformer_blocks.attn.to_added_qkv": "double_blocks.txt_attn.qkv",
        "single_transformer_blocks.attn.to_qkv_mlp": "single_blocks.linear1",
    },
    widths=frozenset({3072}),
    header_words=r"flux",
    modelspec="flux-1-dev",
    sd_scripts="flux1",
    sd_scripts_network="networks.lora_flux",
    makers_code="https://github.com/black-forest-labs/flux",
    a1111="Flux",
    bases={"flux-1-schnell": ("flux-1-schnell", "flux1")},
    without_shift=("flux-1-schnell",),
    runs_in=frozenset({"forge", "kohya", "invokeai"}),
    key="flux",
    short_name="FLUX.1",
    pipeline="FluxPipeline",
    is_flow=True,
    distilled_by="guidance_embeds",
    checkpoint=Checkpoint(
        ("double_blocks.0.img_attn.qkv.weight", "time_in.in_layer.weight"),
        frozenset({"transformer"}),
        guided_by="guidance_in.in_layer.weight",
    ),
)
