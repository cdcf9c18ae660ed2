"""What drawing with a whole-size base costs, counted without the weights: what one pass through the denoiser and one
decoding hold at their widest, and how many numbers the parts have.

    python -m worker.engines.image.measuring.drawing_cost

On torch's meta device, as ``step_cost`` does it and with its denoisers. What it prints stands in ``catalogue.toml``.

Known limits: as there; the workspaces of convolutions and the allocator's waste are not seen.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, AutoencoderKLFlux2
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
)

from worker.engines.image.measuring.step_cost import BASES, SIDES, made

Part = Callable[[], nn.Module]


@dataclass(frozen=True)
class DrawingCost:
    """Of one picture of ``side`` pixels."""

    side: int
    denoising_mb: int
    """At the widest place of one pass through the denoiser, in half precision."""
    decoding_mb: int
    """At the widest place of the autoencoder's way to pixels, in float32."""


class _Live(TorchDispatchMode):
    """Adds up what is alive of the tensors made inside it, and remembers the most. Views of ``weights`` are none."""

    def __init__(self, weights: nn.Module) -> None:
        super().__init__()
        self.now = self.most = 0
        held = [tensor.untyped_storage() for tensor in (*weights.parameters(), *weights.buffers())]
        self._seen = {storage._cdata for storage in held}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        self._seen.add(key)
        size = storage.nbytes()
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


@contextmanager
def _fused_attention() -> Iterator[None]:
    """Attention as a fused kernel holds it: what comes out, and nothing of the size of all pairs."""
    real = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = lambda query, key, value, *_, **__: query.new_empty(
        *query.shape[:-1], value.shape[-1]
    )
    try:
        yield
    finally:
        F.scaled_dot_product_attention = real


@torch.no_grad()
def most_alive(model: nn.Module, way: Callable[[], object]) -> int:
    """Bytes that the tensors made by ``way`` through the model on the meta device take together at most."""
    with _fused_attention(), _Live(model) as live:
        way()
    return live.most


def _autoencoder(latent_channels: int = 4) -> nn.Module:
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=latent_channels,
        use_quant_conv=latent_channels == 4,
        use_post_quant_conv=latent_channels == 4,
    )


def _clip() -> nn.Module:
    return CLIPTextModel(
        CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    )


def _large_clip() -> nn.Module:
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, projection_dim=1280
        )
    )


def _t5() -> nn.Module:
    return T5EncoderModel(
        T5Config(d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu")
    )


def _qwen3(width: int, feed_forward: int, heads: int, *, tied: bool = True) -> nn.Module:
    return Qwen3ForCausalLM(
        Qwen3Config(
            hidden_size=width,
            intermediate_size=feed_forward,
            num_hidden_layers=36,
            num_attention_heads=heads,
            num_key_value_heads=8,
            head_dim=128,
            vocab_size=151936,
            tie_word_embeddings=tied,
        )
    )


PARTS: dict[str, tuple[tuple[Part, ...], Part]] = {
    "stable-diffusion-1-5": ((_clip,), _autoencoder),
    "stable-diffusion-xl": ((_clip, _large_clip), _autoencoder),
    "flux-1-dev": ((_clip, _t5), lambda: _autoencoder(16)),
    "flux-2-klein-base-4b": ((lambda: _qwen3(2560, 9728, 32),), AutoencoderKLFlux2),
    "flux-2-klein-base-9b": ((lambda: _qwen3(4096, 12288, 32, tied=False),), AutoencoderKLFlux2),
}
"""Key in the catalogue → its text encoders and its autoencoder, as published."""


def count(key: str, side: int) -> DrawingCost:
    """What one picture of the base with this key costs."""
    build, step = BASES[key]
    denoiser, autoencoder = made(build), _on_meta(PARTS[key][1])
    latents = torch.empty(1, autoencoder.config.latent_channels, side // 8, side // 8, device="meta")  # type: ignore[union-attr]
    return DrawingCost(
        side=side,
        denoising_mb=round(most_alive(denoiser, lambda: step(denoiser, side)) / 1e6),
        decoding_mb=round(most_alive(autoencoder, lambda: autoencoder.decode(latents)) / 1e6),  # type: ignore[operator]
    )


def numbers_at_once(denoiser: nn.Module) -> int:
    """Numbers of the denoiser that are on the device together when its blocks come one by one (diffusers' group
    offloading): the largest block of its lists, and everything that is in none."""
    blocks = [
        sum(parameter.numel() for parameter in block.parameters())
        for child in denoiser.children()
        if isinstance(child, nn.ModuleList)
        for block in child
    ]
    return _numbers(denoiser) - sum(blocks) + max(blocks)


def _on_meta(build: Part) -> nn.Module:
    with torch.device("meta"):
        return build().eval()


def _numbers(*parts: nn.Module) -> int:
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def main() -> None:
    """Prints, for every base, what its entry in the catalogue holds."""
    for key, (encoders, autoencoder) in PARTS.items():
        print(f"# {key}")
        print(f"encoder_parameters = {_numbers(*map(_on_meta, encoders))}")
        print(f"autoencoder_parameters = {_numbers(_on_meta(autoencoder))}")
        print(f"block_parameters = {numbers_at_once(made(BASES[key][0]))}")
        print("drawing_cost = [")
        for side in SIDES:
            print("    { " + ", ".join(f"{name} = {value}" for name, value in asdict(count(key, side)).items()) + " },")
        print("]")


if __name__ == "__main__":
    main()
