import dataclasses
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from app.lora_files import export, key_formats, metadata, safetensors_file
from app.lora_files.keys.bases import UnknownBase
from app.lora_files.metadata import AdapterFacts
from app.lora_files.safetensors_file import float32_tensor
from tests.app.lora_files.deltas import MODULES, assert_same, random_lora

MODULE = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
FACTS = AdapterFacts("brand", "Brand", metadata.BUILTIN, 2, 3.0, "brandx", datetime(2026, 11, 24, tzinfo=UTC))


@pytest.fixture
def source(tmp_path):
    tensors = {
        f"{MODULE}.lora_A.weight": float32_tensor(np.arange(6).reshape(2, 3)),
        f"{MODULE}.lora_B.weight": float32_tensor(np.arange(8).reshape(4, 2)),
    }
    lora = key_formats.Lora(tensors, {MODULE: 3.0})
    path = tmp_path / "source.safetensors"
    path.write_bytes(safetensors_file.to_bytes(tensors, key_formats.diffusers_header(lora)))
    return path


def test_both_files_change_each_weight_as_the_source_does(source, tmp_path):
    original = export.read(source)
    for write in (export.diffusers_file, export.kohya_file):
        written = write(source, tmp_path / "out.safetensors", FACTS)
        assert_same(export.read(written.path), original, within=0)
        assert written.byte_count == written.path.stat().st_size
        header = safetensors_file.read_header(written.path).metadata
        assert written.model_hash == header["sshs_model_hash"]
        assert header["modelspec.architecture"] == "livery-builtin/lora"


def test_diffusers_file_has_its_strength_in_the_numbers_and_its_header_says_so(source, tmp_path):
    """Programs that read no header would else draw it by alpha / rank too strong or too weak."""
    diffusers = export.diffusers_file(source, tmp_path / "d.safetensors", FACTS, clean=True)
    tensors, header = safetensors_file.read(diffusers.path)
    content = json.loads(header["lora_adapter_metadata"])
    assert (content["unet.r"], content["unet.lora_alpha"], content["unet.alpha_pattern"]) == (2, 2.0, {})
    assert header["ss_network_alpha"] == "2.0"
    del header["lora_adapter_metadata"]
    assert_same(key_formats.read(tensors, header), export.read(source), within=0)
    kohya = export.kohya_file(source, tmp_path / "k.safetensors", FACTS, clean=True)
    header = safetensors_file.read_header(kohya.path).metadata
    assert "lora_adapter_metadata" not in header and header["ss_network_alpha"] == "3.0"


@pytest.mark.parametrize("architecture", MODULES)
@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_strength_goes_into_the_numbers_without_loss(architecture, dtype):
    """alpha 3 and ranks of 4 and 2: three quarters of a half-precision number are no half-precision number."""
    modules = {name: shape for name, shape in MODULES[architecture].items() if name != "transformer.norm_out.linear"}
    lora = random_lora(modules, architecture, rank=lambda n: (4, 2)[n % 2], alpha=3.0, dora=True)
    lora = dataclasses.replace(lora, tensors={name: rounded(one, dtype) for name, one in lora.tensors.items()})
    tensors, header = key_formats.write(lora, "canonical")
    plain = key_formats.read(tensors, {}, architecture)
    assert plain.alphas == key_formats.read(tensors, header, architecture).alphas
    assert all(alpha == plain.ranks[module] for module, alpha in plain.alphas.items())
    assert_same(plain, lora, within=1e-7)
    # Twice as much is exact in any kind of number, and the file grows by nothing.
    twice = dataclasses.replace(lora, alphas={module: 2.0 * rank for module, rank in lora.ranks.items()})
    assert {one.dtype for one in key_formats.write(twice, "canonical")[0].values()} == {dtype}


def rounded(tensor, dtype):
    values = np.ascontiguousarray(tensor.as_float32())
    if dtype == "BF16":
        return safetensors_file.Tensor("BF16", tensor.shape, (values.view("<u4") >> 16).astype("<u2").tobytes())
    kept = values.astype("<f2" if dtype == "F16" else "<f4")
    return safetensors_file.Tensor(dtype, tensor.shape, kept.tobytes())


def test_a_file_of_an_older_livery_is_read_at_its_strength(source, tmp_path):
    """Its numbers are what training left, and the header says alpha."""
    lora = export.read(source)
    assert lora.alphas == {MODULE: 3.0}
    export.for_engines(source, tmp_path / "new.safetensors", name="x")
    assert_same(export.read(tmp_path / "new.safetensors"), lora, within=0)


def test_the_same_export_is_the_same_file(source, tmp_path):
    first = export.kohya_file(source, tmp_path / "a.safetensors", FACTS)
    second = export.kohya_file(source, tmp_path / "b.safetensors", FACTS)
    assert first.sha256 == second.sha256 and first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize("architecture", MODULES)
def test_a_foreign_file_keeps_its_words_in_another_dialect(architecture, tmp_path):
    first, *others = key_formats.key_formats_for(architecture)
    lora = random_lora(MODULES[architecture], architecture, alpha=2.0)
    said = {"ss_tag_frequency": "{}", "ss_output_name": "theirs", "modelspec.trigger_phrase": "brandx", "mine": "yes"}
    source = tmp_path / "source.safetensors"
    source.write_bytes(safetensors_file.to_bytes(key_formats.write(lora, first)[0], said | {"sshs_model_hash": "old"}))
    for dialect in others:
        written = export.converted(source, tmp_path / "there.safetensors", dialect, name="ours")
        assert_same(export.read(written.path), lora)
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
        source.write_bytes(safetensors_file.to_bytes(*key_formats.write(lora, "canonical")))
        facts = dataclasses.replace(FACTS, base=metadata.BaseModelFacts("F", "f", "f", "flow", architecture))
        written = export.kohya_file(source, tmp_path / "out.safetensors", facts)
        assert any(name.startswith(sign) for name in safetensors_file.read_header(written.path).tensors)
        assert_same(export.read(written.path), lora)


def test_a_file_in_a_dialect_that_is_not_read_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_file.to_bytes({"diffusion_model.x.lora_A.weight": float32_tensor([1.0])}, {}))
    with pytest.raises(UnknownBase):
        export.read(path)
