"""Files of the libraries themselves: what they write is read right, what we write they load at the right strength.

ΔW is always taken from the library's own layers, never from our reading of its file.
"""

import json

import numpy as np
import pytest

from app.lora_files import flux_2_mark, key_formats, safetensors_file
from app.lora_files.keys.module_names import with_dots
from app.lora_files.safetensors_file import Tensor, float32_tensor
from tests.app.lora_files.deltas import deltas

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.slow

TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


@pytest.fixture(scope="module")
def u_net():
    """SDXL's layout, small: no attention in the first block, two transformer blocks in the second."""

    def make():
        torch.manual_seed(0)
        return diffusers.UNet2DConditionModel(
            sample_size=8, block_out_channels=(32, 64), layers_per_block=2, norm_num_groups=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=8, transformer_layers_per_block=(1, 2), cross_attention_dim=2048,
            use_linear_projection=True,
        )  # fmt: skip

    return make


@pytest.fixture(scope="module")
def flux():
    def make():
        torch.manual_seed(0)
        return diffusers.FluxTransformer2DModel(
            patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=8,
            num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=(2, 2, 4),
        )  # fmt: skip

    return make


def fill(model, seed=1):
    """Numbers where a fresh adapter has zeros."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if any(word in name for word in ("lora_", "lokr_", "hada_")) and "magnitude" not in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) / 8
    return model


def weights(model):
    return {name.removesuffix(".weight"): value.clone() for name, value in model.state_dict().items()}


def of_peft(model, component):
    """ΔW of each of PEFT's layers, as PEFT merges it."""
    found = {}
    for name, layer in model.named_modules():
        if isinstance(layer, peft.tuners.tuners_utils.BaseTunerLayer) and hasattr(layer, "get_delta_weight"):
            delta = layer.get_delta_weight("default").detach().double().numpy()
            found[f"{component}.{name}"] = delta.reshape(delta.shape[0], -1)
    return found


def as_file(tensors, metadata, path):
    path.write_bytes(safetensors_file.to_bytes(tensors, metadata))
    return path


def from_torch(state):
    return {name: float32_tensor(value.detach().float().numpy()) for name, value in state.items()}


def assert_near(found, expected, within=1e-6):
    assert found.keys() == expected.keys()
    for name, delta in expected.items():
        assert np.abs(found[name] - delta).max() <= within, name


@pytest.mark.parametrize(
    "settings",
    [
        {"r": 4, "lora_alpha": 2},
        {"r": 4, "lora_alpha": 3, "use_rslora": True},
        {
            "r": 4,
            "lora_alpha": 8,
            "rank_pattern": {"attn1.to_q": 2},
            "alpha_pattern": {"attn1.to_q": 1, "attn2.to_k": 16},
        },
    ],
)
def test_what_diffusers_saves_is_read_at_its_strength(u_net, tmp_path, settings):
    model = u_net()
    model.add_adapter(peft.LoraConfig(**settings, target_modules=[*TARGETS, "conv1", "proj_in"]))
    fill(model)
    config = model.peft_config["default"].to_dict()
    diffusers.StableDiffusionXLPipeline.save_lora_weights(
        tmp_path, unet_lora_layers=peft.get_peft_model_state_dict(model), unet_lora_adapter_metadata=config
    )
    lora = key_formats.read(*safetensors_file.read(tmp_path / "pytorch_lora_weights.safetensors"))
    assert lora.architecture == "stable_diffusion_xl"
    assert_near(deltas(lora), of_peft(model, "unet"))


@pytest.mark.parametrize("dialect", ["canonical", "kohya", "diffusers_old"])
def test_diffusers_loads_what_we_write_at_the_right_strength(u_net, tmp_path, dialect):
    """Old and new names, Stability's names and alphas: the same merged weights in diffusers' own loader."""
    model = u_net()
    model.add_adapter(peft.LoraConfig(r=4, lora_alpha=6, target_modules=[*TARGETS, "proj_in", "ff.net.2"]))
    fill(model)
    expected = of_peft(model, "unet")
    state = {f"unet.{name}": value for name, value in peft.get_peft_model_state_dict(model).items()}
    header = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 6})}
    tensors, wanted = key_formats.write(key_formats.read(from_torch(state), header), dialect)
    path = as_file(tensors, wanted, tmp_path / "adapter.safetensors")
    other = u_net()
    state, alphas, metadata = diffusers.StableDiffusionXLPipeline.lora_state_dict(
        path, unet_config=other.config, return_lora_metadata=True
    )
    diffusers.StableDiffusionXLPipeline.load_lora_into_unet(
        state, network_alphas=alphas, unet=other, metadata=metadata, adapter_name="default"
    )
    assert_near(of_peft(other, "unet"), expected)


def test_diffusers_own_exporter_halves_the_strength_and_ours_does_not(u_net):
    """Its file says alpha = rank whatever was trained, and names SD 1.5's text encoder as SDXL's first."""
    model = u_net()
    model.add_adapter(peft.LoraConfig(r=4, lora_alpha=2, target_modules=TARGETS))
    fill(model)
    expected = of_peft(model, "unet")
    state = {f"unet.{name}": value for name, value in peft.get_peft_model_state_dict(model).items()}
    theirs = diffusers.utils.convert_state_dict_to_kohya(dict(state))
    assert {float(value) for name, value in theirs.items() if name.endswith(".alpha")} == {4.0}
    ours = key_formats.read(from_torch(state), {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 2})})
    kohya = key_formats.to_kohya(ours, "stable_diffusion_xl")
    assert {float(t.as_float32()) for name, t in kohya.items() if name.endswith(".alpha")} == {2.0}
    assert_near(deltas(key_formats.read(kohya, {})), expected)
    doubled = deltas(key_formats.read(from_torch(theirs), {}))
    assert_near(doubled, {name: 2 * delta for name, delta in expected.items()})
    text = {
        f"text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_{half}.weight": torch.ones(4, 4)
        for half in "AB"
    }
    assert {name.split("_text")[0] for name in diffusers.utils.convert_state_dict_to_kohya(dict(text))} == {"lora_te1"}
    lora = key_formats.read(from_torch(text), {"ss_base_model_version": "sd_v1"})
    assert {name.split("_text")[0] for name in key_formats.to_kohya(lora, "stable_diffusion_1")} == {"lora_te"}


@pytest.mark.parametrize("dialect", ["canonical", "kohya"])
def test_flux_in_diffusers_own_loader(flux, tmp_path, dialect):
    model = flux()
    attention = [f"attn.{name}" for name in (*TARGETS, "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")]
    targets = [*attention, "ff.net.0.proj", "ff_context.net.2", "proj_mlp", "norm1.linear"]
    model.add_adapter(peft.LoraConfig(r=4, lora_alpha=2, target_modules=targets))
    fill(model)
    expected = of_peft(model, "transformer")
    state = {f"transformer.{name}": value for name, value in peft.get_peft_model_state_dict(model).items()}
    lora = key_formats.read(from_torch(state), {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 2})})
    assert_near(deltas(lora), expected)
    tensors, header = key_formats.write(lora, dialect)
    if dialect == "kohya":
        # Its reader cuts linear1 at the widths of the published model, which this one does not have.
        tensors = {name: tensor for name, tensor in tensors.items() if "linear1" not in name}
        expected = {name: delta for name, delta in expected.items() if "single" not in name}
    path = as_file(tensors, header, tmp_path / "adapter.safetensors")
    state, alphas, metadata = diffusers.FluxPipeline.lora_state_dict(
        path, return_alphas=True, return_lora_metadata=True
    )
    other = flux()
    diffusers.FluxPipeline.load_lora_into_transformer(
        state, network_alphas=alphas, transformer=other, metadata=metadata, adapter_name="default"
    )
    assert_near(of_peft(other, "transformer"), expected)


@pytest.mark.parametrize("dialect", ["canonical", "comfyui"])
def test_flux_2_in_diffusers_own_loader(tmp_path, dialect):
    """One file for ComfyUI and diffusers: the original's names, no alphas, the strength in the numbers."""

    def make():
        torch.manual_seed(0)
        return diffusers.Flux2Transformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=16, timestep_guidance_channels=32, axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        )  # fmt: skip

    model = make()
    attention = [f"attn.{name}" for name in (*TARGETS, "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")]
    single = [f"single_transformer_blocks.0.attn.{name}" for name in ("to_qkv_mlp_proj", "to_out")]
    targets = [*attention, *single, "ff.linear_in", "ff_context.linear_out", "x_embedder"]
    model.add_adapter(peft.LoraConfig(r=4, lora_alpha=3, target_modules=targets))
    fill(model)
    expected = of_peft(model, "transformer")
    state = {f"transformer.{name}": value for name, value in peft.get_peft_model_state_dict(model).items()}
    lora = key_formats.read(from_torch(state), {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 3})})
    path = as_file(*key_formats.write(lora, dialect), tmp_path / "adapter.safetensors")
    state, metadata = diffusers.Flux2KleinPipeline.lora_state_dict(path, return_lora_metadata=True)
    other = make()
    diffusers.Flux2KleinPipeline.load_lora_into_transformer(
        state, transformer=other, metadata=metadata, adapter_name="default"
    )
    assert_near(of_peft(other, "transformer"), expected)


@pytest.mark.parametrize("network", ["lora", "dora"])
def test_the_layer_of_zeros_by_which_flux_2_is_known_changes_nothing(tmp_path, monkeypatch, network):
    """In diffusers' own loader: a layer more, whose change is zero, and every other as it was."""
    monkeypatch.setattr(flux_2_mark, "TEXT_WIDTHS", {32: 16})
    monkeypatch.setattr(flux_2_mark, "AMBIGUOUS", 32)

    def make():
        torch.manual_seed(0)
        return diffusers.Flux2Transformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=16, timestep_guidance_channels=32, axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        )  # fmt: skip

    model = make()
    attention = [f"attn.{name}" for name in (*TARGETS, "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")]
    targets = [*attention, "single_transformer_blocks.0.attn.to_qkv_mlp_proj"]
    model.add_adapter(peft.LoraConfig(r=4, lora_alpha=3, target_modules=targets, use_dora=network == "dora"))
    fill(model)
    expected = of_peft(model, "transformer")
    state = {f"transformer.{name}": value for name, value in peft.get_peft_model_state_dict(model).items()}
    lora = key_formats.read(from_torch(state), {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 3})})
    tensors, header = key_formats.write(lora, "comfyui")
    assert tensors["diffusion_model.txt_in.lora_A.weight"].shape == (1, 16)
    assert set(key_formats.read(tensors, header).alphas) == set(lora.alphas)
    path = as_file(tensors, header, tmp_path / "adapter.safetensors")
    state, metadata = diffusers.Flux2KleinPipeline.lora_state_dict(path, return_lora_metadata=True)
    other = make()
    diffusers.Flux2KleinPipeline.load_lora_into_transformer(
        state, transformer=other, metadata=metadata, adapter_name="default"
    )
    found = of_peft(other, "transformer")
    assert not found.pop("transformer.context_embedder").any()
    assert_near(found, expected)


@pytest.mark.parametrize("kind", ["lora", "dora", "loha", "lokr"])
def test_what_peft_saves_of_every_kind(u_net, tmp_path, kind):
    configs = {
        "lora": peft.LoraConfig(r=4, lora_alpha=2, target_modules=TARGETS),
        "dora": peft.LoraConfig(r=4, lora_alpha=2, target_modules=TARGETS, use_dora=True),
        "loha": peft.LoHaConfig(r=4, alpha=2, target_modules=TARGETS, init_weights=False),
        "lokr": peft.LoKrConfig(r=4, alpha=2, target_modules=TARGETS, init_weights=False),
    }
    model = peft.get_peft_model(u_net(), configs[kind])
    fill(model)
    model.save_pretrained(tmp_path)
    tensors, metadata = safetensors_file.read(tmp_path / "adapter_model.safetensors")
    beside = json.loads((tmp_path / "adapter_config.json").read_text())
    lora = key_formats.read(tensors, metadata | {"lora_adapter_metadata": json.dumps(beside)}, "stable_diffusion_xl")
    assert_near(deltas(lora), of_peft(model.base_model.model, "unet"))
    if kind != "dora":
        return
    lengths = {name: t for name, t in lora.tensors.items() if name.endswith("magnitude_vector")}
    for name, layer in model.base_model.model.named_modules():
        if f"unet.{name}.lora_magnitude_vector" in lengths:
            found = lengths[f"unet.{name}.lora_magnitude_vector"].as_float32()
            assert np.array_equal(found, layer.lora_magnitude_vector["default"].weight.detach().numpy())
    assert len(lengths) == len(lora.alphas)


def test_dora_in_diffusers_own_loader(u_net, tmp_path):
    """From kohya's names with ``dora_scale`` back into PEFT: the same picture of the weights, lengths included."""
    model = u_net()
    model.add_adapter(peft.LoraConfig(r=4, lora_alpha=2, target_modules=TARGETS, use_dora=True))
    fill(model)
    state = {f"unet.{name}": value for name, value in peft.get_peft_model_state_dict(model).items()}
    lora = key_formats.read(from_torch(state), {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 2})})
    back = key_formats.read(key_formats.to_kohya(lora, "stable_diffusion_xl"), {})
    path = as_file(*key_formats.write(back, "canonical"), tmp_path / "adapter.safetensors")
    state, alphas, metadata = diffusers.StableDiffusionXLPipeline.lora_state_dict(
        path, unet_config=model.config, return_lora_metadata=True
    )
    other = u_net()
    diffusers.StableDiffusionXLPipeline.load_lora_into_unet(
        state, network_alphas=alphas, unet=other, metadata=metadata, adapter_name="default"
    )
    model.fuse_lora()
    other.fuse_lora()
    ours, theirs = weights(other), weights(model)
    for name, value in theirs.items():
        if "base_layer" in name:
            assert (ours[name] - value).abs().max() < 1e-5, name


@pytest.mark.parametrize("kind", ["locon", "loha", "lokr", "lokr_full", "dora"])
def test_what_lycoris_saves(u_net, tmp_path, kind):
    lycoris = pytest.importorskip("lycoris")
    options = {
        "locon": {"algo": "lora", "conv_dim": 2, "conv_alpha": 1, "use_tucker": True},
        "loha": {"algo": "loha"},
        "lokr": {"algo": "lokr", "factor": 4},
        "lokr_full": {"algo": "lokr", "factor": 4, "full_matrix": True},
        "dora": {"algo": "lora", "dora_wd": True},
    }[kind]
    lycoris.LycorisNetwork.apply_preset({"target_module": ["Transformer2DModel", "ResnetBlock2D"], "target_name": []})
    model = u_net()
    network = lycoris.create_lycoris(model, 1.0, linear_dim=4, linear_alpha=2, **options)
    network.apply_to()
    fill(network)
    network.save_weights(str(tmp_path / "lycoris.safetensors"), torch.float32, {})
    tensors, metadata = safetensors_file.read(tmp_path / "lycoris.safetensors")
    assert key_formats.detect(tensors) == "lycoris"
    lora = key_formats.read(tensors, metadata, "stable_diffusion_xl")
    expected = {}
    for layer in network.loras:
        # The forward pass adds get_weight(), scale included; get_diff_weight() of LoHa and LoKr scales once more.
        scales_twice = kind in ("loha", "lokr", "lokr_full")
        delta = layer.get_weight(layer.shape) if scales_twice else layer.get_diff_weight()[0]
        delta = delta.detach().double().numpy()
        name = with_dots(layer.lora_name.removeprefix("lycoris_"))
        expected[f"unet.{name}"] = delta.reshape(delta.shape[0], -1)
    assert_near(deltas(lora), expected)
    kohya = key_formats.to_kohya(lora, "stable_diffusion_xl")
    if kind == "dora":
        assert any(name.endswith(".dora_scale") and t.shape[1] == 1 for name, t in kohya.items())
    again = key_formats.read(kohya, {}, "stable_diffusion_xl")
    assert_near(deltas(again), expected)


def test_a_file_with_bfloat16_is_what_torch_wrote(tmp_path):
    values = torch.randn(8, 4).bfloat16()
    raw = values.view(torch.uint16).numpy().tobytes()
    assert np.array_equal(Tensor("BF16", (8, 4), raw).as_float32(), values.float().numpy())
