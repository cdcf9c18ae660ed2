import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import safetensors.numpy

from app.adapters import inspecting
from app.adapters.inspecting import SETTINGS
from app.lora_files import header_settings, metadata, safetensors_file
from app.lora_files.metadata import AdapterFacts, TrainingFacts
from app.lora_files.safetensors_file import float32_tensor
from app.trainings.look.recipe import TrainingRecipe, header_keys
from tests.recipes import other_values

RECIPE = TrainingRecipe(
    base_model="builtin", purpose="style", trigger_word="brandx", rank=8, alpha=4.0, learning_rate=1e-4, steps=100,
    batch_size=2, resolution=512, noise_offset=0.05, seed=3,
)  # fmt: skip
KEYS = header_keys(TrainingRecipe)
WHEN = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
FACTS = AdapterFacts(
    name="brand-v1", title="Brand v1", base=metadata.STABLE_DIFFUSION_1, rank=8, alpha=4.0, trigger_word="brandx",
    created_at=WHEN, author="Design team", description="Our look",
    training=TrainingFacts(
        RECIPE.used(is_flow=False), KEYS, steps_done=90, started_at=WHEN, finished_at=WHEN,
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


CHANGED = TrainingRecipe.model_validate(
    other_values(TrainingRecipe)
    | {"trigger_word": "brandx", "rank": 8, "network": "rslora", "optimizer": "adamw_8bit", "clip_skip": 2,
       "extra_resolutions": (384, 640), "class_prompt": "a jar",
       "sample_prompts": ("brandx, ein Glas", "brandx, “jar”")}
)  # fmt: skip
ONLY_FLOW, NEVER_FLOW = {"timestep_sampling", "timestep_shift"}, {"min_snr_gamma", "noise_offset"}


def header_of(recipe: TrainingRecipe, predicts: str = "epsilon") -> dict[str, str]:
    base = replace(metadata.STABLE_DIFFUSION_1, prediction_type=predicts)
    settings = recipe.used(is_flow=predicts == "flow")
    return metadata.header(
        replace(FACTS, base=base, training=replace(FACTS.training, settings=settings)), TENSORS, clean=False
    )


def test_every_field_of_the_recipe_has_a_word_in_the_header_and_is_read_back():
    defaults = {name: field.default for name, field in TrainingRecipe.model_fields.items()}
    same = [name for name, value in CHANGED if value == defaults[name]]
    assert same == []
    for predicts, unused in (("epsilon", ONLY_FLOW), ("flow", NEVER_FLOW)):
        told = header_of(CHANGED, predicts)
        for name, value in CHANGED:
            assert KEYS[name] in told, name
            if name not in unused:
                assert header_settings.read(told, SETTINGS)[name] == value, name
        assert set(header_settings.read(told, SETTINGS)) == set(TrainingRecipe.model_fields) - unused


def test_what_a_training_did_not_use_is_not_told():
    told = header_of(RECIPE)
    for name in ("text_encoder_lr", "class_prompt", "prior_loss_weight", "timestep_sampling", "timestep_shift"):
        assert told[KEYS[name]] == "None"
    assert {"text_encoder_lr", "class_prompt", "num_class_images"}.isdisjoint(header_settings.read(told, SETTINGS))


def test_the_passport_tells_the_settings(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_file.to_bytes(TENSORS, header_of(CHANGED)))
    passport = inspecting.of_file(path)
    assert passport.settings == header_settings.read(header_of(CHANGED), SETTINGS)
    assert passport.settings["sample_prompts"] == CHANGED.sample_prompts
    assert passport.made_with == "Livery"


def test_a_file_of_sd_scripts_tells_what_it_has_words_for():
    told = {
        "ss_network_dim": "32", "ss_learning_rate": "0.0001", "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit",
        "ss_lr_scheduler": "cosine_with_restarts", "ss_resolution": "(1024, 1024)", "ss_noise_offset": "None",
        "ss_seed": "42", "ss_flip_aug": "False", "ss_timestep_sampling": "sigmoid", "ss_num_reg_images": "0",
    }  # fmt: skip
    assert header_settings.read(told, SETTINGS) == {
        "rank": 32, "learning_rate": 0.0001, "optimizer": "adamw_8bit", "resolution": 1024, "seed": 42, "flip": False,
        "timestep_sampling": "logit_normal", "timestep_shift": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "architecture", "word", "number"),
    [
        ({}, "flux-1-dev", "flux_shift", "None"),
        ({}, "flux-1-schnell", "sigmoid", "None"),
        ({"timestep_shift": 3.0}, "flux-1-dev", "shift", "3.0"),
        ({"timestep_shift": 1.0}, "flux-1-dev", "sigmoid", "1.0"),
        ({"timestep_sampling": "uniform"}, "flux-1-dev", "uniform_shift", "None"),
        ({"timestep_sampling": "uniform", "timestep_shift": 1.0}, "flux-2-klein", "uniform", "1.0"),
    ],
)
def test_noise_levels_are_told_in_the_words_that_draw_the_same(changes, architecture, word, number):
    """In sd-scripts "sigmoid" and "uniform" shift nothing, whatever number stands beside them."""
    recipe = TrainingRecipe.model_validate(RECIPE.model_dump() | changes)
    base = metadata.BaseModelFacts("x", architecture, "flux1", "flow", "flux_1")
    settings = recipe.used(is_flow=True)
    told = metadata.header(
        replace(FACTS, base=base, training=replace(FACTS.training, settings=settings)), TENSORS, clean=False
    )
    assert (told["ss_timestep_sampling"], told["ss_discrete_flow_shift"]) == (word, number)
    read = header_settings.read(told, SETTINGS)
    assert read["timestep_sampling"] == recipe.timestep_sampling
    assert read.get("timestep_shift") == recipe.timestep_shift
    assert (told["ss_guidance_scale"], told["ss_model_prediction_type"]) == ("1.0", "raw")
    assert told["ss_weighting_scheme"] == "none"


def test_a_file_of_sd_scripts_says_a_shift_that_it_did_not_use():
    for word, shift in (("sigmoid", 1.0), ("uniform", 1.0), ("shift", 3.0), ("flux_shift", None)):
        read = header_settings.read({"ss_timestep_sampling": word, "ss_discrete_flow_shift": "3.0"}, SETTINGS)
        assert read.get("timestep_shift") == shift, word
    old = {"ss_timestep_sampling": "sigmoid", "ss_discrete_flow_shift": "2.5", "livery.alpha": "4.0"}
    assert header_settings.read(old, SETTINGS)["timestep_shift"] == 2.5, "an older Livery shifted"


def test_whose_names_the_layers_bear_is_told():
    """As in sd-scripts: the makers' address where the layers are called as in their code."""
    for family, name, said in (
        ("stable_diffusion_xl", "lora_unet_input_blocks_4_1_proj_in.lora_down.weight", "Stability-AI"),
        ("stable_diffusion_xl", "unet.down_blocks.1.attentions.0.proj_in.lora_A.weight", "diffusers"),
        ("stable_diffusion_1", "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "diffusers"),
        ("flux_1", "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", "black-forest-labs/flux"),
        ("flux_1", "transformer.transformer_blocks.0.attn.to_q.lora_A.weight", "diffusers"),
        ("flux_2", "diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight", "black-forest-labs/flux2"),
        ("z_image", "diffusion_model.layers.0.attention.to_q.lora_A.weight", "diffusers"),
    ):
        assert metadata.implementation_of([name], family).endswith(said) or said in metadata.implementation_of(
            [name], family
        )


def test_the_standards_musts_are_there_without_a_training():
    header = metadata.header(replace(FACTS, training=None), TENSORS, clean=True)
    for key in ("sai_model_spec", "architecture", "implementation", "title", "resolution"):
        assert header[f"modelspec.{key}"], key
    assert metadata.resolution_of({}, "flux_1") == "1024x1024"
    assert metadata.resolution_of({"ss_resolution": "(768, 512)"}, "flux_1") == "768x512"
    assert metadata.resolution_of({"ss_resolution": "640"}, "stable_diffusion_1") == "640x640"


def test_what_programs_show_of_buckets_is_there():
    header = metadata.header(FACTS, TENSORS, clean=False)
    assert (header["ss_min_bucket_reso"], header["ss_max_bucket_reso"]) == ("384", "640")
    assert (header["ss_num_batches_per_epoch"], header["ss_zero_terminal_snr"]) == ("2", "False")
    base = replace(metadata.BUILTIN, prediction_type="v_prediction")
    assert metadata.header(replace(FACTS, base=base), TENSORS, clean=False)["ss_zero_terminal_snr"] == "True"


@pytest.mark.parametrize("text", ["", "nan", "[" * 100_000, "9" * 5000, '{"a": 1}', "[[1]]", "\0", "-1", "1e999"])
def test_settings_that_make_no_sense_are_left_out(text):
    settings = header_settings.read(dict.fromkeys(KEYS.values(), text), SETTINGS)
    words = {"base_model", "trigger_word", "class_prompt"}
    assert set(settings) <= words and all(len(value) <= 300 for value in settings.values())
