"""The passport: from the header and the alphas alone, and never an exception for what somebody made up."""

import hashlib
import io
import json
import random
import struct

import numpy as np
import pytest

from app.adapters import inspecting
from app.lora_files import inspection, key_formats, safetensors_file
from app.lora_files.safetensors_file import UnsafeFile, float32_tensor
from tests.app.lora_files.deltas import MODULES, SD_1, random_lora

SAID = {
    "ss_tag_frequency": json.dumps({"10_brandx": {"brandx": 12, "blue jar": 7}, "1_more": {"brandx": 3}}),
    "ss_sd_model_name": "v1-5-pruned.safetensors",
    "ss_base_model_version": "sd_v1",
    "modelspec.trigger_phrase": "brandx",
    "modelspec.title": "Brand",
    "modelspec.author": "Design team",
    "software": json.dumps({"name": "ai-toolkit", "version": "0.7"}),
}


def kohya(**changes):
    lora = random_lora(SD_1, "stable_diffusion_1", rank=4, alpha=lambda n: 2.0 if n else 8.0)
    return key_formats.to_kohya(lora, "stable_diffusion_1") | changes


def looked_at(tensors, metadata):
    content = safetensors_file.to_bytes(tensors, metadata)
    header = safetensors_file.header_of(io.BytesIO(content), len(content))
    alphas = b"".join(
        content[header.data_start + place.start : header.data_start + place.end]
        for _, place in inspection.alpha_places(header)
    )
    # All that is given is the header; the rest of the file stays where it is.
    return inspecting.of_beginning(io.BytesIO(content[: header.data_start]), len(content), alphas)


def test_everything_but_the_hashes_is_in_the_beginning(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_file.to_bytes(kohya(), SAID))
    whole, quick = inspecting.of_file(path), looked_at(kohya(), SAID)
    assert quick == whole.model_copy(update={"hashes": quick.hashes})
    assert (quick.dialect, quick.base_name, quick.base_told) == (
        "kohya",
        "Stable Diffusion 1.5",
        "v1-5-pruned.safetensors",
    )
    assert (quick.trigger_words, quick.made_with, quick.author) == (["brandx"], "ai-toolkit 0.7", "Design team")
    assert quick.tags == [("brandx", 15), ("blue jar", 7)]
    assert quick.tells_about_pictures
    u_net, text = quick.parts
    assert (u_net.component, u_net.layers, u_net.ranks, u_net.alphas) == ("unet", 6, [(4, 6)], [(2.0, 5), (8.0, 1)])
    assert (text.component, text.kinds, text.dtypes) == ("text_encoder", ["LoRA"], ["F32"])
    assert whole.hashes.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert whole.hashes.model == safetensors_file.hash_of_tensors(kohya())


def test_a_file_of_200_mb_is_known_by_the_few_bytes_that_count():
    """The tensors are claimed and not there: a reader that wanted them would fail."""
    lora = random_lora(
        {f"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn{n}.to_q": (8, 8) for n in (1, 2)},
        "stable_diffusion_1",
    )
    header, at = {}, 0
    for module in lora.alphas:
        for name, shape in (("lora_A", [4, 6_250_000]), ("lora_B", [6_250_000, 4])):
            end = at + 2 * shape[0] * shape[1]
            header[f"{module}.{name}.weight"] = {"dtype": "F16", "shape": shape, "data_offsets": [at, end]}
            at = end
    text = json.dumps(header).encode()
    beginning = struct.pack("<Q", len(text)) + text
    passport = inspecting.of_beginning(io.BytesIO(beginning), len(beginning) + at, b"")
    assert passport.byte_count > 200_000_000
    assert passport.parts[0].ranks == [(4, 2)]


def test_each_program_says_how_many_keys_it_loads():
    fits = {fit.program: fit for fit in looked_at(kohya(), SAID).programs}
    assert set(fits) == {"comfyui", "a1111", "forge", "diffusers", "kohya", "invokeai"}
    assert all(fit.loaded == fit.total == 14 for fit in fits.values())


def test_diffusers_names_are_not_what_comfyui_and_a1111_look_for():
    lora = random_lora(SD_1, "stable_diffusion_1")
    fits = {fit.program: fit for fit in looked_at(*key_formats.write(lora, "canonical")).programs}
    assert fits["diffusers"].loaded == 14
    assert fits["a1111"].loaded == 0
    assert 0 < fits["comfyui"].loaded < 14, "attention has a processor in its path there"


def test_a_file_whose_alpha_is_not_read_says_how_much_too_strong_it_would_be():
    modules = {name: shape for name, shape in MODULES["flux_1"].items() if "text_encoder_2" not in name}
    lora = random_lora(modules, "flux_1", rank=4, alpha=1.0)
    programs = looked_at(lora.tensors, key_formats.diffusers_header(lora)).programs
    fit = next(fit for fit in programs if fit.program == "comfyui")
    assert fit.loaded == fit.total and fit.params == {"factor": "4"} and "alpha" in fit.reason
    # What Livery writes has it in the numbers.
    programs = looked_at(*key_formats.write(lora, "canonical")).programs
    fit = next(fit for fit in programs if fit.program == "comfyui")
    assert fit.loaded == fit.total and not fit.reason


def test_what_is_no_lora_says_its_first_name():
    passport = looked_at({"model.diffusion_model.x.weight": float32_tensor(np.ones(3))}, {})
    assert passport.unknown_name == "model.diffusion_model.x.weight"
    assert passport.programs == [] and passport.dialects == []


def test_a_language_models_adapter_has_a_passport_without_alphas():
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    passport = looked_at(
        {
            f"{name}.lora_A.weight": float32_tensor(np.ones((2, 8))),
            f"{name}.lora_B.weight": float32_tensor(np.ones((8, 2))),
        },
        {},
    )
    assert (passport.modality, passport.dialect_name) == ("text", "PEFT")
    assert passport.parts[0].alphas is None
    assert "adapter_config.json" in passport.programs[0].reason


def test_only_dialects_that_have_a_place_for_it_are_offered():
    name = "lora_unet_input_blocks_4_1_proj_in"
    lokr = {f"{name}.lokr_w1": float32_tensor(np.ones((2, 2))), f"{name}.lokr_w2": float32_tensor(np.ones((2, 2)))}
    assert looked_at(lokr, {}).dialects == ["kohya"]
    assert looked_at(kohya(), {}).dialects == ["kohya", "canonical", "diffusers_old"]


def test_numbers_that_are_none_do_not_reach_json():
    tensors = kohya()
    name = next(name for name in tensors if name.endswith(".alpha"))
    passport = looked_at(tensors | {name: float32_tensor(float("nan"))}, {"ss_tag_frequency": '{"a": {"b": NaN}}'})
    assert json.loads(passport.model_dump_json())
    assert passport.tags == []


STRANGE_WORDS = {
    "ss_tag_frequency": [
        "[]",
        "{}",
        "null",
        '{"a": 1}',
        '{"a": {"b": "c"}}',
        '{"a": {"b": -1}}',
        "[" * 100_000,
        "\ud7ff" * 9,
    ],
    "modelspec.trigger_phrase": ["", "None", "[1, {}]", "x" * 100_000, "\n\n"],
    "software": ["[]", '{"name": {}}', "{"],
    "lora_adapter_metadata": ["[]", "{", '{"r": 1}', '{"unet.lora_alpha": "x"}', '{"unet.alpha_pattern": []}', "null"],
    "sshs_model_hash": ["<script>", "zz", "A" * 1000],
}


@pytest.mark.parametrize("key", STRANGE_WORDS)
def test_strange_words_in_a_header_do_no_harm(key):
    lora = random_lora(SD_1, "stable_diffusion_1")
    for tensors in (kohya(), lora.tensors):
        for value in STRANGE_WORDS[key]:
            passport = looked_at(tensors, {key: value})
            assert len(passport.model_dump_json()) < 200_000


@pytest.mark.slow
def test_a_thousand_damaged_files_get_a_sentence_or_a_passport(tmp_path):
    """Bytes of a real header changed at random: whatever comes of it, it is no crash."""
    chance = random.Random(7)
    original = safetensors_file.to_bytes(kohya(), SAID)
    length = struct.unpack("<Q", original[:8])[0] + 8
    path = tmp_path / "a.safetensors"
    outcomes = {"read": 0, "refused": 0}
    for _ in range(1000):
        damaged = bytearray(original)
        for _ in range(chance.randint(1, 3)):
            # Digits for digits, half of the time: then it is still JSON, and the numbers lie.
            digits = [at for at in range(8, length) if chr(damaged[at]).isdigit()]
            if chance.random() < 0.5:
                damaged[chance.choice(digits)] = ord(chance.choice("0123456789"))
            else:
                damaged[chance.randrange(length)] = chance.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            inspecting.of_file(path).model_dump_json()
            key_formats.read(*safetensors_file.read(path))
            outcomes["read"] += 1
        except (UnsafeFile, key_formats.UnknownKeyFormat) as refused:
            assert str(refused)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10, outcomes


@pytest.mark.parametrize(
    ("header", "suggested"),
    [
        ({"ss_dataset_dirs": {"10_zxc woman": {"n_repeats": 10, "img_count": 20}}}, ["zxc woman"]),
        ({"ss_tag_frequency": {"5_my_jar": {"blue": 7, "jar": 20}}}, ["my jar", "jar"]),
        ({"ss_tag_frequency": {"img": {"zxc": 20, "woman": 3}}}, ["zxc"]),
        ({"ss_tag_frequency": {"1_images": {"only once": 1}}}, []),
        ({"ss_dataset_dirs": {"10_zxc": {}}, "ss_tag_frequency": {"10_zxc": {"zxc": 4}}}, ["zxc"]),
        ({"ss_dataset_dirs": ["10_zxc"], "ss_tag_frequency": {"10_": 3}}, []),
        ({"ss_tag_frequency": {f"1_{'x' * 100}": {"y" * 100: 3}}}, []),
    ],
)
def test_words_are_suggested_where_the_header_names_none(header, suggested):
    told = {key: json.dumps(value) for key, value in header.items()}
    passport = looked_at(kohya(), told)
    assert (passport.trigger_words, passport.suggested_words) == ([], suggested)
    named = looked_at(kohya(), told | {"modelspec.trigger_phrase": "brandx"})
    assert (named.trigger_words, named.suggested_words) == (["brandx"], [])
