"""Z-Image, whose adapters are converted and which Livery does not draw with."""

from app.lora_files.families.facts import FamilyFacts, OriginalLayer

_BLOCKS = ("layers", "noise_refiner", "context_refiner")
FACTS = FamilyFacts(
    architecture="z_image",
    name="Z-Image",
    place=5,
    is_u_net=False,
    key_formats=("comfyui", "canonical"),
    blocks={
        name: (
            name,
            {
                "attention.qkv": OriginalLayer(("attention.to_q", "attention.to_k", "attention.to_v"), (1, 1, 1)),
                "attention.out": OriginalLayer(("attention.to_out.0",)),
                **{same: OriginalLayer((same,)) for same in ("feed_forward.w1", "feed_forward.w2", "feed_forward.w3")},
                "adaLN_modulation.0": OriginalLayer(("adaLN_modulation.0",)),
            },
        )
        for name in _BLOCKS
    },
    top={
        "x_embedder": OriginalLayer(("all_x_embedder.2-1",)),
        "final_layer.linear": OriginalLayer(("all_final_layer.2-1.linear",)),
        "final_layer.adaLN_modulation.1": OriginalLayer(("all_final_layer.2-1.adaLN_modulation.1",)),
        **{same: OriginalLayer((same,)) for same in ("cap_embedder.1", "t_embedder.mlp.0", "t_embedder.mlp.2")},
    },
    unsplit={f"{block}.attention.to_qkv": f"{block}.attention.qkv" for block in _BLOCKS},
    comfyui_keeps_split=True,
    widths=frozenset({3840}),
    layers=(
        r"^(noise_refiner|context_refiner)\.|\.feed_forward\.",
        r"^layers\.\d+\.(attention|adaLN_modulation)\b",
    ),
    header_words=r"z[-_ ]?image",
    modelspec="z-image",
    sd_scripts="zimage",
    diffusers_lokr=("canonical", "comfyui"),
)
