"""Kinds of adapters: what is left out is counted, what is promised was tried, and ai-toolkit's DoRA is one."""

import dataclasses
import io

import numpy as np
import pytest

from app.lora_files import export, inspection, key_formats, safetensors_file
from app.lora_files.keys.weights import MAGNITUDE
from app.lora_files.safetensors_file import float32_tensor
from tests.app.lora_files.deltas import MODULES, SD_1, SDXL, assert_same, random_lora

LORA = random_lora(SD_1, "stable_diffusion_1")
KOHYA = key_formats.to_kohya(LORA, "stable_diffusion_1")


def passport_of(tensors, metadata=None):
    content = safetensors_file.to_bytes(tensors, metadata or {})
    header = safetensors_file.header_of(io.BytesIO(content), len(content))
    return inspection.of_header(header, len(content), {}, {})


def test_norms_and_biases_are_left_out_and_counted(tmp_path):
    """As LyCORIS's ``train_norm`` writes them beside the layers, and OneTrainer its embeddings."""
    name = "lora_unet_down_blocks_0_attentions_0_norm"
    more = {
        f"{name}.w_norm": float32_tensor(np.ones(8)),
        f"{name}.b_norm": float32_tensor(np.ones(8)),
        "lora_unet_mid_block_attentions_0_proj_in.diff_b": float32_tensor(np.ones(8)),
        "bundle_emb.word.clip_l": float32_tensor(np.ones((2, 8))),
    }
    passport = passport_of(KOHYA | more)
    assert (passport.left_out, passport.unknown_name, passport.dialect) == (4, None, "kohya")
    assert passport.dialects == ["kohya", "canonical", "diffusers_old"] and passport.can_be_drawn
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_file.to_bytes(KOHYA | more, {}))
    export.converted(path, tmp_path / "b.safetensors", "canonical", name="x")
    assert_same(export.read(tmp_path / "b.safetensors"), LORA)


def test_ai_toolkits_lengths_are_those_of_rows():
    dora = random_lora(MODULES["flux_1"], "flux_1", rank=4, alpha=4.0, dora=True)
    dora = dataclasses.replace(dora, alphas={name: 4.0 for name in dora.alphas if name.startswith("transformer.")})
    tensors = {
        name.replace("lora_magnitude_vector", "magnitude"): tensor
        for name, tensor in dora.tensors.items()
        if name.startswith("transformer.")
    }
    read = key_formats.read(tensors, {})
    assert {name for name in read.tensors if name.endswith(MAGNITUDE)}
    assert read.tensors == {name: tensor for name, tensor in dora.tensors.items() if name.startswith("transformer.")}
    passport = passport_of(tensors)
    assert passport.parts[0].kinds == ["DoRA"] and "canonical" in passport.dialects


def lokr(*names):
    parts = {"lokr_w1": float32_tensor(np.ones((3, 3))), "lokr_w2": float32_tensor(np.ones((4, 4)))}
    return {f"lycoris_{name}.{part}": tensor for name in names for part, tensor in parts.items()}


SPLIT = tuple(f"transformer_blocks_0_attn_to_{one}" for one in ("q", "k", "v"))
COLUMNS = {
    f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.{part}": float32_tensor(np.ones(shape))
    for part, shape in {"lora_down.weight": (2, 8), "lora_up.weight": (8, 2), "dora_scale": (1, 8)}.items()
}
TRIED = {
    # SimpleTuner's LoKr: what other programs hold as one layer cannot be put together of products.
    "LoKr of split layers": (lokr(*SPLIT), [], True),
    "LoKr of layers that nobody fuses": (lokr("transformer_blocks_0_attn_to_out_0"), ["kohya", "comfyui"], True),
    "DoRA of columns": (COLUMNS, ["kohya"], True),
    "DoRA of a part of a fused layer": (
        random_lora({"transformer.transformer_blocks.0.attn.to_q": (12, 12)}, "flux_1", dora=True).tensors
        | random_lora({"transformer.single_transformer_blocks.0.proj_mlp": (48, 12)}, "flux_1").tensors,
        ["canonical"],
        True,
    ),
    "a layer that the original does not have": (
        random_lora({"transformer.single_transformer_blocks.0.proj_mlp": (48, 12)}, "flux_1").tensors
        | random_lora({"transformer.another_embedder": (12, 12)}, "flux_1").tensors,
        ["canonical"],
        True,
    ),
    "half a layer": ({name: KOHYA[name] for name in KOHYA if "lora_up" not in name}, [], False),
    "T5": (
        random_lora({"text_encoder_2.encoder.block.0.layer.0.SelfAttention.q": (8, 8)}, "flux_1").tensors,
        ["kohya", "canonical", "comfyui"],
        False,
    ),
    "all of SDXL": (
        key_formats.to_kohya(random_lora(SDXL, "stable_diffusion_xl"), "stable_diffusion_xl"),
        ["kohya", "canonical", "diffusers_old"],
        True,
    ),
}


@pytest.mark.parametrize("case", TRIED)
def test_only_what_was_tried_is_offered(tmp_path, case):
    tensors, offered, is_drawn = TRIED[case]
    passport = passport_of(tensors)
    assert (passport.dialects, passport.can_be_drawn) == (offered, is_drawn)
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_file.to_bytes(tensors, {}))
    for dialect in ("kohya", "canonical", "diffusers_old", "comfyui"):
        try:
            export.converted(path, tmp_path / "b.safetensors", dialect, name="x")
        except (export.CannotHold, key_formats.UnknownKeyFormat):
            assert dialect not in offered
        else:
            assert dialect in offered or dialect not in key_formats.key_formats_for(passport.architecture)


def test_a_header_that_claims_much_is_not_tried_at_that_size():
    """The lengths of rows are all that a trial makes in full."""
    claimed = {name: safetensors_file.Place("F32", one.shape, 0, 0) for name, one in COLUMNS.items()}
    name = next(name for name in claimed if name.endswith("dora_scale"))
    claimed[name] = safetensors_file.Place("F32", (1, 2**30), 0, 0)
    passport = inspection.of_header(safetensors_file.Header(claimed, {}, 0), 2**32, {}, {})
    assert passport.dialects == [] and passport.can_be_drawn is False
