"""What is said of the programs, against what their own loaders took of files with real names and widths.

The numbers are runs of diffusers 0.42.1, sd-scripts 48d368fa, ComfyUI of April 2026, AUTOMATIC1111 of February 2024,
Forge dfdcbab6 and InvokeAI 8e71a8a5, with random numbers, alpha 3 and rank 2: layers that a program took of each file,
and of how many.
"""

import re
from functools import cache

import pytest

from app.lora_files import key_formats
from app.lora_files.families.facts import Architecture
from app.lora_files.key_formats import Lora
from app.lora_files.keys.weights import DOWN, MAGNITUDE, UP
from app.lora_files.programs import verdicts
from app.lora_files.programs.fit import Contents
from app.lora_files.safetensors_file import ITEM_BYTES, Tensor

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.slow

ATTENTION = r".*(attn\d?\.(to_[qkv]|to_out(\.0)?|add_[qkv]_proj|to_add_out|to_qkv_mlp_proj))"
FLUX_BLOCKS = r"(single_)?transformer_blocks\..+"
CONVOLUTIONS = r"proj_in|proj_out|conv1|conv2|conv_shortcut|conv|conv_in|conv_out"
U_NET_ALL = rf".*(attn\d\.to_[qkv]|to_out\.0|ff\.net\.(0\.proj|2)|{CONVOLUTIONS})"
PROGRAMS = ("comfyui", "forge", "a1111", "kohya", "invokeai", "diffusers")
WHOLE = None
"""All that is in the file."""

TABLE = {
    # file: (dialect, tensors without alphas, what each of PROGRAMS takes of them)
    "SD 1.5 attention": ("kohya", 256, (WHOLE,) * 6),
    "SD 1.5 all, CLIP": ("kohya", 612, (WHOLE, WHOLE, WHOLE, 608, WHOLE, WHOLE)),
    "SDXL attention": ("kohya", 1120, (WHOLE,) * 6),
    "SDXL all, CLIP": ("kohya", 1898, (WHOLE, WHOLE, WHOLE, 1894, WHOLE, WHOLE)),
    "FLUX.1 attention": ("kohya", 228, (WHOLE, WHOLE, 0, WHOLE, WHOLE, WHOLE)),
    "FLUX.1 all": ("kohya", 608, (WHOLE, WHOLE, 0, WHOLE, WHOLE, WHOLE)),
    # With the layer of zeros by which InvokeAI knows it; without, it took it for FLUX.1 and 0 of 120.
    "klein 4B attention": ("comfyui", 122, (WHOLE, 0, 0, 0, WHOLE, WHOLE)),
    "klein 4B all": ("comfyui", 160, (WHOLE, 0, 0, 0, WHOLE, WHOLE)),
    "SD 1.5 attention, DoRA": ("kohya", 384, (WHOLE, WHOLE, WHOLE, 256, WHOLE, 256)),
    "SDXL attention, DoRA": ("kohya", 1680, (WHOLE, WHOLE, WHOLE, 1120, WHOLE, 1120)),
    "FLUX.1 all, DoRA": ("kohya", 912, (WHOLE, WHOLE, 0, 608, WHOLE, 608)),
    "SD 1.5 attention, diffusers": ("canonical", 256, (0, 0, 0, 0, 0, WHOLE)),
    "SDXL attention, diffusers": ("canonical", 1120, (0, 0, 0, 0, 0, WHOLE)),
    "SD 1.5 all, CLIP, diffusers": ("canonical", 612, (356, 0, 0, 0, 0, WHOLE)),
    "SDXL all, CLIP, diffusers": ("canonical", 1898, (778, 0, 0, 0, 0, WHOLE)),
    "FLUX.1 attention, diffusers": ("canonical", 532, (WHOLE, WHOLE, 0, 0, WHOLE, WHOLE)),
    "FLUX.1 all, diffusers": ("canonical", 988, (WHOLE, WHOLE, 0, 0, WHOLE, WHOLE)),
    "FLUX.1 all, DoRA, diffusers": ("canonical", 1482, (988, 0, 0, 0, 0, WHOLE)),
    "klein 4B attention, diffusers": ("canonical", 160, (WHOLE, 0, 0, 0, WHOLE, WHOLE)),
    "klein 4B all, diffusers": ("canonical", 200, (WHOLE, 0, 0, 0, WHOLE, WHOLE)),
    "SD 1.5 attention, diffusers of 2023": ("diffusers_old", 256, (0, 0, 0, 0, 0, WHOLE)),
    "SDXL attention, diffusers of 2023": ("diffusers_old", 1120, (0, 0, 0, 0, 0, WHOLE)),
    "FLUX.1 all, ComfyUI": ("comfyui", 608, (WHOLE, WHOLE, 0, 0, WHOLE, 0)),
}
DRAWN_OTHERWISE = {"comfyui": "base's rows", "forge": "base's rows", "a1111": "column", "invokeai": "column"}
"""DoRA: 5 % off in the first two, another meaning in the others."""


@pytest.mark.parametrize("file", TABLE)
def test_the_table_of_programs_says_what_their_loaders_took(file: str) -> None:
    dialect, total, taken = TABLE[file]
    told = re.fullmatch(r"(SD 1\.5|SDXL|FLUX\.1|klein 4B) (attention|all(?:, CLIP)?)(, DoRA)?(?:, .+)?", file)
    assert told is not None
    base, what, is_dora = told.groups()
    tensors, header = key_formats.write(lora_of(base, what, bool(is_dora)), dialect)  # type: ignore[arg-type]
    names = key_formats.parse(tensors, header)
    untold = [
        alpha / rank
        for layer, rank, alpha in key_formats.alphas_and_ranks(names, tensors, header, {})
        if alpha is not None and rank and "alpha" not in layer.names
    ]
    fits = {fit.program: fit for fit in verdicts.fits(Contents(names, tensors, untold))}
    assert {fit.total for fit in fits.values()} == {total}
    found = tuple(WHOLE if fits[one].is_whole else fits[one].loaded for one in PROGRAMS)
    assert found == taken, [fits[one] for one in PROGRAMS]
    for program, fit in fits.items():
        if fit.is_whole:
            reason = DRAWN_OTHERWISE.get(program, "") if is_dora and dialect != "canonical" else ""
            assert (reason in fit.reason) if reason else not fit.reason, fit


@cache
def lora_of(base: str, what: str, is_dora: bool) -> Lora:
    tensors: dict[str, Tensor] = {}
    alphas = {}
    for name, (out, *columns) in layers_of(base, what).items():
        side = columns[1:]
        tensors[f"{name}.{DOWN}"] = zeros(2, columns[0], *side)
        tensors[f"{name}.{UP}"] = zeros(out, 2, *(1 for _ in side))
        if is_dora:
            tensors[f"{name}.{MAGNITUDE}"] = zeros(*((1, out, 1, 1) if side else (out,)))
        alphas[name] = 3.0
    return Lora(tensors, alphas, ARCHITECTURES[base])


def zeros(*shape: int) -> Tensor:
    count = 1
    for one in shape:
        count *= one
    return Tensor("F16", shape, bytes(count * ITEM_BYTES["F16"]))


ARCHITECTURES: dict[str, Architecture] = {
    "SD 1.5": "stable_diffusion_1",
    "SDXL": "stable_diffusion_xl",
    "FLUX.1": "flux_1",
    "klein 4B": "flux_2",
}


@cache
def layers_of(base: str, what: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the real base's layers, from diffusers' own model."""
    part, pattern = "unet", ATTENTION if what == "attention" else U_NET_ALL
    with torch.device("meta"):
        if base == "SD 1.5":
            model = diffusers.UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        elif base == "SDXL":
            model = diffusers.UNet2DConditionModel(
                block_out_channels=(320, 640, 1280), transformer_layers_per_block=(1, 2, 10),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                attention_head_dim=(5, 10, 20), cross_attention_dim=2048, use_linear_projection=True,
            )  # fmt: skip
        elif base == "FLUX.1":
            model, part = diffusers.FluxTransformer2DModel(guidance_embeds=True), "transformer"
        else:
            part = "transformer"
            model = diffusers.Flux2Transformer2DModel(
                num_layers=5, num_single_layers=20, num_attention_heads=24, joint_attention_dim=7680
            )
    if part == "transformer" and what == "all":
        pattern = FLUX_BLOCKS
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    found = {
        f"{part}.{name}": tuple(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, kinds) and re.fullmatch(pattern, name)
    }
    if "CLIP" in what:
        for encoder, blocks, width in (("text_encoder", 12, 768), ("text_encoder_2", 32, 1280))[: 1 + (base == "SDXL")]:
            for number in range(blocks):
                path = f"{encoder}.text_model.encoder.layers.{number}.self_attn"
                found |= {f"{path}.{one}": (width, width) for one in ("q_proj", "k_proj", "v_proj", "out_proj")}
    return found
