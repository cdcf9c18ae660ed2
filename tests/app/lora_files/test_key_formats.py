import json

import numpy as np
import pytest

from app.lora_files import key_formats
from app.lora_files.key_formats import Lora, UnknownKeyFormat
from app.lora_files.safetensors_file import float32_tensor

MODULES = (
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "unet.down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_out.0",
    "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
    "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.2",
    "unet.up_blocks.3.attentions.2.proj_in",
    "unet.up_blocks.3.attentions.2.proj_out",
    "unet.up_blocks.1.resnets.0.time_emb_proj",
    "unet.up_blocks.1.resnets.0.conv_shortcut",
    "unet.down_blocks.0.resnets.1.conv1",
    "unet.down_blocks.0.downsamplers.0.conv",
    "unet.up_blocks.0.upsamplers.0.conv",
    "unet.time_embedding.linear_1",
    "unet.conv_in",
    "unet.conv_out",
    "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
    "text_encoder.text_model.encoder.layers.11.self_attn.out_proj",
    "text_encoder.text_model.encoder.layers.3.mlp.fc1",
)


def lora(alphas=None, rank=4):
    random = np.random.default_rng(0)
    tensors = {}
    for module in MODULES:
        tensors[f"{module}.lora_A.weight"] = float32_tensor(random.normal(size=(rank, 6)))
        tensors[f"{module}.lora_B.weight"] = float32_tensor(random.normal(size=(8, rank)))
    return Lora(tensors, alphas or dict.fromkeys(MODULES, 2.0))


def test_kohya_and_back_is_exact():
    alphas = {module: float(number) for number, module in enumerate(MODULES, start=1)}
    there = key_formats.to_kohya(lora(alphas), "stable_diffusion_1")
    assert key_formats.from_kohya(there, "stable_diffusion_1") == lora(alphas)


def test_kohyas_names_are_those_of_sd_scripts():
    names = key_formats.to_kohya(lora(), "stable_diffusion_1").keys()
    for name in (
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight",
        "lora_unet_down_blocks_1_attentions_1_transformer_blocks_0_attn2_to_out_0.lora_up.weight",
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj.alpha",
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight",
        "lora_te_text_model_encoder_layers_3_mlp_fc1.alpha",
    ):
        assert name in names
    assert not any(name.startswith("lora_te1") for name in names), "A1111 looks for lora_te_ in SD 1.5"


def test_alpha_is_the_true_one_not_the_rank():
    tensors = key_formats.to_kohya(lora(dict.fromkeys(MODULES, 2.0), rank=4), "stable_diffusion_1")
    alphas = {float(tensor.as_float32()) for name, tensor in tensors.items() if name.endswith(".alpha")}
    assert alphas == {2.0}
    shapes = {tensor.shape for name, tensor in tensors.items() if name.endswith(".alpha")}
    assert shapes == {()}


def test_a_text_encoder_without_its_middle_level_gets_it_in_kohyas_names():
    module = "text_encoder.encoder.layers.0.self_attn.q_proj"
    a, b = float32_tensor(np.zeros((2, 3))), float32_tensor(np.zeros((3, 2)))
    flat = Lora({f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}, {module: 1.0})
    assert "lora_te_text_model_encoder_layers_0_self_attn_q_proj.alpha" in key_formats.to_kohya(
        flat, "stable_diffusion_1"
    )


def test_alphas_come_back_from_the_canonical_header():
    alphas = dict.fromkeys(MODULES, 2.0) | {MODULES[0]: 8.0, MODULES[-1]: 1.0}
    original = lora(alphas)
    read = key_formats.from_diffusers(original.tensors, key_formats.diffusers_header(original))
    assert read == original


def test_the_canonical_header_is_understood_by_peft():
    peft = pytest.importorskip("peft")
    original = lora(dict.fromkeys(MODULES, 2.0) | {MODULES[0]: 8.0})
    header = json.loads(key_formats.diffusers_header(original)["lora_adapter_metadata"])
    settings = {key.removeprefix("unet."): value for key, value in header.items() if key.startswith("unet.")}
    config = peft.LoraConfig(**settings)
    assert (config.r, config.lora_alpha) == (4, 2.0)
    assert config.alpha_pattern == {"^" + MODULES[0].removeprefix("unet."): 8.0}


def test_without_a_header_alpha_is_the_rank():
    assert set(key_formats.from_diffusers(lora().tensors, {}).alphas.values()) == {4.0}
    without = {k: v for k, v in key_formats.to_kohya(lora(), "stable_diffusion_1").items() if not k.endswith(".alpha")}
    assert set(key_formats.from_kohya(without, "stable_diffusion_1").alphas.values()) == {4.0}


def test_rank_stabilised_scaling_becomes_an_alpha():
    header = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 3.0, "unet.use_rslora": True})}
    read = key_formats.from_diffusers(lora(rank=4).tensors, header)
    # alpha / √rank = 3/2, and 6 / rank = 3/2.
    assert read.alphas[MODULES[0]] == 6.0


@pytest.mark.parametrize(
    ("names", "dialect"),
    [
        (["unet.a.lora_A.weight", "text_encoder.b.lora_B.weight"], "canonical"),
        (["unet.a.to_q.lora.down.weight"], "diffusers_old"),
        (["unet.a.lora_A.weight", "text_encoder.a.q_proj.lora_linear_layer.down.weight"], "diffusers_old"),
        (["lora_unet_down_blocks_0_x.lora_down.weight", "lora_te_x.alpha"], "kohya"),
        (["lora_unet_input_blocks_4_1_x.lora_down.weight"], "kohya_sgm"),
        (["diffusion_model.a.lora_A.weight"], "comfyui"),
        (["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"], "peft"),
        (["lycoris_x.lokr_w1", "lycoris_x.alpha"], "lycoris"),
        (["lora_unet_x.lora_down.weight", "lora_unet_x.dora_scale"], "kohya"),
        (["lora_transformer_x.lora_down.weight", "lora_te1_x.alpha", "bundle_emb.y.t5"], "onetrainer"),
        (["double_blocks.0.processor.qkv_lora1.down.weight"], "xlabs"),
        (["text_encoders.clip_l.transformer.x.lora_A.weight"], "comfyui"),
        (["transformer.single_transformer_blocks.0.proj_out.lora_A.weight"], "canonical"),
        (["model.weight"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_dialect_is_known_by_the_names(names, dialect):
    assert key_formats.detect(names) == dialect


def test_foreign_names_are_refused_with_the_name():
    kohya = key_formats.to_kohya(lora(), "stable_diffusion_1")
    name = "lora_unet_blocks_4_1_proj_in"
    half = "lora_unet_conv_in.lora_up.weight"
    for change in (
        {
            f"{name}.lora_down.weight": float32_tensor(np.zeros((1, 2))),
            f"{name}.lora_up.weight": float32_tensor(np.zeros((2, 1))),
        },
        {
            "lora_te2_x.lora_down.weight": float32_tensor(np.zeros((1, 2))),
            "lora_te2_x.lora_up.weight": float32_tensor(np.zeros((2, 1))),
        },
        {"lora_unet_conv_in.hada_w1_a": float32_tensor(np.zeros((1, 2)))},
    ):
        with pytest.raises(UnknownKeyFormat):
            key_formats.from_kohya(kohya | change, "stable_diffusion_1")
    with pytest.raises(UnknownKeyFormat, match="lora_unet_conv_in"):
        key_formats.from_kohya({k: v for k, v in kohya.items() if k != half}, "stable_diffusion_1")
    with pytest.raises(UnknownKeyFormat, match="transformer"):
        module = "transformer.blocks.0.to_q"
        a, b = float32_tensor(np.zeros((2, 3))), float32_tensor(np.zeros((3, 2)))
        key_formats.to_kohya(
            Lora({f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}, {module: 1.0}), "stable_diffusion_1"
        )


def test_a_header_may_not_bring_an_expression():
    header = {"lora_adapter_metadata": json.dumps({"unet.alpha_pattern": {"(a+)+$": 1.0}})}
    with pytest.raises(UnknownKeyFormat):
        key_formats.from_diffusers(lora().tensors, header)


def test_the_header_names_clips_layers_for_the_class_with_and_without_its_lost_level():
    path = "encoder.layers.0.self_attn"
    modules = [f"text_encoder.text_model.{path}.{name}_proj" for name in "qk"]
    tensors = {f"{one}.lora_{half}.weight": float32_tensor(np.ones((2, 2))) for one in modules for half in "AB"}
    adapter = Lora(tensors, dict(zip(modules, (1.0, 4.0), strict=True)))
    header = key_formats.diffusers_header(adapter)
    settings = json.loads(header["lora_adapter_metadata"])
    assert settings["text_encoder.target_modules"] == [f"{path}.k_proj", f"{path}.q_proj"]
    assert set(settings["text_encoder.alpha_pattern"]) <= {f"{path}.k_proj", f"{path}.q_proj"}
    assert key_formats.from_diffusers(tensors, header) == adapter
