import json
from datetime import UTC, datetime

import numpy as np
import pytest

from app.adapters import dialects, export, metadata, safetensors_file
from app.adapters.metadata import AdapterFacts
from app.adapters.safetensors_file import float32_tensor

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


def test_a_file_in_a_dialect_that_is_not_read_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_file.to_bytes({"diffusion_model.x.lora_A.weight": float32_tensor([1.0])}, {}))
    with pytest.raises(dialects.UnknownDialect, match=r"diffusion_model\.x"):
        export.canonical(path)
