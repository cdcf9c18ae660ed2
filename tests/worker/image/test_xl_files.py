"""What diffusers, in a process of its own, and the engine add to SDXL's weights with each file: in numbers."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.numpy import load_file

from app.adapters import inspecting
from app.lora_files import export, key_formats, metadata, safetensors_file
from app.lora_files.metadata import AdapterFacts
from tests.app.lora_files.deltas import deltas, random_lora
from tests.worker.image import tiny
from worker.engines import checkpoints
from worker.engines.contracts import AdapterFile, TrainingInputs
from worker.engines.image.base import lora, model_cache, unet_adapters
from worker.engines.image.families import stable_diffusion_xl

pytestmark = pytest.mark.slow
RANK, ALPHA = 4, 6.0
COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
ENOUGH = 1e-6
"""Float32 has weights of up to 1 here, and rounds their sums by up to 6e-8."""

# Knows nothing of Livery: what load_lora_weights has put into the pipeline is merged by PEFT, and told as a difference.
READER = """
import json, sys
import torch, transformers.integrations.peft
from diffusers import StableDiffusionXLPipeline
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file

torch.set_num_threads(1)
# The transformers of today asks for a PEFT of tomorrow before it lets an adapter into a text encoder.
transformers.integrations.peft.MIN_PEFT_VERSION = "0.21.0"
for file, out in json.loads(sys.argv[2]):
    pipeline = StableDiffusionXLPipeline.from_pretrained(sys.argv[1])
    pipeline.load_lora_weights(file)
    found = {}
    for component in ("unet", "text_encoder", "text_encoder_2"):
        for name, layer in getattr(pipeline, component).named_modules():
            if isinstance(layer, BaseTunerLayer):
                before = layer.get_base_layer().weight.detach().double()
                layer.merge()
                found[f"{component}.{name}"] = (layer.get_base_layer().weight.detach().double() - before).contiguous()
    save_file(found, out)
"""


def read_elsewhere(elsewhere, base, files, folder):
    """For each file, what diffusers adds to each weight: module → float64."""
    outs = [folder / f"{number}.read.safetensors" for number in range(len(files))]
    order = [[str(file), str(out)] for file, out in zip(files, outs, strict=True)]
    elsewhere.run(READER, base.source, json.dumps(order))
    return [load_file(out) for out in outs]


def read_here(file):
    """What the engine adds with it."""
    pipeline, found = tiny.xl_pipeline(), {}
    unet_adapters.load(pipeline, AdapterFile("one", file, 1.0), "one")
    for component in COMPONENTS:
        for name, layer in getattr(pipeline, component).named_modules():
            if isinstance(layer, BaseTunerLayer):
                before = layer.get_base_layer().weight.detach().double()
                layer.merge()
                found[f"{component}.{name}"] = (layer.get_base_layer().weight.detach().double() - before).numpy()
    return found


def assert_added(found, expected):
    assert found.keys() == expected.keys()
    off = {name: np.abs(found[name] - change.reshape(found[name].shape)).max() for name, change in expected.items()}
    worst = max(off, key=lambda name: off[name])
    assert off[worst] <= ENOUGH, (worst, off[worst])


def train(base, folder, **changes):
    """An adapter of all layers in full precision, and the numbers that the training had in the end."""
    recipe = tiny.training_recipe(
        rank=RANK, alpha=ALPHA, target_modules="all_layers", steps=4, learning_rate=2e-2, text_encoder_lr=2e-2,
        checkpoint_every=99, **changes,
    )  # fmt: skip
    inputs = TrainingInputs(base, tiny.pictures(folder / "pictures"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lora, "HALF_PRECISION_LOSS", 0.0)
        made = stable_diffusion_xl.train(recipe, inputs, folder / "out", tiny.Recorder())
    numbers = checkpoints.read(checkpoints.folder_of(folder / "out" / "checkpoints", recipe.steps)).adapter
    return made, {name: tensor.double().numpy() for name, tensor in numbers.items()}


def added(pipeline, numbers, alpha=ALPHA):
    """Module → what was added to its weight, by the papers' formulas: Hu et al. 2021, Liu et al. 2024."""
    found = {}
    for module in {name.partition(".lora_")[0] for name in numbers}:
        component, _, path = module.partition(".")
        weight = getattr(pipeline, component).get_submodule(path).weight.detach().double().numpy()
        down, up = numbers[f"{module}.lora_A.weight"], numbers[f"{module}.lora_B.weight"]
        change = alpha / RANK * up.reshape(-1, RANK) @ down.reshape(RANK, -1)
        magnitude = numbers.get(f"{module}.lora_magnitude_vector")
        if magnitude is not None:
            rows = weight.reshape(len(weight), -1)
            turned = rows + change
            lengths = np.sqrt((turned**2).sum(axis=1, keepdims=True))
            change = magnitude.reshape(-1, 1) / lengths * turned - rows
        found[module] = change.reshape(weight.shape)
    return found


def facts():
    known = metadata.BaseModelFacts("XL", "stable-diffusion-xl-v1-base", "sdxl_base_v1-0", family="stable_diffusion_xl")
    return AdapterFacts("brand", "Brand", known, RANK, ALPHA, "brandx", datetime(2026, 11, 24, tzinfo=UTC))


@pytest.fixture(scope="module")
def cases(elsewhere, xl_base, tmp_path_factory):
    """Title → file, what it is to add (module → float64), and what diffusers adds with it."""
    folder, found = tmp_path_factory.mktemp("files"), {}
    made, numbers = train(xl_base, folder / "lora", train_text_encoder=True)
    expected = added(tiny.xl_pipeline(), numbers)
    files = {
        "as trained": made.weights,
        "for diffusers": export.diffusers_file(made.weights, folder / "diffusers.safetensors", facts()).path,
        "for programs": export.kohya_file(made.weights, folder / "kohya.safetensors", facts()).path,
    }
    for dialect in ("canonical", "diffusers_old"):
        # From what other programs get, as somebody might convert it on a page.
        there = folder / f"{dialect}.safetensors"
        files[f"in {dialect}"] = export.converted(files["for programs"], there, dialect, name="brand").path
    found |= {title: (file, expected) for title, file in files.items()}
    dora, learned = train(xl_base, folder / "dora", network="dora")
    file = export.diffusers_file(dora.weights, folder / "dora.safetensors", facts()).path
    found["DoRA"] = file, added(tiny.xl_pipeline(), learned)
    model_cache.drop()
    shrunk = shrunk_layer_by_layer(tiny.xl_pipeline())
    for dialect in ("canonical", "diffusers_old"):
        tensors, header = key_formats.write(shrunk, dialect)
        file = folder / f"shrunk-{dialect}.safetensors"
        file.write_bytes(safetensors_file.to_bytes(tensors, header))
        found[f"shrunk, {dialect}"] = file, in_the_pipeline(deltas(shrunk))
    foreign = random_lora(linear(tiny.xl_pipeline(), ("to_q", "q_proj", "out_proj")), "stable_diffusion_xl", dora=True)
    tensors, header = key_formats.write(foreign, "canonical")
    file = folder / "foreign-dora.safetensors"
    file.write_bytes(safetensors_file.to_bytes(tensors, header))
    numbers = {name: tensor.as_float32().astype(np.float64) for name, tensor in foreign.tensors.items()}
    numbers = in_the_pipeline(numbers)
    found[DORA_ON_TEXT] = file, added(tiny.xl_pipeline(), numbers, alpha=2.0)
    theirs = read_elsewhere(elsewhere, xl_base, [file for file, _ in found.values()], folder)
    return {title: (*case, one) for (title, case), one in zip(found.items(), theirs, strict=True)}


def linear(pipeline, ends):
    """The canonical names of the linear layers whose names end so, with their shapes."""
    modules = {}
    for component in COMPONENTS:
        for name, module in getattr(pipeline, component).named_modules():
            if isinstance(module, torch.nn.Linear) and name.endswith(ends):
                path = name if component == "unet" or name.startswith("text_model.") else f"text_model.{name}"
                modules[f"{component}.{path}"] = tuple(module.weight.shape)
    return modules


def shrunk_layer_by_layer(pipeline):
    """Every layer has a rank and an alpha of its own, as tools write that shrink an adapter afterwards."""
    modules = linear(pipeline, ("to_q", "to_v", "ff.net.2", "q_proj", "out_proj", "fc1"))
    return random_lora(modules, "stable_diffusion_xl", rank=lambda n: 2 + n % 3, alpha=lambda n: 0.5 + n % 4)


def in_the_pipeline(changes):
    """By the names there: with transformers 5.6 the class of the first text encoder has lost a level."""
    return {name.replace("text_encoder.text_model.", "text_encoder."): change for name, change in changes.items()}


DORA_ON_TEXT = "DoRA, foreign and on text encoders too"
TITLES = (
    "as trained", "for diffusers", "for programs", "in canonical", "in diffusers_old", "DoRA", "shrunk, canonical",
    "shrunk, diffusers_old",
)  # fmt: skip


def test_every_dialect_is_among_them(cases):
    assert tuple(cases) == (*TITLES, DORA_ON_TEXT)
    assert set(key_formats.key_formats_for("stable_diffusion_xl")) == {"kohya", "canonical", "diffusers_old"}
    _, expected, _ = cases["for programs"]
    for component in COMPONENTS:
        assert max(np.abs(change).max() for name, change in expected.items() if name.startswith(f"{component}.")) > 1e-2


@pytest.mark.parametrize("title", TITLES)
def test_with_each_file_diffusers_and_the_engine_add_what_was_learned(cases, title):
    file, expected, by_diffusers = cases[title]
    assert_added(by_diffusers, expected)
    assert_added(read_here(file), expected)


def test_of_dora_on_a_text_encoder_diffusers_leaves_out_the_lengths_and_the_engine_does_not(cases):
    """Why such an adapter is not trained here; the passport of a foreign one says so."""
    file, expected, by_diffusers = cases[DORA_ON_TEXT]
    assert_added(read_here(file), expected)
    text = {name: change for name, change in expected.items() if name.startswith("text_encoder")}
    off = [np.abs(by_diffusers[name] - change).max() for name, change in text.items()]
    assert min(off) > 1e-2, "diffusers has learned to read them: such adapters can be trained"
    assert_added(
        {name: change for name, change in by_diffusers.items() if name not in text},
        {name: change for name, change in expected.items() if name not in text},
    )
    fit = next(one for one in inspecting.of_file(file).programs if one.program == "diffusers")
    assert fit.total - fit.loaded == len(text) and "lengths" in fit.reason


def test_a_header_with_the_level_that_clips_class_has_lost_is_read_too(cases, tmp_path):
    """As files have it that were written for an older transformers."""
    file, expected, _ = cases["shrunk, canonical"]
    tensors, header = safetensors_file.read(file)
    words = json.loads(header[key_formats.HEADER_KEY])
    for component in ("text_encoder", "text_encoder_2"):
        words[f"{component}.target_modules"] = [f"text_model.{one}" for one in words[f"{component}.target_modules"]]
        for kind in ("rank_pattern", "alpha_pattern"):
            words[f"{component}.{kind}"] = {f"^text_model.{key}": n for key, n in words[f"{component}.{kind}"].items()}
    older = tmp_path / "older.safetensors"
    older.write_bytes(safetensors_file.to_bytes(tensors, header | {key_formats.HEADER_KEY: json.dumps(words)}))
    assert_added(read_here(older), expected)
