"""Files of bases that adapters exist for, made up after their trainers' save code: names and shapes, no numbers.

By architecture and program: the prefix, the words of the two halves, and layers with (rows, columns). ``N`` in a name
is the number of a block.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PEFT = ("lora_A.weight", "lora_B.weight")
KOHYA = ("lora_down.weight", "lora_up.weight")


@dataclass(frozen=True)
class Shape:
    """What reading names needs of a tensor."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Written:
    architecture: str
    program: str
    prefix: str
    words: tuple[str, str]
    layers: Mapping[str, tuple[int, int]]
    blocks: int
    metadata: Mapping[str, str]

    def entries(self, rank: int = 4) -> dict[str, Shape]:
        """The tensors' names and shapes."""
        found: dict[str, Shape] = {}
        for name, (rows, columns) in self.layers.items():
            for number in range(self.blocks if "N" in name else 1):
                path = name.replace("N", str(number))
                stem = self.prefix + (path.replace(".", "_") if self.prefix.endswith("_") else path)
                found[f"{stem}.{self.words[0]}"] = Shape("BF16", (rank, columns))
                found[f"{stem}.{self.words[1]}"] = Shape("BF16", (rows, rank))
                if self.words is KOHYA:
                    found[f"{stem}.alpha"] = Shape("BF16", ())
        return found


def _square(width: int, *names: str) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(names, (width, width))


def _to(width: int, where: str, out: str = "to_out.0") -> dict[str, tuple[int, int]]:
    return _square(width, *(f"{where}.{one}" for one in ("to_q", "to_k", "to_v", out)))


def _both(width: int) -> dict[str, tuple[int, int]]:
    added = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
    return _to(width, "transformer_blocks.N.attn") | _square(
        width, *(f"transformer_blocks.N.attn.{one}" for one in added)
    )


def _feed_forward(width: int, where: str, times: int = 4) -> dict[str, tuple[int, int]]:
    return {f"{where}.net.0.proj": (times * width, width), f"{where}.net.2": (width, times * width)}


def _original_attention(width: int, joined: str = ".") -> dict[str, tuple[int, int]]:
    return {
        f"double_blocks.N.{side}_attn{joined}{name}": (rows * width, width)
        for side in ("img", "txt")
        for name, rows in (("qkv", 3), ("proj", 1))
    }


def _single(width: int, times: int) -> dict[str, tuple[int, int]]:
    return {
        "single_blocks.N.linear1": ((3 + times) * width, width),
        "single_blocks.N.linear2": (width, (1 + (4 if times == 4 else times // 2)) * width),
    }


_FLUX_1 = _original_attention(3072) | {
    f"double_blocks.N.{side}_mlp.{layer}": shape
    for side in ("img", "txt")
    for layer, shape in ((0, (12288, 3072)), (2, (3072, 12288)))
}
_HIDREAM = {
    f"double_stream_blocks.N.block.attn1.{one}": (2560, 2560) for one in ("to_q", "to_k", "to_v", "to_out", "to_q_t")
}
_KANDINSKY = {
    f"visual_transformer_blocks.N.{one}_attention.{part}": (1792, 1792)
    for one in ("self", "cross")
    for part in ("to_query", "to_key", "to_value", "out_layer")
}
_WAN = _square(
    5120,
    *(f"blocks.N.{kind}_attn.{part}" for kind in ("self", "cross") for part in "qkvo"),
) | {"blocks.N.ffn.0": (13824, 5120), "blocks.N.ffn.2": (5120, 13824)}
_ANIMA = _square(
    2048, *(f"blocks.N.{kind}_attn.{part}_proj" for kind in ("self", "cross") for part in ("q", "k", "v", "output"))
)
_LUMINA = {
    "layers.N.attention.qkv": (3840, 2304),
    "layers.N.attention.out": (2304, 2304),
    "layers.N.feed_forward.w1": (9216, 2304),
    "layers.N.adaLN_modulation.1": (9216, 1024),
}
_Z_IMAGE = {
    **_to(3840, "layers.N.attention"),
    "layers.N.feed_forward.w1": (10240, 3840),
    "layers.N.feed_forward.w2": (3840, 10240),
}
_KREA = {
    "transformer_blocks.N.attn.to_q": (6144, 6144),
    "transformer_blocks.N.attn.to_k": (1536, 6144),
    "transformer_blocks.N.attn.to_v": (1536, 6144),
    "transformer_blocks.N.attn.to_out.0": (6144, 6144),
}
_SD3_ORIGINAL = {
    f"joint_blocks.N.{side}_block.{name}": shape
    for side in ("x", "context")
    for name, shape in (("attn.qkv", (4608, 1536)), ("attn.proj", (1536, 1536)), ("mlp.fc1", (6144, 1536)))
}


def _cross(width: int, text: int) -> dict[str, tuple[int, int]]:
    own = _to(width, "transformer_blocks.N.attn1") | _to(width, "transformer_blocks.N.attn2")
    return own | dict.fromkeys(("transformer_blocks.N.attn2.to_k", "transformer_blocks.N.attn2.to_v"), (width, text))


def _w(architecture, program, prefix, words, layers, blocks, **metadata) -> Written:  # type: ignore[no-untyped-def]
    said = {key.replace("spec_", "spec."): value for key, value in metadata.items()}
    return Written(architecture, program, prefix, words, layers, blocks, said)


FILES = (
    _w("flux_1", "sd-scripts", "lora_unet_", KOHYA, _FLUX_1, 19, ss_base_model_version="flux1"),
    _w("flux_1", "sd-scripts, attention", "lora_unet_", KOHYA, _original_attention(3072), 19),
    _w("flux_1", "ai-toolkit", "transformer.", PEFT, _both(3072) | _feed_forward(3072, "transformer_blocks.N.ff"), 19),
    _w("flux_1", "ComfyUI", "diffusion_model.", PEFT, _single(3072, 4), 38),
    _w("flux_2", "diffusion-pipe [dev]", "diffusion_model.", PEFT, _original_attention(6144), 8),
    _w("flux_2", "ai-toolkit [dev]", "diffusion_model.", PEFT, _single(6144, 6), 48),
    _w("flux_2", "klein 9B", "lora_unet_", KOHYA, _original_attention(4096), 8),
    _w("flux_2", "klein 4B", "diffusion_model.", PEFT, _single(3072, 6), 20),
    _w("z_image", "ai-toolkit", "diffusion_model.", PEFT, _Z_IMAGE, 30),
    _w("z_image", "VideoX-Fun", "lora_unet__", KOHYA, _Z_IMAGE, 30),
    _w("z_image", "OneTrainer", "transformer.", PEFT, _Z_IMAGE, 30),
    _w("qwen_image", "musubi-tuner", "lora_unet_", KOHYA, _both(3072), 60),
    _w("qwen_image", "ai-toolkit", "diffusion_model.", PEFT, _both(3072), 60),
    _w("chroma", "sd-scripts", "lora_unet_", KOHYA, _FLUX_1, 19, ss_base_model_version="chroma"),
    _w("chroma", "sd-scripts, spec alone", "lora_unet_", KOHYA, _FLUX_1, 19, modelspec_architecture="chroma/lora"),
    _w(
        "chroma",
        "ai-toolkit",
        "diffusion_model.",
        PEFT,
        _FLUX_1 | {"distilled_guidance_layer.layers.0.in_layer": (5120, 5120)},
        19,
    ),
    _w("stable_diffusion_3", "sd-scripts", "lora_unet_", KOHYA, _SD3_ORIGINAL, 24),
    _w("stable_diffusion_3", "ComfyUI", "diffusion_model.", PEFT, _SD3_ORIGINAL, 24),
    _w("stable_diffusion_3", "diffusers, 3.5 Large", "transformer.", PEFT, _both(2432), 38),
    _w("stable_diffusion_3", "diffusers, Medium", "transformer.", PEFT, _both(1536), 24),
    _w("hunyuan_video", "musubi-tuner", "lora_unet_", KOHYA, _original_attention(3072, "_"), 20),
    _w("hunyuan_video", "diffusion-pipe", "diffusion_model.", PEFT, _original_attention(3072, "_"), 20),
    _w(
        "hunyuan_video",
        "musubi-tuner, a part",
        "lora_unet_",
        KOHYA,
        _original_attention(3072, "_"),
        6,
        ss_base_model_version="hunyuan_video",
    ),
    _w(
        "hunyuan_video",
        "diffusers",
        "transformer.",
        PEFT,
        _both(3072) | _to(3072, "context_embedder.token_refiner.refiner_blocks.0.attn"),
        20,
    ),
    _w("hunyuan_video", "diffusers, 1.5", "transformer.", PEFT, _both(2048), 54),
    _w("hunyuan_image", "diffusers", "transformer.", PEFT, _both(3584), 20),
    _w("hunyuan_image", "sd-scripts", "lora_unet_", KOHYA, _original_attention(3584, "_"), 20),
    _w("krea_2", "diffusers", "transformer.", PEFT, _KREA, 28),
    _w(
        "krea_2",
        "ai-toolkit",
        "diffusion_model.",
        PEFT,
        _square(6144, "blocks.N.attn.wq", "blocks.N.attn.wo", "blocks.N.mlp.gate"),
        28,
    ),
    _w("ltx", "diffusers", "transformer.", PEFT, _cross(2048, 2048), 28),
    _w("ltx", "ai-toolkit", "diffusion_model.", PEFT, _cross(4096, 4096), 48),
    _w("pixart", "PEFT", "base_model.model.", PEFT, _cross(1152, 1152), 28),
    _w("pixart", "diffusers", "transformer.", PEFT, _cross(1152, 1152), 28),
    _w("sana", "diffusers", "transformer.", PEFT, _cross(2240, 2240), 20),
    _w("cogvideox", "diffusers", "transformer.", PEFT, _to(1920, "transformer_blocks.N.attn1"), 30),
    _w(
        "mochi",
        "diffusers",
        "transformer.",
        PEFT,
        _to(3072, "transformer_blocks.N.attn1") | {"transformer_blocks.N.attn1.add_q_proj": (3072, 1536)},
        48,
    ),
    _w("wan", "musubi-tuner", "lora_unet_", KOHYA, _WAN, 40),
    _w("wan", "ai-toolkit", "diffusion_model.", PEFT, _WAN, 40),
    _w("wan", "VideoX-Fun", "lora_unet__", KOHYA, _WAN, 40),
    _w("wan", "diffusers", "transformer.", PEFT, _to(1536, "blocks.N.attn1") | _to(1536, "blocks.N.attn2"), 30),
    _w("wan", "without a prefix", "", PEFT, _WAN, 40),
    _w("hidream", "ai-toolkit", "transformer.", PEFT, _HIDREAM, 16),
    _w("hidream", "ComfyUI", "diffusion_model.", PEFT, _HIDREAM, 16),
    _w("lumina_2", "sd-scripts", "lora_unet_", KOHYA, _LUMINA, 26),
    _w("lumina_2", "diffusers", "transformer.", PEFT, _to(2304, "layers.N.attn"), 26),
    _w("lumina_2", "ComfyUI, attention", "diffusion_model.", PEFT, {"layers.N.attention.qkv": (3840, 2304)}, 26),
    _w("kandinsky_5", "diffusers", "transformer.", PEFT, _KANDINSKY, 32),
    _w("kandinsky_5", "musubi-tuner", "lora_unet_", KOHYA, _KANDINSKY, 32),
    _w("cosmos", "sd-scripts", "lora_unet_", KOHYA, _ANIMA, 28),
    _w("cosmos", "ComfyUI", "diffusion_model.", PEFT, _ANIMA, 28),
    _w("cosmos", "diffusers", "transformer.", PEFT, _cross(2048, 1024), 28),
    _w("auraflow", "diffusers", "transformer.", PEFT, _to(3072, "joint_transformer_blocks.N.attn"), 4),
    _w("unknown", "FLUX.1's names in another size", "transformer.", PEFT, _both(2816), 12),
    _w("unknown", "blocks of nobody", "lora_unet_", KOHYA, _square(1000, "blocks.N.mixer.a"), 3),
    _w("unknown", "Z-Image's names in another size", "diffusion_model.", PEFT, _to(4608, "layers.N.attention"), 34),
)
