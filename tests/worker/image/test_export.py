"""The files that leave the house, judged by other programs' readers in a process of their own."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from app.lora_files import export, key_formats, metadata
from app.lora_files.metadata import AdapterFacts
from app.lora_files.safetensors_file import float32_tensor
from tests.worker.image import tiny
from tests.worker.image.test_generation import draw, pixels
from worker.engines.contracts import AdapterFile, TrainingInputs
from worker.engines.image.families import stable_diffusion

pytestmark = pytest.mark.slow

# Knows nothing of Livery. Draws with a LoRA that diffusers itself loads, or with weights into which
# ΔW = (alpha / rank) · B @ A was added by hand from the raw tensors of either dialect; a fresh pipeline each time.
READER = """
import json, sys
import numpy as np, torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

torch.set_num_threads(1)


def merge(unet, tensors, alpha):
    merged = 0
    for name, module in unet.named_modules():
        flat = "lora_unet_" + name.replace(".", "_")
        if f"unet.{name}.lora_A.weight" in tensors:
            down, up = tensors[f"unet.{name}.lora_A.weight"], tensors[f"unet.{name}.lora_B.weight"]
        elif f"{flat}.lora_down.weight" in tensors:
            down, up = tensors[f"{flat}.lora_down.weight"], tensors[f"{flat}.lora_up.weight"]
            alpha = tensors[f"{flat}.alpha"].item()
        else:
            continue
        delta = up.float().flatten(1) @ down.float().flatten(1)
        module.weight.data += alpha / down.shape[0] * delta.reshape(module.weight.shape)
        merged += 1
    assert merged == sum("lora_A" in name or "lora_down" in name for name in tensors) > 0


for how, file, alpha, out in json.loads(sys.argv[2]):
    pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[1], safety_checker=None)
    if how == "load":
        pipeline.load_lora_weights(file)
    else:
        merge(pipeline.unet, load_file(file), alpha)
    images = pipeline(
        "brandx, a jar", width=64, height=64, num_inference_steps=3, guidance_scale=5.0,
        generator=torch.Generator().manual_seed(11), output_type="np",
    ).images
    np.save(out, images[0])
"""


def read_elsewhere(elsewhere, base, readings, folder):
    """The pictures (height, width, 3) in 0..255 that a fresh process draws; ``readings``: how, file, alpha."""
    outs = [folder / f"{number}.npy" for number in range(len(readings))]
    order = [[how, str(file), alpha, str(out)] for (how, file, alpha), out in zip(readings, outs, strict=True)]
    elsewhere.run(READER, base.source, json.dumps(order))
    return [np.round(np.load(out) * 255).astype(int) for out in outs]


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    recipe = tiny.training_recipe(
        rank=4,
        alpha=6.0,
        steps=20,
        learning_rate=2e-2,
        target_modules="all_layers",
        checkpoint_every=99,
    )
    inputs = TrainingInputs(base, tiny.pictures(folder / "pictures"))
    return stable_diffusion.train(recipe, inputs, folder / "out", tiny.Recorder())


@pytest.fixture(scope="module")
def facts():
    return AdapterFacts(
        "brand", "Brand", metadata.STABLE_DIFFUSION_1, 4, 6.0, "brandx", datetime(2026, 11, 24, tzinfo=UTC)
    )


@pytest.mark.slow
def test_every_reader_gets_the_picture_that_the_engine_draws(elsewhere, base, trained, facts, tmp_path):
    diffusers_file = export.diffusers_file(trained.weights, tmp_path / "d.safetensors", facts).path
    kohya_file = export.kohya_file(trained.weights, tmp_path / "k.safetensors", facts).path
    ours = pixels(draw(base, tmp_path / "ours", AdapterFile("t", trained.weights, 1.0), count=1)[0])
    plain = pixels(draw(base, tmp_path / "plain", count=1)[0])
    assert np.abs(ours - plain).max() > 8, "the adapter must be strong enough for the comparison to mean something"

    readings = {
        "the training's own file, by diffusers": ("load", trained.weights, None),
        "diffusers' file, by diffusers": ("load", diffusers_file, None),
        "kohya's file, by diffusers": ("load", kohya_file, None),
        "diffusers' file, its header unread": ("merge", diffusers_file, 4.0),
        "kohya's file, merged by hand": ("merge", kohya_file, None),
        "alpha taken for rank": ("merge", trained.weights, 4.0),
    }
    drawn = dict(zip(readings, read_elsewhere(elsewhere, base, list(readings.values()), tmp_path), strict=True))
    wrong = drawn.pop("alpha taken for rank")
    assert np.abs(ours - wrong).max() > 1, "with another alpha the picture must be another"
    assert {
        title: int(np.abs(ours - theirs).max()) for title, theirs in drawn.items() if np.abs(ours - theirs).max() > 1
    } == {}


def test_the_engine_draws_the_same_from_all_three_files(base, trained, facts, tmp_path):
    files = [
        trained.weights,
        export.diffusers_file(trained.weights, tmp_path / "d.safetensors", facts).path,
        export.kohya_file(trained.weights, tmp_path / "k.safetensors", facts).path,
    ]
    first, *others = (
        pixels(draw(base, tmp_path / f"{n}", AdapterFile(f"{n}", f, 1.0), count=1)[0]) for n, f in enumerate(files)
    )
    # The strength is in the numbers or beside them, which rounds in another place.
    assert all(np.abs(first - other).max() <= 1 for other in others)


def test_kohyas_names_and_alphas_agree_with_diffusers_own_converter_but_for_its_two_mistakes(trained, facts, tmp_path):
    from diffusers.utils import convert_state_dict_to_kohya

    theirs = convert_state_dict_to_kohya(dict(load_file(trained.weights)))
    ours = load_file(export.kohya_file(trained.weights, tmp_path / "k.safetensors", facts).path)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        if name.endswith(".alpha"):
            assert tensor.item() == 6.0
            assert theirs[name].item() == 4, "diffusers has stopped writing the rank as alpha"
        else:
            assert torch.equal(tensor, theirs[name])


def test_the_header_says_what_diffusers_needs(trained, facts, tmp_path):
    from safetensors import safe_open

    path = export.diffusers_file(trained.weights, tmp_path / "d.safetensors", facts).path
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["lora_adapter_metadata"])
    assert (header["unet.r"], header["unet.lora_alpha"]) == (4, 4.0), "the strength is in the numbers"


def test_every_layer_of_the_real_sd15_unet_and_text_encoder_has_a_name_in_kohyas_dialect():
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        # The defaults of both classes but for these are SD 1.5's.
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        text = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12))
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    modules = [f"unet.{name}" for name, module in unet.named_modules() if isinstance(module, kinds)]
    modules += [
        f"text_encoder.text_model.{name.removeprefix('text_model.')}"
        for name, module in text.named_modules()
        if isinstance(module, kinds)
    ]
    assert len(modules) > 300
    half = float32_tensor(np.zeros((1, 1)))
    tensors = {f"{module}.lora_{letter}.weight": half for module in modules for letter in "AB"}
    lora = key_formats.Lora(tensors, dict.fromkeys(modules, 1.0))
    there = key_formats.to_kohya(lora, "stable_diffusion_1")
    assert key_formats.from_kohya(there, "stable_diffusion_1") == lora
