"""FLUX.1 and FLUX.2 klein small enough to train in a test: random weights in the very classes of the real ones."""

import string

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from tests.worker.image import tiny

MULTIPLE = 8
"""Pixels that both sides must be a multiple of: the autoencoder halves twice, patches once."""

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def flux(seed: int = 0, guidance_embeds: bool = True) -> FluxPipeline:
    """[dev], or without ``guidance_embeds`` [schnell]: both blocks, both text encoders, its own autoencoder's shift."""
    torch.manual_seed(seed)
    words, letters = tiny.tokenizer(), t5_tokenizer()
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=4,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=guidance_embeds,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=32,
            intermediate_size=37,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=24,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )
    long_text = T5EncoderModel(
        T5Config(
            vocab_size=len(letters),
            d_model=32,
            d_kv=8,
            d_ff=37,
            num_layers=1,
            num_heads=4,
            relative_attention_num_buckets=8,
        )
    )
    return FluxPipeline(
        scheduler=scheduler(dynamic=guidance_embeds),
        vae=AutoencoderKL(scaling_factor=0.3611, shift_factor=0.1159, latent_channels=4, **_three_levels()),
        text_encoder=text,
        tokenizer=words,
        text_encoder_2=long_text,
        tokenizer_2=letters,
        transformer=transformer,
    )


def klein(seed: int = 0) -> Flux2KleinPipeline:
    """FLUX.2 klein: shared modulation, fused single blocks, a Qwen3 as text encoder, normalised patches."""
    torch.manual_seed(seed)
    words = qwen_tokenizer()
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=4,
        joint_attention_dim=3 * 32,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    # The pipeline reads the ninth, eighteenth and twenty-seventh layer.
    text = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(words),
            hidden_size=32,
            intermediate_size=37,
            num_hidden_layers=28,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
        )
    )
    vae = AutoencoderKLFlux2(latent_channels=4, **_three_levels())
    vae.bn.running_mean.normal_(std=0.1)
    vae.bn.running_var.uniform_(0.5, 1.5)
    return Flux2KleinPipeline(
        scheduler=scheduler(dynamic=True), vae=vae, text_encoder=text, tokenizer=words, transformer=transformer
    )


def scheduler(dynamic: bool) -> FlowMatchEulerDiscreteScheduler:
    return FlowMatchEulerDiscreteScheduler(shift=3.0 if dynamic else 1.0, use_dynamic_shifting=dynamic)


def _three_levels() -> dict[str, object]:
    return {
        "block_out_channels": (16, 16, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "sample_size": 32,
    }


def t5_tokenizer() -> T5Tokenizer:
    """One token per letter."""
    letters = [(letter, -3.0) for letter in string.ascii_letters + string.digits + string.punctuation]
    return T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *letters], extra_ids=0)


def qwen_tokenizer() -> Qwen2Tokenizer:
    """One token per byte."""
    vocabulary = {letter: index for index, letter in enumerate(sorted(ByteLevel.alphabet()))}
    for special in ("<|endoftext|>", "<|im_start|>", "<|im_end|>"):
        vocabulary[special] = len(vocabulary)
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHAT
    return tokenizer
