"""What one training step of a whole-size base costs, counted without the weights: bytes kept for the way back, and
arithmetic operations of the way there.

    python -m worker.engines.image.measuring.step_cost
    python -m worker.engines.image.measuring.step_cost kept

The models are built on torch's meta device from their published configurations: shapes flow, numbers do not, so that a
model of twelve billion needs no memory and no card. Kept bytes are counted where autograd keeps them
(``saved_tensors_hooks``), operations by torch's own counter. What it prints stands in ``catalogue.toml``, and what it
prints with ``kept``, for every kind of adapter and choice of layers, in ``kept.toml``.

Known limits: the configurations are written here, not fetched. Attention is counted as fused kernels keep it (query,
key, value, output), whatever a card really runs. Adapters are counted in bfloat16, in which autocast lets them
compute; what DoRA's lengths make float32 is counted as half of that. The working memory of a kernel and the
allocator's waste are not seen.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from diffusers import Flux2Transformer2DModel, FluxTransformer2DModel, UNet2DConditionModel
from peft import LoKrConfig, LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from app.trainings.look.recipe import Network, TargetModules
from worker.engines.image.base.block_swap import BLOCK
from worker.engines.image.base.lora import TARGETS, TEXT_TARGETS
from worker.engines.image.base.quantization import IN_A_BLOCK
from worker.engines.image.families import flow_models, flux, flux2_klein

SIDES = (512, 768, 1024)
KEPT_SIDES = (512, 1024)
RANK = 16
NETWORKS: tuple[Network, ...] = ("lora", "dora", "lokr")
LAYERS: tuple[TargetModules, ...] = ("attention", "attention_and_feed_forward", "all_layers")
Step = Callable[[nn.Module, int], Tensor]


@dataclass(frozen=True)
class StepCost:
    """Of one picture of ``side`` pixels in bfloat16."""

    side: int
    kept_mb: int
    """Kept for the way back, with an adapter on the attention layers."""
    kept_mb_checkpointed: int
    """The same with gradient checkpointing: what goes into the blocks alone."""
    kept_mb_of_a_block: int
    """What the largest block keeps while it is computed again."""
    tera_operations: float
    """Of one way through the denoiser, a multiplication and an addition counted as two."""


class _FusedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value):  # type: ignore[no-untyped-def]
        out = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, out)
        return out

    @staticmethod
    def backward(ctx, *grads):  # type: ignore[no-untyped-def]
        raise NotImplementedError


@contextmanager
def _fused_attention() -> Iterator[list[float]]:
    """Counts attention as two matrix products and keeps what a fused kernel keeps."""
    operations = [0.0]
    real = F.scaled_dot_product_attention

    def counted(query: Tensor, key: Tensor, value: Tensor, *_args: object, **_named: object) -> Tensor:
        batch_and_heads = query[..., 0, 0].numel()
        operations[0] += 4.0 * batch_and_heads * query.shape[-2] * key.shape[-2] * query.shape[-1]
        return _FusedAttention.apply(query, key, value)

    F.scaled_dot_product_attention = counted
    try:
        yield operations
    finally:
        F.scaled_dot_product_attention = real


@contextmanager
def _kept_bytes(weights: set[int]) -> Iterator[dict[int, int]]:
    """Fills with the bytes of every tensor that autograd keeps and that is not one of the weights."""
    kept: dict[int, int] = {}
    alive = []  # so that an id is not given to another tensor meanwhile

    def pack(tensor: Tensor) -> Tensor:
        held = tensor if tensor._base is None else tensor._base
        if id(held) not in weights and id(held) not in kept:
            kept[id(held)] = held.numel() * held.element_size()
            alive.append(held)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def count(model: nn.Module, step: Step, side: int) -> StepCost:
    """What one picture costs, counted with and without checkpointing. The model is on the meta device."""
    put_in(model, "lora", TARGETS["attention"])
    with _fused_attention() as attention, FlopCounterMode(display=False) as counter:
        kept = _kept(model, step, side)
    operations = counter.get_total_flops() + attention[0]
    again, of_a_block = _kept_checkpointed(model, step, side)
    return StepCost(
        side=side,
        kept_mb=round(kept / 1e6),
        kept_mb_checkpointed=round(again / 1e6),
        kept_mb_of_a_block=round(of_a_block / 1e6),
        tera_operations=round(operations / 1e12, 2),
    )


def put_in(model: nn.Module, network: Network, targets: Sequence[str]) -> int:
    """Freeze the model and put an adapter in, in bfloat16; how many numbers it learns."""
    model.requires_grad_(False)
    model.train()
    configuration: Any = LoKrConfig(r=RANK, alpha=RANK, target_modules=list(targets))
    if network != "lokr":
        configuration = LoraConfig(r=RANK, target_modules=list(targets), use_dora=network == "dora")
    inject_adapter_in_model(configuration, model, "counted")
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in learned:
        parameter.data = parameter.data.to("meta", torch.bfloat16)
    return sum(parameter.numel() for parameter in learned)


def kept_rows(key: str) -> Iterator[tuple[Any, ...]]:
    """Network, layers, side, numbers learned, and megabytes kept: of all, with checkpointing, of the largest block."""
    build, step = BASES[key]
    for network in NETWORKS:
        for layers in LAYERS:
            for side in KEPT_SIDES:
                model = made(build)
                learned = put_in(model, network, _targets(model, network, layers))
                with _fused_attention():
                    sizes = (_kept(model, step, side), *_kept_checkpointed(model, step, side))
                yield network, layers, side, learned, *(round(size / 1e6) for size in sizes)


FLOW_FAMILIES = {FluxTransformer2DModel: flux.FAMILY, Flux2Transformer2DModel: flux2_klein.FAMILY}
"""Class of a transformer → the family that trains it."""


def _targets(model: nn.Module, network: Network, layers: TargetModules) -> Sequence[str]:
    family = next((family for kind, family in FLOW_FAMILIES.items() if isinstance(model, kind)), None)
    return TARGETS[layers] if family is None else flow_models.layers_of(model, family.layers(network), layers)


def _kept(model: nn.Module, step: Step, side: int) -> int:
    with _kept_bytes({id(parameter) for parameter in model.parameters()}) as plain:
        step(model, side)
    return sum(plain.values())


def _kept_checkpointed(model: nn.Module, step: Step, side: int) -> tuple[int, int]:
    """What goes into the blocks, and what the largest of them keeps."""
    weights = {id(parameter) for parameter in model.parameters()}
    blocks = [0]

    def block_by_block(block: Callable[..., Tensor], *inputs: object) -> object:
        with _kept_bytes(weights) as inside:
            block(*inputs)
        blocks.append(sum(inside.values()))
        return torch.utils.checkpoint.checkpoint(block, *inputs, use_reentrant=False)

    model.enable_gradient_checkpointing(block_by_block)  # type: ignore[operator]
    with _fused_attention(), _kept_bytes(weights) as checkpointed:
        step(model, side)
    return sum(checkpointed.values()), max(blocks)


def words(key: str) -> dict[str, float]:
    """What training a base's CLIP text encoders costs for one caption: numbers, megabytes kept, operations there."""
    found = {"parameters": 0.0, "parameters_per_rank": 0.0, "kept_mb": 0.0, "tera_operations": 0.0}
    for kind, shape in ENCODERS[key]:
        with torch.device("meta"):
            model = kind(CLIPTextConfig(**shape)).to(torch.bfloat16)
        found["parameters"] += sum(parameter.numel() for parameter in model.parameters())
        found["parameters_per_rank"] += put_in(model, "lora", TEXT_TARGETS) / RANK
        ids = torch.zeros(1, 77, dtype=torch.long, device="meta")
        weights = {id(parameter) for parameter in model.parameters()}
        with _fused_attention() as attention, FlopCounterMode(display=False) as counter, _kept_bytes(weights) as kept:
            model(ids)
        found["kept_mb"] += sum(kept.values()) / 1e6
        found["tera_operations"] += (counter.get_total_flops() + attention[0]) / 1e12
    return found


def _half(*shape: int) -> Tensor:
    return torch.empty(*shape, device="meta", dtype=torch.bfloat16)


def _stable_diffusion() -> nn.Module:
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)


def _stable_diffusion_step(model: nn.Module, side: int) -> Tensor:
    return model(_half(1, 4, side // 8, side // 8), torch.empty(1, device="meta"), _half(1, 77, 768)).sample


def _stable_diffusion_xl() -> nn.Module:
    return UNet2DConditionModel(
        sample_size=128,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(320, 640, 1280),
        attention_head_dim=(5, 10, 20),
        transformer_layers_per_block=(1, 2, 10),
        cross_attention_dim=2048,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
        use_linear_projection=True,
    )


def _stable_diffusion_xl_step(model: nn.Module, side: int) -> Tensor:
    added = {"text_embeds": _half(1, 1280), "time_ids": _half(1, 6)}
    latents, words = _half(1, 4, side // 8, side // 8), _half(1, 77, 2048)
    return model(latents, torch.empty(1, device="meta"), words, added_cond_kwargs=added).sample


def _flux() -> nn.Module:
    return FluxTransformer2DModel(guidance_embeds=True)


def _flux_step(model: nn.Module, side: int) -> Tensor:
    patches = (side // 16) ** 2
    return model(
        hidden_states=_half(1, patches, 64),
        encoder_hidden_states=_half(1, 512, 4096),
        pooled_projections=_half(1, 768),
        timestep=_half(1),
        img_ids=_half(patches, 3),
        txt_ids=_half(512, 3),
        guidance=_half(1),
    ).sample


def _flux2_klein() -> nn.Module:
    return Flux2Transformer2DModel(
        num_layers=5, num_single_layers=20, num_attention_heads=24, joint_attention_dim=7680, guidance_embeds=False
    )


def _flux2_klein_9b() -> nn.Module:
    return Flux2Transformer2DModel(
        num_layers=8, num_single_layers=24, num_attention_heads=32, joint_attention_dim=12288, guidance_embeds=False
    )


def _flux2_klein_step(model: nn.Module, side: int) -> Tensor:
    patches, width = (side // 16) ** 2, model.config.joint_attention_dim  # type: ignore[union-attr]
    return model(
        hidden_states=_half(1, patches, 128),
        encoder_hidden_states=_half(1, 512, width),  # type: ignore[arg-type]
        timestep=_half(1),
        img_ids=_half(1, patches, 4),
        txt_ids=_half(1, 512, 4),
        guidance=None,
    ).sample


BASES: dict[str, tuple[Callable[[], nn.Module], Step]] = {
    "stable-diffusion-1-5": (_stable_diffusion, _stable_diffusion_step),
    "stable-diffusion-xl": (_stable_diffusion_xl, _stable_diffusion_xl_step),
    "flux-1-dev": (_flux, _flux_step),
    "flux-2-klein-base-4b": (_flux2_klein, _flux2_klein_step),
    "flux-2-klein-base-9b": (_flux2_klein_9b, _flux2_klein_step),
}
"""Key in the catalogue → the denoiser as published, and one way through it."""
ALIKE = {
    "flux-1-schnell": "flux-1-dev",
    "flux-2-klein-4b": "flux-2-klein-base-4b",
    "flux-2-klein-9b": "flux-2-klein-base-9b",
}
"""Bases whose denoiser has the shape of another's."""


CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
ENCODERS: dict[str, tuple[tuple[Any, dict[str, int]], ...]] = {
    "stable-diffusion-1-5": ((CLIPTextModel, CLIP_L),),
    "stable-diffusion-xl": (
        (CLIPTextModel, CLIP_L),
        (CLIPTextModelWithProjection, CLIP_G | {"projection_dim": 1280}),
    ),
}
"""Text encoders that an adapter can learn in."""


def made(build: Callable[[], nn.Module]) -> nn.Module:
    """The model on the meta device, in bfloat16."""
    with torch.device("meta"):
        return build().to(torch.bfloat16)


def in_blocks(model: nn.Module) -> float:
    """Share of the parameters that are weights of linear layers inside blocks, which is what gets quantised."""
    inside = sum(
        module.weight.numel()
        for name, module in model.named_modules()
        if type(module) is nn.Linear and IN_A_BLOCK.search(name)
    )
    return inside / sum(parameter.numel() for parameter in model.parameters())


def print_kept() -> None:
    """Prints what ``kept.toml`` holds of the bases."""
    for key in BASES:
        rows = "".join(f"    {list(row)},\n".replace("'", '"') for row in kept_rows(key))
        for name in (key, *(other for other, like in ALIKE.items() if like == key)):
            print(f"{name} = [\n{rows}]", flush=True)


def main() -> None:
    """Prints, for every base, what its entry in the catalogue holds."""
    for key, (build, step) in BASES.items():
        model = made(build)
        print(f"# {key}")
        print(f"denoiser_parameters = {sum(parameter.numel() for parameter in model.parameters())}")
        print(f"quantizable_share = {in_blocks(model):.3f}")
        blocks = [
            sum(parameter.numel() for parameter in module.parameters())
            for name, module in model.named_modules()
            if BLOCK.search(name)
        ]
        if key not in ENCODERS and blocks:
            share = sum(blocks) / sum(parameter.numel() for parameter in model.parameters())
            print(f"offloadable_share = {share:.3f}\nlargest_block_parameters = {max(blocks)}")
        for name, value in words(key).items() if key in ENCODERS else ():
            print(f"text_encoder_{name} = {value:.3f}" if value < 10 else f"text_encoder_{name} = {round(value)}")
        print("step_cost = [")
        for side in SIDES:
            cost = asdict(count(made(build), step, side))
            print("    { " + ", ".join(f"{name} = {value}" for name, value in cost.items()) + " },")
        print("]")


if __name__ == "__main__":
    print_kept() if sys.argv[1:] == ["kept"] else main()
