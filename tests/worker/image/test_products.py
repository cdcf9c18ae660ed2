"""LoKr and LoHa files of other trainers: read into the model, they add exactly what their factors make."""

import pytest
import torch
from safetensors.torch import save_file

from app.adapters import export, signs
from app.adapters.products import NotForDrawing
from tests.worker.image import tiny, tiny_flux
from worker.engines.contracts import AdapterFile, EngineError
from worker.engines.image import flow, quantization, unet_adapters

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
    monkeypatch.setitem(signs.WIDTHS, "flux_1", frozenset({64, 192}))
    generator = torch.Generator().manual_seed(0)
    parts, product = lokr(generator, 64, 64)
    parts["alpha"] = torch.tensor(2.0)
    split = {f"lora_transformer_transformer_blocks_0_attn_to_q.{part}": value for part, value in parts.items()}
    save_file(split, tmp_path / "split.safetensors")
    export.for_engines(tmp_path / "split.safetensors", tmp_path / "ours.safetensors", name="x")
    pipeline = tiny_flux.flux()
    flow.load_adapter(pipeline, AdapterFile("x", tmp_path / "ours.safetensors", 1.0), "a")
    layer = pipeline.transformer.transformer_blocks[0].attn.to_q
    assert torch.allclose(layer.get_delta_weight("a"), product(parts), atol=1e-5)
    fused = {f"lora_unet_double_blocks_0_img_attn_qkv.{part}": value for part, value in parts.items()}
    save_file(fused, tmp_path / "fused.safetensors")
    with pytest.raises(NotForDrawing, match="as one layer"):
        export.for_engines(tmp_path / "fused.safetensors", tmp_path / "no.safetensors", name="x")
