import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import safetensors.numpy

from app.adapters import metadata, safetensors_file
from app.adapters.metadata import AdapterFacts, TrainingFacts
from app.adapters.safetensors_file import float32_tensor
from app.trainings.recipe import TrainingRecipe

RECIPE = TrainingRecipe(
    base_model="builtin", purpose="style", trigger_word="brandx", rank=8, alpha=4.0, learning_rate=1e-4, steps=100,
    batch_size=2, resolution=512, noise_offset=0.05, seed=3,
)  # fmt: skip
WHEN = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
FACTS = AdapterFacts(
    name="brand-v1", title="Brand v1", base=metadata.STABLE_DIFFUSION_1, rank=8, alpha=4.0, trigger_word="brandx",
    created_at=WHEN, author="Design team", description="Our look",
    training=TrainingFacts(
        RECIPE, steps_done=90, started_at=WHEN, finished_at=WHEN,
        captions=("secret jar, blue", "secret lid, blue", "blue"), sizes=((512, 512), (512, 512), (640, 384)),
    ),
)  # fmt: skip
TENSORS = {"lora_unet_x.lora_down.weight": float32_tensor(np.arange(12).reshape(2, 6))}


def test_the_header_holds_what_other_programs_look_for():
    header = metadata.header(FACTS, TENSORS, clean=False)
    assert all(isinstance(value, str) for value in header.values())
    expected = {
        "ss_v2": "False",
        "ss_base_model_version": "sd_v1",
        "ss_network_module": "networks.lora",
        "ss_network_dim": "8",
        "ss_network_alpha": "4.0",
        "ss_network_args": "{}",
        "ss_output_name": "brand-v1",
        "ss_num_train_images": "3",
        "ss_steps": "90",
        "ss_num_epochs": "60",
        "ss_resolution": "(512, 512)",
        "ss_clip_skip": "None",
        "ss_noise_offset": "0.05",
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.title": "Brand v1",
        "modelspec.trigger_phrase": "brandx",
        "modelspec.resolution": "512x512",
        "modelspec.date": "2026-11-24T22:00:00+00:00",
        "modelspec.prediction_type": "epsilon",
    }
    assert expected.items() <= header.items()
    assert json.loads(header["ss_tag_frequency"]) == {"1_brand-v1": {"blue": 3, "secret jar": 1, "secret lid": 1}}
    assert json.loads(header["ss_bucket_info"])["buckets"]["0"] == {"resolution": [512, 512], "count": 2}
    assert "modelspec.license" not in header


def test_the_built_in_model_has_its_own_architecture():
    header = metadata.header(replace(FACTS, base=metadata.BUILTIN), TENSORS, clean=False)
    assert header["modelspec.architecture"] == "livery-builtin/lora"


def test_the_clean_header_tells_nothing_of_the_pictures():
    header = metadata.header(FACTS, TENSORS, clean=True)
    assert header.keys() <= metadata.CLEAN_KEYS
    assert "secret" not in json.dumps(header) and "blue" not in json.dumps(header)
    other = replace(FACTS, training=replace(FACTS.training, captions=("other",), sizes=((64, 64),), steps_done=1))
    assert metadata.header(other, TENSORS, clean=True) == header, "nothing may depend on the pictures"
    for key in (
        "ss_v2",
        "ss_base_model_version",
        "ss_network_module",
        "ss_network_dim",
        "ss_network_alpha",
        "ss_network_args",
    ):
        assert key in header


def test_hashes_are_over_the_tensors_and_do_not_change_with_notes():
    full, clean = metadata.header(FACTS, TENSORS, clean=False), metadata.header(FACTS, TENSORS, clean=True)
    data = next(iter(TENSORS.values())).data
    assert full["sshs_model_hash"] == clean["sshs_model_hash"] == hashlib.sha256(data).hexdigest()
    assert full["modelspec.hash_sha256"] == "0x" + full["sshs_model_hash"]
    renamed = metadata.header(replace(FACTS, title="Another", description="x"), TENSORS, clean=False)
    assert renamed["sshs_legacy_hash"] == full["sshs_legacy_hash"]


def test_hashes_are_those_that_sd_scripts_computes():
    # library/train_util.py: precalculate_safetensors_hashes, with the library's own writer.
    random = np.random.default_rng(0)
    arrays = {f"lora_unet_{n}.lora_down.weight": random.normal(size=(300, 300)).astype(np.float16) for n in range(8)}
    arrays |= {f"lora_unet_{n}.alpha": np.array(4.0, np.float32) for n in range(8)}
    training_only = {"ss_output_name": 'brand ü " \\ \n', "ss_v2": "False"}
    content = safetensors.numpy.save(arrays, training_only)
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {
        name: safetensors_file.Tensor("F16" if array.dtype == np.float16 else "F32", array.shape, array.tobytes())
        for name, array in arrays.items()
    }
    assert metadata.hashes(tensors, training_only | {"modelspec.title": "x"}) == {
        "sshs_model_hash": hashlib.sha256(content[start:]).hexdigest(),
        "sshs_legacy_hash": hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8],
    }


@pytest.mark.parametrize("count", [10, 5000])
def test_long_captions_do_not_burst_the_header(count):
    captions = tuple(f"caption {n} " + "long " * 100 + ", tag" for n in range(count))
    facts = replace(FACTS, training=replace(FACTS.training, captions=captions))
    header = metadata.header(facts, TENSORS, clean=False)
    assert sum(len(key) + len(value) for key, value in header.items()) < safetensors_file.MAX_HEADER_BYTES // 2
