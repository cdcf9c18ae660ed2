import dataclasses
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from app.adapters import dialects, export, metadata, safetensors_file
from app.adapters.metadata import AdapterFacts
from app.adapters.safetensors_file import float32_tensor
from tests.app.adapters.deltas import MODULES, assert_same, random_lora

MODULE = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
FACTS = AdapterFacts("brand", "Brand", metadata.BUILTIN, 2, 3.0, "brandx", datetime(2026, 11, 24, tzinfo=UTC))


@pytest.fixture
def source(tmp_path):
    tensors = {
        f"{MODULE}.lora_A.weight": float32_tensor(np.arange(6).reshape(2, 3)),
        f"{MODULE}.lora_B.weight": float32_tensor(np.arange(8).reshape(4, 2)),
    }
    lora = dialects.Lora(tensors, {MODULE: 3.0})
    path = tmp_path / "source.safetensors"
    path.write_bytes(safetensors_file.to_bytes(tensors, dialects.canonical_header(lora)))
    return path


def test_both_files_hold_the_numbers_of_the_source(source, tmp_path):
    original = export.canonical(source)
    for write in (export.diffusers_file, export.kohya_file):
        written = write(source, tmp_path / "out.safetensors", FACTS)
        assert export.canonical(written.path) == original
        assert written.byte_count == written.path.stat().st_size
        header = safetensors_file.read_header(written.path).metadata
        assert written.model_hash == header["sshs_model_hash"]
        assert header["modelspec.architecture"] == "livery-builtin/lora"


def test_only_diffusers_file_needs_the_alpha_in_its_header(source, tmp_path):
    diffusers = export.diffusers_file(source, tmp_path / "d.safetensors", FACTS, clean=True)
    content = json.loads(safetensors_file.read_header(diffusers.path).metadata["lora_adapter_metadata"])
    assert (content["unet.r"], content["unet.lora_alpha"]) == (2, 3.0)
    kohya = export.kohya_file(source, tmp_path / "k.safetensors", FACTS, clean=True)
    assert "lora_adapter_metadata" not in safetensors_file.read_header(kohya.path).metadata


def test_the_same_export_is_the_same_file(source, tmp_path):
    first = export.kohya_file(source, tmp_path / "a.safetensors", FACTS)
    second = export.kohya_file(source, tmp_path / "b.safetensors", FACTS)
    assert first.sha256 == second.sha256 and first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize("architecture", MODULES)
def test_a_foreign_file_keeps_its_words_in_another_dialect(architecture, tmp_path):
    first, *others = dialects.dialects_for(architecture)
    lora = random_lora(MODULES[architecture], architecture, alpha=2.0)
    said = {"ss_tag_frequency": "{}", "ss_output_name": "theirs", "modelspec.trigger_phrase": "brandx", "mine": "yes"}
    source = tmp_path / "source.safetensors"
    source.write_bytes(safetensors_file.to_bytes(dialects.write(lora, first)[0], said | {"sshs_model_hash": "old"}))
    for dialect in others:
        written = export.converted(source, tmp_path / "there.safetensors", dialect, name="ours")
        assert_same(export.canonical(written.path), lora)
        tensors, header = safetensors_file.read(written.path)
        assert said.items() <= header.items()
        assert header["sshs_model_hash"] == safetensors_file.hash_of_tensors(tensors)
        assert header["modelspec.architecture"].endswith("/lora")
        assert ("lora_adapter_metadata" in header) == (dialect == "canonical")
        clean = export.converted(source, tmp_path / "clean.safetensors", dialect, name="ours", clean=True)
        header = safetensors_file.read_header(clean.path).metadata
        assert "ss_tag_frequency" not in header and "mine" not in header
        assert header["modelspec.trigger_phrase"] == "brandx"


def test_the_other_programs_file_is_in_the_dialect_that_they_know(tmp_path):
    for architecture, sign in (("flux_1", "lora_unet_double_blocks_0_img_attn_qkv"), ("flux_2", "diffusion_model.")):
        lora = random_lora(MODULES[architecture], architecture)
        source = tmp_path / "source.safetensors"
        source.write_bytes(safetensors_file.to_bytes(*dialects.write(lora, "canonical")))
        facts = dataclasses.replace(FACTS, base=metadata.BaseModelFacts("F", "f", "f", "flow", architecture))
        written = export.kohya_file(source, tmp_path / "out.safetensors", facts)
        assert any(name.startswith(sign) for name in safetensors_file.read_header(written.path).tensors)
        assert_same(export.canonical(written.path), lora)


def test_a_file_in_a_dialect_that_is_not_read_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_file.to_bytes({"diffusion_model.x.lora_A.weight": float32_tensor([1.0])}, {}))
    with pytest.raises(dialects.UnknownDialect, match="which base model"):
        export.canonical(path)
