"""FLUX.2: [klein], which Livery trains and draws with, and [dev], whose adapters it converts."""

from app.lora_files.families.facts import Checkpoint, FamilyFacts, OriginalLayer
from app.lora_files.families.flux_1 import ATTENTION, ENDS

_KLEIN = ("flux-2-klein", "flux2")
FACTS = FamilyFacts(
    architecture="flux_2",
    name="FLUX.2",
    place=7,
    is_u_net=False,
    key_formats=("comfyui", "canonical"),
    blocks={
        "double_blocks": (
            "transformer_blocks",
            ATTENTION
            | {
                "img_mlp.0": OriginalLayer(("ff.linear_in",)),
                "img_mlp.2": OriginalLayer(("ff.linear_out",)),
                "txt_mlp.0": OriginalLayer(("ff_context.linear_in",)),
                "txt_mlp.2": OriginalLayer(("ff_context.linear_out",)),
            },
        ),
        "single_blocks": (
            "single_transformer_blocks",
            {"linear1": OriginalLayer(("attn.to_qkv_mlp_proj",)), "linear2": OriginalLayer(("attn.to_out",))},
        ),
    },
    top=ENDS
    | {
        "time_in.in_layer": OriginalLayer(("time_guidance_embed.timestep_embedder.linear_1",)),
        "time_in.out_layer": OriginalLayer(("time_guidance_embed.timestep_embedder.linear_2",)),
        "guidance_in.in_layer": OriginalLayer(("time_guidance_embed.guidance_embedder.linear_1",)),
        "guidance_in.out_layer": OriginalLayer(("time_guidance_embed.guidance_embedder.linear_2",)),
        "single_stream_modulation.lin": OriginalLayer(("single_stream_modulation.linear",)),
        "double_stream_modulation_img.lin": OriginalLayer(("double_stream_modulation_img.linear",)),
        "double_stream_modulation_txt.lin": OriginalLayer(("double_stream_modulation_txt.linear",)),
    },
    unsplit={
        "transformer_blocks.attn.to_qkv": "double_blocks.img_attn.qkv",
        "transformer_blocks.attn.to_added_qkv": "double_blocks.txt_attn.qkv",
    },
    comfyui_alpha_in_weights=True,
    widths=frozenset({3072, 4096, 6144}),
    sizes={3072: "FLUX.2 [klein] 4B", 4096: "FLUX.2 [klein] 9B", 6144: "FLUX.2 [dev]"},
    header_words=r"flux[-_. ]?2|klein",
    modelspec="flux-2",
    sd_scripts="flux2",
    makers_code="https://github.com/black-forest-labs/flux2",
    bases=dict.fromkeys(("flux-2-klein-base-4b", "flux-2-klein-4b", "flux-2-klein-base-9b", "flux-2-klein-9b"), _KLEIN),
    runs_in=frozenset({"invokeai"}),
    diffusers_lokr=("canonical", "comfyui", "lycoris"),
    key="flux2_klein",
    short_name="FLUX.2 [klein]",
    pipeline="Flux2KleinPipeline",
    is_flow=True,
    distilled_by="is_distilled",
    tells_width=True,
    checkpoint=Checkpoint(
        ("double_blocks.0.img_attn.qkv.weight", "time_in.in_layer.weight", "double_stream_modulation_img.")
    ),
)
