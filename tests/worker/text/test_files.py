"""Voices as files of other programs: the numbers in them are those that were learned, in the order they are read."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.worker.text import tiny
from worker.engines.contracts import AdapterFile, Base, EngineError
from worker.engines.text import base as bases
from worker.engines.text import causal_lm, files

SHIPPED = Base("smollm2-135m-instruct", "causal_lm", "builtin")
PROBE = torch.tensor([[5, 60, 61, 62, 9, 70, 8]])


@pytest.fixture(scope="module")
def trained(model: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = tiny.voice_recipe(epochs=1, learning_rate=0.05)
    return causal_lm.train(recipe, tiny.voice_inputs(model), tmp_path_factory.mktemp("trained"), tiny.Notes()).weights


def logits(base: Base, adapter: Path | None) -> torch.Tensor:
    loaded = bases.load(base)
    bases.use_adapter(loaded, AdapterFile(str(adapter), adapter, 1.0) if adapter else None)
    with torch.no_grad():
        return loaded.model(input_ids=PROBE).logits


def test_the_adapter_for_llama_cpp_names_layers_as_that_program_does(model: Base, trained: Path, folder: Path) -> None:
    written = files.gguf_adapter(model, trained, folder / "adapter.gguf")
    assert written is not None
    reader = gguf.GGUFReader(written)
    facts = {name: field.contents() for name, field in reader.fields.items()}
    assert facts["general.type"] == "adapter" and facts["general.architecture"] == "llama"
    assert facts["adapter.type"] == "lora" and facts["adapter.lora.alpha"] == 32.0
    named = {tensor.name: tensor for tensor in reader.tensors}
    assert len(named) == 2 * 7 * 2  # layers, kinds of layer, halves
    tensors, _ = bases.read_adapter(trained)
    down = named["blk.1.ffn_up.weight.lora_a"]
    assert list(down.shape) == [64, 8], "innermost first: what goes in, then the rank"
    assert np.array_equal(down.data, tensors["base_model.model.model.layers.1.mlp.up_proj.lora_A.weight"].numpy())
    up = tensors["base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"].numpy()
    theirs = named["blk.0.attn_q.weight.lora_b"].data
    # Four heads of 16: each head's first half and second half become pairs.
    assert np.array_equal(theirs[0], up[0]) and np.array_equal(theirs[1], up[8]) and np.array_equal(theirs[16], up[16])


def test_merged_it_is_one_model_that_says_the_same(model: Base, trained: Path, folder: Path) -> None:
    with_adapter, bare = logits(model, trained), logits(model, None)
    bases.drop_loaded()
    files.merged_folder(model, trained, folder / "merged")
    merged = AutoModelForCausalLM.from_pretrained(folder / "merged", dtype=torch.float32)(input_ids=PROBE).logits
    distance = (merged - with_adapter).abs().max() / (with_adapter - bare).abs().max()
    assert distance < 0.02, "float16 is all that is lost"
    assert (folder / "merged" / "tokenizer.json").is_file()


def test_a_base_that_is_not_packed_gives_no_packed_model(model: Base, trained: Path, folder: Path) -> None:
    with pytest.raises(EngineError, match=r"llama\.cpp"):
        files.merged_gguf(model, trained, folder / "merged.gguf")


@pytest.mark.slow
def test_merged_into_the_packed_model_that_comes_along_it_says_the_same(folder: Path) -> None:
    loaded = bases.load(SHIPPED)
    recipe = tiny.voice_recipe(base_model=SHIPPED.key, target_modules="attention", rank=4, alpha=8)
    generator = torch.Generator().manual_seed(0)
    causal_lm.lora.inject(loaded.model, recipe, generator)
    tensors = {
        name: torch.randn(tensor.shape, generator=generator) * 0.05
        for name, tensor in causal_lm.lora.state(loaded.model).items()
    }
    bases.forget_adapters(loaded)
    weights = folder / "adapter.safetensors"
    causal_lm.lora.save(tensors, causal_lm.lora.configuration(recipe, "x"), weights)
    with_adapter, bare = logits(SHIPPED, weights), logits(SHIPPED, None)
    bases.drop_loaded()
    packed = folder / "packed"
    packed.mkdir()
    files.merged_gguf(SHIPPED, weights, packed / "merged.gguf")
    merged = logits(Base("merged", "causal_lm", str(packed)), None)
    assert (merged - with_adapter).abs().max() < 0.02 * (with_adapter - bare).abs().max()
