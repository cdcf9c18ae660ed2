"""Between all dialects and back, for every architecture, with alphas that are not the rank."""

import dataclasses

import numpy as np
import pytest

from app.lora_files import key_formats
from app.lora_files.key_formats import CannotHold, Lora
from app.lora_files.keys import qkv
from app.lora_files.keys.bases import UnknownKeyFormat
from app.lora_files.keys.weights import DOWN, MAGNITUDE, UP
from app.lora_files.safetensors_file import Tensor, float32_tensor
from tests.app.lora_files.deltas import FLUX_1, MODULES, SD_1, assert_same, deltas, random_lora

ALL = [
    (architecture, dialect)
    for architecture in MODULES
    for dialect in dict.fromkeys(("canonical", "kohya", "comfyui", *key_formats.key_formats_for(architecture)))
]


def there_and_back(lora: Lora, dialect: str) -> Lora:
    tensors, header = key_formats.write(lora, dialect)
    return key_formats.read(tensors, header)


@pytest.mark.parametrize(("architecture", "dialect"), ALL)
def test_there_and_back_changes_no_weight(architecture, dialect):
    lora = random_lora(MODULES[architecture], architecture, rank=lambda n: 2 + n % 3, alpha=lambda n: 0.5 + n)
    back = there_and_back(lora, dialect)
    assert back.architecture == architecture
    assert_same(back, lora)


@pytest.mark.parametrize("architecture", MODULES)
def test_from_every_dialect_into_every_other(architecture):
    lora = random_lora(MODULES[architecture], architecture, rank=3, alpha=lambda n: 1.5 + n % 2)
    possible = [dialect for named, dialect in ALL if named == architecture]
    for first in possible:
        for second in possible:
            assert_same(there_and_back(there_and_back(lora, first), second), lora)


@pytest.mark.parametrize("architecture", MODULES)
def test_alpha_and_rank_come_back_as_they_were(architecture):
    lora = random_lora(MODULES[architecture], architecture, rank=4, alpha=1.0)
    for dialect in ("canonical", "kohya", "comfyui"):
        back = there_and_back(lora, dialect)
        assert back.alphas == key_formats.scaled_for(lora, dialect).alphas
        assert back.ranks == lora.ranks


def test_flux_2s_numbers_take_on_the_strength_where_diffusers_refuses_alphas():
    """A power of two changes no digit of a half; anything else is written in full precision."""
    lora = random_lora(MODULES["flux_2"], "flux_2", rank=4, alpha=lambda n: (2.0, 3.0)[n % 2])
    half = {name: Tensor("F16", t.shape, t.as_float32().astype("<f2").tobytes()) for name, t in lora.tensors.items()}
    lora = dataclasses.replace(lora, tensors=half)
    tensors, _ = key_formats.write(lora, "comfyui")
    assert not any(name.endswith(".alpha") for name in tensors)
    assert {tensor.dtype for tensor in tensors.values()} == {"F16", "F32"}
    assert_same(key_formats.read(tensors, {}), lora)


@pytest.mark.parametrize("architecture", MODULES)
@pytest.mark.parametrize("dialect", ["canonical", "kohya", "comfyui"])
def test_dora_lengths_come_back_in_their_shape(architecture, dialect):
    # Lengths of rows that nobody trained are the base's own, which a file does not know.
    modules = {name: shape for name, shape in MODULES[architecture].items() if "context_refiner" not in name}
    lora = random_lora(modules, architecture, dora=True)
    back = there_and_back(lora, dialect)
    for name, tensor in lora.tensors.items():
        if name.endswith(MAGNITUDE):
            assert back.tensors[name] == tensor, name


def test_dora_on_a_part_of_a_fused_layer_is_refused():
    lora = random_lora({"transformer.transformer_blocks.0.attn.to_k": (12, 12)}, "flux_1", dora=True)
    with pytest.raises(CannotHold, match="DoRA"):
        key_formats.to_kohya(lora, "flux_1")


def test_dora_is_written_as_lycoris_shapes_it():
    tensors = key_formats.to_kohya(random_lora(SD_1, "stable_diffusion_1", dora=True), "stable_diffusion_1")
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    assert tensors[f"{name}.dora_scale"].shape == (8, 1)
    assert tensors["lora_unet_down_blocks_2_resnets_0_conv2.dora_scale"].shape == (8, 1, 1, 1)


def test_dora_along_the_columns_stays_in_its_own_dialect():
    lora = random_lora({"unet.mid_block.attentions.0.proj_in": (8, 6)}, "stable_diffusion_1")
    kohya = key_formats.to_kohya(lora, "stable_diffusion_1")
    kohya["lora_unet_mid_block_attentions_0_proj_in.dora_scale"] = float32_tensor(np.ones((1, 6)))
    read = key_formats.read(kohya, {})
    assert key_formats.to_kohya(read, "stable_diffusion_1") == kohya
    for dialect in ("canonical", "diffusers_old"):
        with pytest.raises(CannotHold, match="DoRA"):
            key_formats.write(read, dialect)


def test_sdxl_is_named_as_a1111_wants_it():
    lora = random_lora(MODULES["stable_diffusion_xl"], "stable_diffusion_xl")
    modules = {name.split(".")[0] for name in key_formats.to_kohya(lora, "stable_diffusion_xl")}
    assert modules == {
        "lora_unet_input_blocks_0_0",
        "lora_unet_out_2",
        "lora_unet_time_embed_0",
        "lora_unet_label_emb_0_2",
        "lora_unet_input_blocks_1_0_in_layers_2",
        "lora_unet_input_blocks_3_0_op",
        "lora_unet_input_blocks_5_0_emb_layers_1",
        "lora_unet_input_blocks_4_1_proj_in",
        "lora_unet_input_blocks_5_1_transformer_blocks_1_attn1_to_q",
        "lora_unet_input_blocks_7_1_transformer_blocks_9_attn2_to_k",
        "lora_unet_middle_block_1_transformer_blocks_0_ff_net_0_proj",
        "lora_unet_middle_block_2_out_layers_3",
        "lora_unet_output_blocks_2_1_transformer_blocks_3_attn2_to_out_0",
        "lora_unet_output_blocks_2_2_conv",
        "lora_unet_output_blocks_8_0_skip_connection",
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj",
        "lora_te2_text_model_encoder_layers_31_mlp_fc1",
        "lora_te2_text_projection",
    }


def test_sdxl_under_diffusers_names_with_underscores_is_read_too():
    lora = random_lora(MODULES["stable_diffusion_xl"], "stable_diffusion_xl")
    flat = {}
    for module, alpha in lora.alphas.items():
        component, _, path = module.partition(".")
        prefix = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}[component]
        name = prefix + path.replace(".", "_")
        flat[f"{name}.lora_down.weight"] = lora.tensors[f"{module}.{DOWN}"]
        flat[f"{name}.lora_up.weight"] = lora.tensors[f"{module}.{UP}"]
        flat[f"{name}.alpha"] = float32_tensor(alpha)
    assert key_formats.read(flat, {}) == lora


# FLUX: what is one layer in one program and several in another


def test_flux_is_fused_as_kohya_names_it():
    tensors = key_formats.to_kohya(random_lora(FLUX_1, "flux_1"), "flux_1")
    modules = {name.split(".")[0] for name in tensors}
    for name in ("double_blocks_0_img_attn_qkv", "double_blocks_0_txt_attn_qkv", "single_blocks_37_linear1"):
        assert f"lora_unet_{name}" in modules
    assert not any("to_q" in name for name in modules)
    assert "lora_te1_text_model_encoder_layers_0_mlp_fc2" in modules
    assert "lora_te3_encoder_block_0_layer_0_SelfAttention_q" in modules
    assert tensors["lora_unet_single_blocks_37_linear1.lora_up.weight"].shape == (12 * 3 + 48, 16)


def test_the_same_down_matrix_is_kept_once():
    lora = random_lora({name: FLUX_1[name] for name in FLUX_1 if ".0.attn.to_" in name and "out" not in name}, "flux_1")
    shared = next(tensor for name, tensor in lora.tensors.items() if name.endswith(DOWN))
    same = {name: shared if name.endswith(DOWN) else tensor for name, tensor in lora.tensors.items()}
    fused = key_formats.to_kohya(Lora(same, lora.alphas, "flux_1"), "flux_1")
    assert fused["lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight"] == shared
    assert fused["lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight"].shape == (36, 4)
    assert key_formats.read(fused, {}) == Lora(same, lora.alphas, "flux_1")


def test_a_part_that_is_not_trained_stays_untrained():
    modules = {
        "transformer.transformer_blocks.0.attn.to_k": (12, 12),
        "transformer.transformer_blocks.0.norm1.linear": (72, 12),
    }
    lora = random_lora(modules, "flux_1", alpha=3.0)
    back = there_and_back(lora, "kohya")
    assert set(back.alphas) == set(modules)
    assert_same(back, lora)


def test_a_fused_file_that_is_not_made_of_blocks_is_cut_by_rows():
    random = np.random.default_rng(1)
    name = "lora_unet_double_blocks_2_img_attn_qkv"
    down, up = random.normal(size=(6, 12)), random.normal(size=(36, 6))
    read = key_formats.read(
        {
            f"{name}.lora_down.weight": float32_tensor(down),
            f"{name}.lora_up.weight": float32_tensor(up),
            f"{name}.alpha": float32_tensor(3.0),
        },
        {},
    )
    whole = 0.5 * up @ down
    found = deltas(read)
    for place, part in enumerate(("to_q", "to_k", "to_v")):
        delta = found[f"transformer.transformer_blocks.2.attn.{part}"]
        assert np.abs(delta - whole[12 * place : 12 * place + 12]).max() < 1e-6


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_moving_rows_keeps_every_bit(dtype):
    lora = random_lora(FLUX_1, "flux_1")
    raw = {}
    for name, tensor in lora.tensors.items():
        upper = (np.frombuffer(tensor.data, "<u4") >> 16).astype("<u2")
        half = tensor.as_float32().astype("<f2").tobytes() if dtype == "F16" else upper.tobytes()
        raw[name] = Tensor(dtype, tensor.shape, half)
    small = dataclasses.replace(lora, tensors=raw)
    assert there_and_back(small, "kohya") == small


def test_different_strengths_in_one_fused_layer_are_exact():
    names = [f"transformer.transformer_blocks.0.attn.{part}" for part in ("to_q", "to_k", "to_v")]
    lora = random_lora(dict.fromkeys(names, (12, 12)), "flux_1", alpha=lambda n: (4.0, 2.0, 3.0)[n])
    half = {name: Tensor("F16", t.shape, t.as_float32().astype("<f2").tobytes()) for name, t in lora.tensors.items()}
    lora = dataclasses.replace(lora, tensors=half)
    assert_same(there_and_back(lora, "kohya"), lora)


# what else is about


def test_xlabs():
    random = np.random.default_rng(2)
    tensors = {}
    for name, out, width in (
        ("double_blocks.0.processor.qkv_lora1", 36, 12),
        ("double_blocks.0.processor.qkv_lora2", 36, 12),
        ("double_blocks.0.processor.proj_lora1", 12, 12),
        ("single_blocks.1.processor.qkv_lora", 36, 12),
        ("single_blocks.1.processor.proj_lora", 12, 60),
    ):
        tensors[f"{name}.down.weight"] = float32_tensor(random.normal(size=(2, width)))
        tensors[f"{name}.up.weight"] = float32_tensor(random.normal(size=(out, 2)))
    lora = key_formats.read(tensors, {})
    assert lora.architecture == "flux_1"
    assert len(lora.alphas) == 3 + 3 + 1 + 3 + 1
    assert set(lora.alphas.values()) == {2.0}
    found = deltas(lora)["transformer.single_transformer_blocks.1.attn.to_v"]
    name = "single_blocks.1.processor.qkv_lora"
    whole = tensors[f"{name}.up.weight"].as_float32() @ tensors[f"{name}.down.weight"].as_float32()
    assert np.abs(found - whole[24:]).max() < 1e-5
    assert_same(there_and_back(lora, "kohya"), lora)


def test_onetrainer_with_a_bundled_embedding():
    lora = random_lora({name: shape for name, shape in FLUX_1.items() if "text" not in name}, "flux_1")
    flat = {"bundle_emb.brand.t5_out": float32_tensor(np.ones((2, 8)))}
    for module, alpha in lora.alphas.items():
        name = "lora_transformer_" + module.removeprefix("transformer.").replace(".", "_")
        flat[f"{name}.lora_down.weight"] = lora.tensors[f"{module}.{DOWN}"]
        flat[f"{name}.lora_up.weight"] = lora.tensors[f"{module}.{UP}"]
        flat[f"{name}.alpha"] = float32_tensor(alpha)
    read = key_formats.read(flat, {})
    assert read == dataclasses.replace(lora, left_out=("bundle_emb.brand.t5_out",))


@pytest.mark.parametrize("architecture", ["flux_1", "flux_2", "z_image", "qwen_image"])
def test_under_comfyuis_prefix_and_diffusers_names(architecture):
    """As ai-toolkit and others write: ``diffusion_model.transformer_blocks.…``, without alphas."""
    lora = random_lora(MODULES[architecture], architecture, alpha=4.0)
    renamed = {
        name.replace("transformer.", "diffusion_model.", 1): tensor
        for name, tensor in lora.tensors.items()
        if name.startswith("transformer.")
    }
    read = key_formats.read(renamed, {})
    assert read.architecture == architecture
    assert read.tensors == {name: t for name, t in lora.tensors.items() if name.startswith("transformer.")}


def test_z_images_fused_attention_is_cut():
    lora = random_lora(MODULES["z_image"], "z_image")
    fused = key_formats.to_kohya(lora, "z_image")
    assert "lora_unet_layers_29_attention_qkv.lora_up.weight" in fused
    assert "lora_unet_layers_29_attention_out.lora_up.weight" in fused
    assert_same(key_formats.read(fused, {}), lora)
    comfyui, _ = key_formats.write(lora, "comfyui")
    assert "diffusion_model.layers.29.attention.to_q.lora_A.weight" in comfyui, (
        "ComfyUI reads it as its trainers write it"
    )


def test_names_of_attention_processors_from_2023():
    random = np.random.default_rng(3)
    tensors = {}
    for path in (
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora",
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora",
        "text_encoder.text_model.encoder.layers.0.self_attn.to_v_lora",
        "text_encoder.text_model.encoder.layers.0.self_attn.k_proj.lora_linear_layer",
    ):
        tensors[f"{path}.down.weight"] = float32_tensor(random.normal(size=(2, 8)))
        tensors[f"{path}.up.weight"] = float32_tensor(random.normal(size=(8, 2)))
    read = key_formats.read(tensors, {})
    assert set(read.alphas) == {
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0",
        "text_encoder.text_model.encoder.layers.0.self_attn.v_proj",
        "text_encoder.text_model.encoder.layers.0.self_attn.k_proj",
    }


def lycoris(kind: str) -> dict[str, Tensor]:
    random = np.random.default_rng(4)
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    parts = {
        "lokr": {"lokr_w1": (2, 4), "lokr_w2_a": (4, 3), "lokr_w2_b": (3, 512)},
        "loha": {"hada_w1_a": (8, 3), "hada_w1_b": (3, 2048), "hada_w2_a": (8, 3), "hada_w2_b": (3, 2048)},
    }[kind]
    tensors = {f"{name}.{part}": float32_tensor(random.normal(size=shape)) for part, shape in parts.items()}
    return tensors | {f"{name}.alpha": float32_tensor(1.5)}


@pytest.mark.parametrize("kind", ["lokr", "loha"])
def test_lycoris_is_renamed_and_never_approximated(kind):
    tensors = lycoris(kind)
    read = key_formats.read(tensors, {})
    assert read.architecture == "stable_diffusion_xl"
    assert read.ranks == {"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": 3}
    assert key_formats.to_kohya(read, "stable_diffusion_xl") == tensors
    assert_same(there_and_back(read, "comfyui"), read)
    for dialect in ("canonical", "diffusers_old"):
        with pytest.raises(CannotHold, match=r"Lo(Kr|Ha)"):
            key_formats.write(read, dialect)


def test_a_kronecker_product_over_a_fused_layer_stays_whole():
    name = "lora_unet_double_blocks_0_img_attn_qkv"
    tensors = {
        f"{name}.lokr_w1": float32_tensor(np.ones((6, 3))),
        f"{name}.lokr_w2": float32_tensor(np.ones((6, 4))),
        f"{name}.alpha": float32_tensor(1.0),
    }
    read = key_formats.read(tensors, {})
    assert list(read.alphas) == ["transformer.transformer_blocks.0.attn.to_qkv"]
    assert key_formats.to_kohya(read, "flux_1") == tensors


def test_a_tucker_core_is_kept_where_it_can_be_and_multiplied_in_elsewhere():
    random = np.random.default_rng(5)
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    tensors = {
        f"{name}.lora_down.weight": float32_tensor(random.normal(size=(4, 8, 1, 1))),
        f"{name}.lora_mid.weight": float32_tensor(random.normal(size=(4, 4, 3, 3)) / 4),
        f"{name}.lora_up.weight": float32_tensor(random.normal(size=(8, 4, 1, 1))),
        f"{name}.alpha": float32_tensor(2.0),
    }
    read = key_formats.read(tensors, {}, "stable_diffusion_1")
    assert key_formats.to_kohya(read, "stable_diffusion_1") == tensors
    plain = there_and_back(read, "canonical")
    assert plain.tensors["unet.down_blocks.0.resnets.0.conv1.lora_A.weight"].shape == (4, 8, 3, 3)
    assert_same(plain, read)


def test_2023s_names_take_the_strength_into_their_numbers():
    lora = random_lora(SD_1, "stable_diffusion_1", rank=4, alpha=3.0)
    tensors, header = key_formats.write(lora, "diffusers_old")
    assert header == {}
    assert "text_encoder.text_model.encoder.layers.11.self_attn.out_proj.lora_linear_layer.down.weight" in tensors
    assert "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora.down.weight" in tensors
    assert_same(key_formats.read(tensors, {}), lora)


def test_halves_are_scaled_in_their_dtype_only_where_that_is_exact():
    values = np.array([[1.5, -3.0], [0.25, 60000.0]])
    half = Tensor("F16", (2, 2), values.astype("<f2").tobytes())
    assert qkv.scaled(half, 0.5).dtype == "F16"
    assert qkv.scaled(half, 2.0).dtype == "F32", "60,000 times two is beyond it"
    assert qkv.scaled(half, 0.3).dtype == "F32"
    assert qkv.scaled(half, 1.0) is half


def test_a_language_models_adapter_is_read_and_not_renamed():
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {
        f"{name}.lora_A.weight": float32_tensor(np.ones((2, 8))),
        f"{name}.lora_B.weight": float32_tensor(np.ones((8, 2))),
    }
    lora = key_formats.read(tensors, {})
    assert lora.architecture == "language_model"
    assert key_formats.key_formats_for("language_model") == ()
    with pytest.raises(UnknownKeyFormat):
        key_formats.to_kohya(lora, "language_model")


@pytest.mark.parametrize(
    ("shapes", "metadata", "expected"),
    [
        ({"lora_unet_down_blocks_1_attentions_0_proj_in": (8, 8)}, {}, "stable_diffusion_1"),
        (
            {"lora_unet_down_blocks_1_attentions_0_proj_in": (8, 8)},
            {"ss_base_model_version": "sdxl_base_v1-0"},
            "stable_diffusion_xl",
        ),
        ({"unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k": (8, 1024)}, {}, "stable_diffusion_2"),
        ({"unet.mid_block.attentions.0.transformer_blocks.4.attn1.to_k": (8, 8)}, {}, "stable_diffusion_xl"),
        (
            {"lora_unet_double_blocks_0_img_attn_qkv": (36, 12)},
            {"modelspec.architecture": "flux.2-klein/lora"},
            "flux_2",
        ),
        ({"lora_unet_double_blocks_0_img_attn_qkv": (36, 12)}, {}, "flux_1"),
        ({"lora_unet_single_blocks_0_linear1": (108, 12)}, {}, "flux_2"),
        ({"lora_unet_single_blocks_0_linear1": (84, 12)}, {}, "flux_1"),
    ],
)
def test_the_base_is_told_by_widths_names_and_header(shapes, metadata, expected):
    tensors = {}
    for name, (out, width) in shapes.items():
        a, b = ("lora_A", "lora_B") if "." in name else ("lora_down", "lora_up")
        tensors[f"{name}.{a}.weight"] = float32_tensor(np.ones((2, width)))
        tensors[f"{name}.{b}.weight"] = float32_tensor(np.ones((out, 2)))
    assert key_formats.parse(tensors, metadata).architecture == expected


def test_the_same_layer_under_two_names_is_refused():
    one = random_lora({"transformer.transformer_blocks.0.attn.to_q": (12, 12)}, "flux_1")
    names = one.tensors | {name.replace("transformer.", "diffusion_model.", 1): t for name, t in one.tensors.items()}
    with pytest.raises(UnknownKeyFormat):
        key_formats.read(names, {})
