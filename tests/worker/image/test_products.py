"""LoKr and LoHa files of other trainers: read into the model, they add exactly what their factors make."""

import pytest
import torch
from safetensors.torch import save_file

from app.lora_files import export
from app.lora_files.keys.lycoris import Fused
from tests.narrow import narrow
from tests.worker.image import tiny, tiny_flux
from worker.engines.contracts import AdapterFile, EngineError
from worker.engines.image.base import quantization, unet_adapters
from worker.engines.image.families import flow_models

pytestmark = pytest.mark.slow

LINEAR = "mid_block.attentions.0.transformer_blocks.0.ff.net.2"
CONVOLUTION = "mid_block.resnets.0.conv1"


def lokr(generator, rows, columns):
    """In the shapes of LyCORIS with a factor of 4: a small whole matrix times a large one of low rank."""
    return {
        "lokr_w1": torch.randn(4, 4, generator=generator),
        "lokr_w2_a": torch.randn(rows // 4, 2, generator=generator),
        "lokr_w2_b": torch.randn(2, columns // 4, generator=generator),
    }, lambda p: torch.kron(p["lokr_w1"], p["lokr_w2_a"] @ p["lokr_w2_b"])


def loha(generator, rows, columns):
    shapes = {"hada_w1_a": (rows, 2), "hada_w1_b": (2, columns), "hada_w2_a": (rows, 2), "hada_w2_b": (2, columns)}
    made = {name: torch.randn(*shape, generator=generator) for name, shape in shapes.items()}
    return made, lambda p: (p["hada_w1_a"] @ p["hada_w1_b"]) * (p["hada_w2_a"] @ p["hada_w2_b"])


def file_of(path, layers):
    """As sd-scripts names it, through the form that a brand keeps of it."""
    tensors = {f"{name.replace('.', '_')}.{part}": value for name, own in layers.items() for part, value in own.items()}
    save_file({f"lora_unet_{name}": value.contiguous() for name, value in tensors.items()}, path)
    export.for_engines(path, path.with_name("ours.safetensors"), name="x")
    return AdapterFile("x", path.with_name("ours.safetensors"), 1.0)


@pytest.mark.parametrize("make", [lokr, loha])
@pytest.mark.parametrize("kind", ["none", "nf4", "int8"])
def test_what_a_file_adds_is_what_its_factors_make(tmp_path, make, kind):
    generator = torch.Generator().manual_seed(0)
    pipeline = tiny.pipeline()
    layers, expected = {}, {}
    for name in (LINEAR, CONVOLUTION):
        weight = pipeline.unet.get_submodule(name).weight
        parts, product = make(generator, weight.shape[0], weight[0].numel())
        layers[name] = parts | {"alpha": torch.tensor(3.0)}
        expected[name] = (product(parts) * 3.0 / 2).reshape(weight.shape)
    quantization.quantize(pipeline.unet, kind, torch.device("cpu"), torch.float32)
    assert unet_adapters.load(pipeline, file_of(tmp_path / "a.safetensors", layers), "a") is False
    for name, delta in expected.items():
        found = pipeline.unet.get_submodule(name).get_delta_weight("a").reshape(delta.shape)
        assert torch.allclose(found, delta, atol=1e-5)
    latents, words = torch.randn(1, 4, 8, 8), torch.randn(1, 5, 32)

    def drawn():
        with torch.no_grad():
            return pipeline.unet(latents, 500, words).sample

    with_it = drawn()
    pipeline.set_adapters(["a"], [0.5])
    assert not torch.allclose(drawn(), with_it)
    pipeline.delete_adapters("a")
    without = drawn()
    assert not torch.allclose(without, with_it)


def test_layers_of_another_model_or_shape_are_refused_and_leave_nothing(tmp_path):
    pipeline = tiny.pipeline()
    generator = torch.Generator().manual_seed(0)
    parts, _ = lokr(generator, 64, 64)
    for name in (LINEAR, "mid_block.attentions.7.proj_in"):  # the first is 64 × 256
        file = file_of(tmp_path / "a.safetensors", {name: parts | {"alpha": torch.tensor(1.0)}})
        with pytest.raises(EngineError) as raised:
            unet_adapters.load(pipeline, file, "a")
        assert raised.value.code == "adapter_mismatch"
        assert "a" not in getattr(pipeline.unet, "peft_config", {})


def test_of_flux_what_changes_split_layers_is_read_and_what_changes_fused_ones_is_refused(tmp_path, monkeypatch):
    narrow(monkeypatch, 64, 192, only="flux_1", instead=True)
    generator = torch.Generator().manual_seed(0)
    parts, product = lokr(generator, 64, 64)
    parts["alpha"] = torch.tensor(2.0)
    split = {f"lora_transformer_transformer_blocks_0_attn_to_q.{part}": value for part, value in parts.items()}
    save_file(split, tmp_path / "split.safetensors")
    export.for_engines(tmp_path / "split.safetensors", tmp_path / "ours.safetensors", name="x")
    pipeline = tiny_flux.flux()
    flow_models.load_adapter(pipeline, AdapterFile("x", tmp_path / "ours.safetensors", 1.0), "a")
    layer = pipeline.transformer.transformer_blocks[0].attn.to_q
    assert torch.allclose(layer.get_delta_weight("a"), product(parts), atol=1e-5)
    fused = {f"lora_unet_double_blocks_0_img_attn_qkv.{part}": value for part, value in parts.items()}
    save_file(fused, tmp_path / "fused.safetensors")
    with pytest.raises(Fused):
        export.for_engines(tmp_path / "fused.safetensors", tmp_path / "no.safetensors", name="x")


def made_by_lycoris(name, layer, *, on_rows=False):
    """LyCORIS's own module with random numbers: its tensors, and the weight that it merges at strength 1."""
    pytest.importorskip("lycoris")
    from lycoris.modules.locon import LoConModule

    torch.manual_seed(3)
    module = LoConModule(name, layer, 1.0, 4, 3.0, weight_decompose=True, wd_on_out=on_rows)
    for parameter in module.parameters():
        parameter.data = parameter.data * (torch.rand(parameter.shape) + 0.5) + torch.randn(parameter.shape) / 8
    tensors = {part: value.detach().float().contiguous() for part, value in module.state_dict().items()}
    merged = module.get_merged_weight()[0].detach().float()
    return {part: value for part, value in tensors.items() if part != "scalar"}, merged


COLUMNS = (LINEAR, CONVOLUTION, "up_blocks.0.resnets.0.conv_shortcut", "time_embedding.linear_1")


@pytest.mark.parametrize("kind", ["none", "nf4", "int8"])
def test_dora_of_columns_draws_as_lycoris_merges_it(tmp_path, kind):
    """What OneTrainer writes by default. Its square layers too, whose lengths would fit rows as well."""
    pipeline = tiny.pipeline()
    own = {name: pipeline.unet.get_submodule(name) for name in COLUMNS}
    plain = {name: layer.weight.detach().clone().float() for name, layer in own.items()}
    layers, merged = {}, {}
    for name, layer in own.items():
        layers[name], merged[name] = made_by_lycoris(name, layer)
        assert layers[name]["dora_scale"].shape[0] == 1
    quantization.quantize(pipeline.unet, kind, torch.device("cpu"), torch.float32)
    assert unet_adapters.load(pipeline, file_of(tmp_path / "a.safetensors", layers), "a") is False
    for name in COLUMNS:
        layer = pipeline.unet.get_submodule(name)
        columns = plain[name].shape[1]
        x = torch.randn((2, 3, columns) if plain[name].dim() == 2 else (2, columns, 8, 8))
        for strength in (1.0, 0.5):
            pipeline.set_adapters(["a"], [strength])
            found = layer(x)
            weight = plain[name] + strength * (merged[name] - plain[name])
            expected = applied(own[name], weight, x)
            if kind == "none" or plain[name].dim() == 4:
                assert torch.allclose(found, expected, atol=2e-4), (name, strength)
            else:  # in 4 and 8 bits, W itself is another
                assert (found - expected).norm() < 0.25 * expected.norm(), (name, strength)
    pipeline.delete_adapters("a")
    for name in COLUMNS:
        assert "a" not in getattr(pipeline.unet.get_submodule(name), "lora_variant", {})


def applied(layer, weight, x):
    base = layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer
    bias = base.bias.float() if base.bias is not None else None
    if weight.dim() == 2:
        return torch.nn.functional.linear(x, weight, bias)
    return torch.nn.functional.conv2d(x, weight, bias, base.stride, base.padding)


def test_a_square_layer_of_rows_stays_one_of_rows(tmp_path):
    pipeline = tiny.pipeline()
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    layer = pipeline.unet.get_submodule(name)
    weight = layer.weight.detach().clone()
    assert weight.shape[0] == weight.shape[1]
    for on_rows in (True, False):
        tensors, merged = made_by_lycoris(name, layer, on_rows=on_rows)
        pipeline = tiny.pipeline()
        unet_adapters.load(pipeline, file_of(tmp_path / "a.safetensors", {name: tensors}), "a")
        x = torch.randn(2, 3, weight.shape[1])
        assert torch.allclose(pipeline.unet.get_submodule(name)(x), applied(layer, merged, x), atol=2e-4), on_rows


def test_dora_of_columns_in_flux(tmp_path, monkeypatch):
    """OneTrainer's names of FLUX.1 in diffusers' layout."""
    narrow(monkeypatch, 64, only="flux_1", instead=True)
    pipeline = tiny_flux.flux()
    name = "transformer_blocks.0.attn.to_q"
    layer = pipeline.transformer.get_submodule(name)
    tensors, merged = made_by_lycoris(name, layer)
    save_file(
        {f"lora_transformer_transformer_blocks_0_attn_to_q.{part}": value for part, value in tensors.items()},
        tmp_path / "onetrainer.safetensors",
    )
    export.for_engines(tmp_path / "onetrainer.safetensors", tmp_path / "ours.safetensors", name="x")
    flow_models.load_adapter(pipeline, AdapterFile("x", tmp_path / "ours.safetensors", 1.0), "a")
    x = torch.randn(2, 3, 64)
    found = pipeline.transformer.get_submodule(name)(x)
    assert torch.allclose(found, applied(layer, merged, x), atol=2e-4)
