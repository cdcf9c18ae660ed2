"""What an adapter adds to each weight, computed anew from its canonical parts, in float64."""

import numpy as np

from app.lora_files.key_formats import Lora
from app.lora_files.keys.weights import DOWN, LOHA, LOKR, MID, UP
from app.lora_files.safetensors_file import float32_tensor


def deltas(lora: Lora) -> dict[str, np.ndarray]:
    """Module → ΔW, out × everything else."""
    return {module: delta(lora, module) for module in lora.alphas}


def delta(lora: Lora, module: str) -> np.ndarray:
    parts = {name: tensor.as_float32().astype(np.float64) for name, tensor in lora.weights_of(module).items()}
    rank, alpha = lora.ranks[module], lora.alphas[module]
    if DOWN in parts and MID in parts:
        down, up = parts[DOWN].reshape(rank, -1), parts[UP].reshape(-1, rank)
        product = np.einsum("or,rshw,si->oihw", up, parts[MID], down)
    elif DOWN in parts:
        product = parts[UP].reshape(parts[UP].shape[0], rank) @ parts[DOWN].reshape(rank, -1)
    elif any(name in parts for name in LOHA):
        product = (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"])
    else:
        assert any(name in parts for name in LOKR)
        one = parts.get("lokr_w1")
        one = parts["lokr_w1_a"] @ parts["lokr_w1_b"] if one is None else one
        two = parts.get("lokr_w2")
        two = parts["lokr_w2_a"] @ parts["lokr_w2_b"] if two is None else two
        product = np.kron(one, two.reshape(two.shape[0], -1))
        rank = rank or 1
    return alpha / rank * product.reshape(product.shape[0], -1)


def assert_same(one: Lora, other: Lora, *, within: float = 1e-6) -> None:
    """The same modules, up to those that change nothing, and the same ΔW in each."""
    first, second = deltas(one), deltas(other)
    for module in first.keys() | second.keys():
        there = first.get(module, second.get(module))
        zero = np.zeros_like(there)
        assert np.abs(first.get(module, zero) - second.get(module, zero)).max() <= within, module


def random_lora(modules, architecture, *, rank=4, alpha=2.0, seed=0, dora=False) -> Lora:
    """Small random numbers; ``modules``: name → (out, in) or (out, in, kernel)."""
    random, tensors, alphas = np.random.default_rng(seed), {}, {}
    for number, (module, shape) in enumerate(modules.items()):
        out, width, *kernel = shape
        own = rank(number) if callable(rank) else rank
        side = (kernel[0], kernel[0]) if kernel else ()
        tensors[f"{module}.{DOWN}"] = float32_tensor(random.normal(size=(own, width, *side)) / 8)
        tensors[f"{module}.{UP}"] = float32_tensor(random.normal(size=(out, own, *(1 for _ in side))) / 8)
        if dora:
            lengths = random.uniform(0.5, 2, size=(1, out, 1, 1) if kernel else (out,))
            tensors[f"{module}.lora_magnitude_vector"] = float32_tensor(lengths)
        alphas[module] = float(alpha(number)) if callable(alpha) else alpha
    return Lora(tensors, alphas, architecture)


SDXL = {
    "unet.conv_in": (8, 4, 3),
    "unet.conv_out": (4, 8, 3),
    "unet.time_embedding.linear_1": (16, 8),
    "unet.add_embedding.linear_2": (16, 16),
    "unet.down_blocks.0.resnets.0.conv1": (8, 8, 3),
    "unet.down_blocks.0.downsamplers.0.conv": (8, 8, 3),
    "unet.down_blocks.1.resnets.1.time_emb_proj": (8, 16),
    "unet.down_blocks.1.attentions.0.proj_in": (8, 8),
    "unet.down_blocks.1.attentions.1.transformer_blocks.1.attn1.to_q": (8, 8),
    "unet.down_blocks.2.attentions.0.transformer_blocks.9.attn2.to_k": (8, 2048),
    "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj": (64, 8),
    "unet.mid_block.resnets.1.conv2": (8, 8, 3),
    "unet.up_blocks.0.attentions.2.transformer_blocks.3.attn2.to_out.0": (8, 8),
    "unet.up_blocks.0.upsamplers.0.conv": (8, 8, 3),
    "unet.up_blocks.2.resnets.2.conv_shortcut": (8, 16, 1),
    "text_encoder.text_model.encoder.layers.0.self_attn.q_proj": (8, 8),
    "text_encoder_2.text_model.encoder.layers.31.mlp.fc1": (32, 8),
    "text_encoder_2.text_projection": (8, 8),
}
FLUX_1 = {
    **{f"transformer.transformer_blocks.0.attn.{n}": (12, 12) for n in ("to_q", "to_k", "to_v", "to_out.0")},
    **{f"transformer.transformer_blocks.0.attn.add_{n}_proj": (12, 12) for n in "qkv"},
    "transformer.transformer_blocks.18.attn.to_add_out": (12, 12),
    "transformer.transformer_blocks.0.ff.net.0.proj": (48, 12),
    "transformer.transformer_blocks.0.ff_context.net.2": (12, 48),
    "transformer.transformer_blocks.3.norm1.linear": (72, 12),
    "transformer.transformer_blocks.3.norm1_context.linear": (72, 12),
    **{f"transformer.single_transformer_blocks.37.attn.{n}": (12, 12) for n in ("to_q", "to_k", "to_v")},
    "transformer.single_transformer_blocks.37.proj_mlp": (48, 12),
    "transformer.single_transformer_blocks.37.proj_out": (12, 60),
    "transformer.single_transformer_blocks.0.norm.linear": (36, 12),
    "transformer.x_embedder": (12, 64),
    "transformer.norm_out.linear": (24, 12),
    "transformer.proj_out": (64, 12),
    "transformer.time_text_embed.guidance_embedder.linear_1": (12, 256),
    "text_encoder.text_model.encoder.layers.0.mlp.fc2": (8, 32),
    "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q": (8, 8),
    "text_encoder_2.encoder.block.0.layer.1.DenseReluDense.wi_0": (8, 8),
}
FLUX_2 = {
    **{f"transformer.transformer_blocks.0.attn.{n}": (12, 12) for n in ("to_q", "to_k", "to_v", "to_out.0")},
    **{f"transformer.transformer_blocks.0.attn.add_{n}_proj": (12, 12) for n in "qkv"},
    "transformer.transformer_blocks.4.attn.to_add_out": (12, 12),
    "transformer.transformer_blocks.0.ff.linear_in": (72, 12),
    "transformer.transformer_blocks.0.ff_context.linear_out": (12, 36),
    "transformer.single_transformer_blocks.19.attn.to_qkv_mlp_proj": (108, 12),
    "transformer.single_transformer_blocks.19.attn.to_out": (12, 48),
    "transformer.single_stream_modulation.linear": (36, 12),
    "transformer.norm_out.linear": (24, 12),
    "transformer.context_embedder": (12, 30),
}
Z_IMAGE = {
    **{f"transformer.layers.29.attention.{n}": (12, 12) for n in ("to_q", "to_k", "to_v", "to_out.0")},
    "transformer.layers.0.feed_forward.w1": (32, 12),
    "transformer.noise_refiner.1.feed_forward.w2": (12, 32),
    "transformer.context_refiner.0.attention.to_v": (12, 12),
    "transformer.layers.3.adaLN_modulation.0": (48, 12),
}
QWEN_IMAGE = {
    **{f"transformer.transformer_blocks.59.attn.{n}": (12, 12) for n in ("to_q", "to_k", "to_v", "to_out.0")},
    **{f"transformer.transformer_blocks.0.attn.{n}": (12, 12) for n in ("add_q_proj", "add_k_proj", "to_add_out")},
    "transformer.transformer_blocks.1.img_mlp.net.0.proj": (48, 12),
    "transformer.transformer_blocks.1.txt_mlp.net.2": (12, 48),
    "transformer.transformer_blocks.1.img_mod.1": (72, 12),
}
SD_1 = {
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": (8, 8),
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k": (8, 768),
    "unet.up_blocks.3.attentions.2.proj_in": (8, 8, 1),
    "unet.up_blocks.0.upsamplers.0.conv": (8, 8, 3),
    "unet.up_blocks.1.upsamplers.0.conv": (8, 8, 3),
    "unet.down_blocks.2.resnets.0.conv2": (8, 8, 3),
    "text_encoder.text_model.encoder.layers.11.self_attn.out_proj": (8, 8),
}
MODULES = {
    "stable_diffusion_1": SD_1,
    "stable_diffusion_xl": SDXL,
    "flux_1": FLUX_1,
    "flux_2": FLUX_2,
    "z_image": Z_IMAGE,
    "qwen_image": QWEN_IMAGE,
}
