"""Voices as files of other programs: the numbers in them are those that were learned, in the order they are read."""

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.worker.text import tiny
from worker.engines.contracts import AdapterFile, Base, EngineError
from worker.engines.text import base as bases
from worker.engines.text import causal_lm, files, lora, merging

pytestmark = pytest.mark.slow

SHIPPED = Base("smollm2-135m-instruct", "causal_lm", "builtin")
PROBE = torch.tensor([[5, 60, 61, 62, 9, 70, 8]])


@pytest.fixture(scope="module")
def trained(model: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = tiny.voice_recipe(epochs=1, learning_rate=0.05)
    return causal_lm.train(recipe, tiny.voice_inputs(model), tmp_path_factory.mktemp("trained"), tiny.Notes()).weights


def logits(base: Base, adapter: Path | None, cache: Path | None = None) -> torch.Tensor:
    loaded = bases.load(base, cache=cache)
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


def distance(merged: torch.Tensor, with_adapter: torch.Tensor, bare: torch.Tensor) -> float:
    """How far off it is, in parts of what the adapter changes."""
    return float((merged - with_adapter).abs().max() / (with_adapter - bare).abs().max())


def reconfigured(weights: Path, target: Path, **changes: object) -> Path:
    """The same numbers with another configuration."""
    tensors, facts = bases.read_adapter(weights)
    save_file(tensors, target, metadata={bases.CONFIGURATION: json.dumps(facts | changes)})
    return target


def header_of(file: gguf.GGUFReader) -> dict[str, object]:
    """Architecture, vocabulary and all else that a file says of itself but its name and kind of numbers."""
    own = ("general.name", "general.file_type", "general.quantization_version")
    return {
        name: field.contents()
        for name, field in file.fields.items()
        if name not in own and not name.startswith("GGUF.")
    }


def packed_by_hand(base: Base, folder: Path) -> Base:
    """The tiny model as a GGUF file, such as other programs write it; its tokenizer lies beside it."""
    model = AutoModelForCausalLM.from_pretrained(base.source, dtype=torch.float32)
    configuration, folder = model.config, folder / "packed"
    folder.mkdir()
    writer = gguf.GGUFWriter(folder / "tiny.gguf", "llama")
    writer.add_name("Tiny")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_chat_template(tiny.TEMPLATE)
    writer.add_block_count(configuration.num_hidden_layers)
    writer.add_context_length(512)
    writer.add_embedding_length(configuration.hidden_size)
    writer.add_feed_forward_length(configuration.intermediate_size)
    writer.add_head_count(configuration.num_attention_heads)
    writer.add_head_count_kv(configuration.num_key_value_heads)
    writer.add_layer_norm_rms_eps(configuration.rms_norm_eps)
    writer.add_rope_freq_base(configuration.rope_parameters["rope_theta"])
    writer.add_vocab_size(configuration.vocab_size)
    words = AutoTokenizer.from_pretrained(base.source)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([words.convert_ids_to_tokens(number) for number in range(len(words))])
    writer.add_token_types([3] * 3 + [1] * (len(words) - 3))
    merges = json.loads(words.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, configuration.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":
            layer = name.removesuffix(".weight")
            values = files.in_their_order(tensor.numpy(), layer, "llama", configuration)
            values = values if values.ndim < 2 else values.astype(np.float16)
            writer.add_tensor(f"{names.get_name(layer)}.weight", np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Base("packed", "causal_lm", str(folder))


@pytest.mark.parametrize(
    "changes", [{}, {"use_rslora": True}, {"alpha_pattern": {"q_proj": 4.0}}], ids=["plain", "rslora", "own alphas"]
)
def test_merged_it_is_one_model_that_says_the_same(
    model: Base, trained: Path, folder: Path, changes: dict[str, object]
) -> None:
    weights = reconfigured(trained, folder / "adapter.safetensors", **changes)
    with_adapter, bare = logits(model, weights), logits(model, None)
    bases.drop_loaded()
    told: list[tuple[int, int]] = []
    merging.merged_folder(model, weights, folder / "merged", told=lambda done, total: told.append((done, total)))
    assert told[0][0] == 1 and told[-1] == (len(told), len(told))
    loaded = AutoModelForCausalLM.from_pretrained(folder / "merged")
    assert loaded.dtype == torch.float16, "half the size of the base's float32"
    merged = loaded.float()(input_ids=PROBE).logits
    assert distance(merged, with_adapter, bare) < 0.02, "float16 is all that is lost"
    assert AutoTokenizer.from_pretrained(folder / "merged").chat_template == tiny.TEMPLATE


@pytest.mark.parametrize("changes", [{"use_rslora": True}, {"alpha_pattern": {"q_proj": 4.0}}])
def test_strengths_of_each_layer_reach_llama_cpp(
    model: Base, trained: Path, folder: Path, changes: dict[str, object]
) -> None:
    """That program multiplies every B @ A with alpha / rank, whatever the layer."""
    weights = reconfigured(trained, folder / "adapter.safetensors", **changes)
    written = files.gguf_adapter(model, weights, folder / "adapter.gguf")
    assert written is not None
    named = {tensor.name: tensor.data for tensor in gguf.GGUFReader(written).tensors}
    tensors, facts = bases.read_adapter(weights)
    for layer, theirs in (("self_attn.v_proj", "attn_v"), ("self_attn.q_proj", "attn_q")):
        up = tensors[f"base_model.model.model.layers.0.{layer}.lora_B.weight"].numpy()
        as_peft_does = files.strength(f"model.layers.0.{layer}", 8, facts) * files.in_their_order(
            up, layer, "llama", bases.load(model).model.config
        )
        assert np.allclose(named[f"blk.0.{theirs}.weight.lora_b"] * 32 / 8, as_peft_does, rtol=1e-5)


@pytest.mark.parametrize(("precision", "most"), [("f16", 0.02), ("q8_0", 0.1)])
def test_merged_for_llama_cpp_it_says_the_same(
    model: Base, trained: Path, folder: Path, precision: merging.Precision, most: float
) -> None:
    packed = packed_by_hand(model, folder)
    with_adapter, bare = logits(packed, trained), logits(packed, None)
    bases.drop_loaded()
    merged = folder / "merged"
    merged.mkdir()
    merging.merged_gguf(packed, trained, merged / "merged.gguf", precision, "Nordlicht, version 1")
    reader = gguf.GGUFReader(merged / "merged.gguf")
    assert reader.fields["general.name"].contents() == "Nordlicht, version 1"
    assert reader.fields["general.file_type"].contents() == {"f16": 1, "q8_0": 7}[precision]
    base = gguf.GGUFReader(Path(packed.source) / "tiny.gguf")
    assert header_of(reader) == header_of(base), "all else is the base's"
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["blk.0.attn_q.weight"] == kinds["token_embd.weight"] == precision.upper()
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    assert distance(logits(Base("merged", "causal_lm", str(merged)), None), with_adapter, bare) < most


def test_an_adapter_of_another_model_is_not_merged(model: Base, trained: Path, folder: Path) -> None:
    other = tiny.save_model(folder / "other", width=32)
    with pytest.raises(EngineError) as raised:
        merging.merged_folder(other, trained, folder / "merged")
    assert raised.value.code == "adapter_mismatch"
    shallow = tiny.save_model(folder / "shallow", layers=1)
    with pytest.raises(EngineError) as raised:
        merging.merged_folder(shallow, trained, folder / "merged")
    assert raised.value.code == "adapter_mismatch"


def test_a_base_for_transformers_becomes_a_file_for_llama_cpp_too(model: Base, trained: Path, folder: Path) -> None:
    with_adapter, bare = logits(model, trained), logits(model, None)
    bases.drop_loaded()
    merged = folder / "merged"
    merged.mkdir()
    merging.merged_gguf(model, trained, merged / "merged.gguf", "f16", "Nordlicht, version 1")
    by_hand = header_of(gguf.GGUFReader(Path(packed_by_hand(model, folder).source) / "tiny.gguf"))
    ours = header_of(gguf.GGUFReader(merged / "merged.gguf"))
    assert {name: ours.get(name) for name in by_hand} == by_hand
    assert ours["tokenizer.ggml.pre"] == "gpt-2" and ours["tokenizer.ggml.add_bos_token"] is False
    assert distance(logits(Base("merged", "causal_lm", str(merged)), None), with_adapter, bare) < 0.02


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("config.json", {"model_type": "gpt2"}, "layout"),
        ("config.json", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "positions"),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Whitespace"}}, "cuts texts"),
        ("tokenizer.json", {"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}, "vocabulary"),
    ],
)
def test_what_llama_cpp_would_read_wrongly_is_refused(
    model: Base, trained: Path, folder: Path, file: str, change: dict[str, object], reason: str
) -> None:
    other = folder / "other"
    shutil.copytree(model.source, other)
    (other / file).write_text(json.dumps(json.loads((other / file).read_text()) | change))
    with pytest.raises(EngineError, match=reason) as raised:
        merging.merged_gguf(Base("other", "causal_lm", str(other)), trained, folder / "merged.gguf")
    assert raised.value.code == "not_packed" and not (folder / "merged.gguf").exists()


def test_an_adapter_is_merged_into_the_packed_model_that_comes_along(folder: Path, unpacked: Path) -> None:
    """Number by number: that programs then say the same is shown with a small packed model."""
    loaded = bases.load(SHIPPED, cache=unpacked)
    configuration = loaded.model.config
    recipe = tiny.voice_recipe(base_model=SHIPPED.key, target_modules="attention", rank=4, alpha=8)
    generator = torch.Generator().manual_seed(0)
    lora.inject(loaded.model, recipe, generator)
    learned = {
        name: torch.randn(tensor.shape, generator=generator) * 0.1 for name, tensor in lora.state(loaded.model).items()
    }
    bases.drop_loaded()
    weights = folder / "adapter.safetensors"
    lora.save(learned, lora.configuration(recipe, "x"), weights)
    merging.merged_gguf(SHIPPED, weights, folder / "merged.gguf", "f16", cache=unpacked)
    readers = [bases.PlainReader(path) for path in (bases.builtin_file(), folder / "merged.gguf")]
    assert header_of(readers[0]) == header_of(readers[1])
    before, after = ({tensor.name: tensor for tensor in reader.tensors} for reader in readers)
    assert before.keys() == after.keys()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, configuration.num_hidden_layers)
    changed = {f"{names.get_name(layer)}.weight": layer for layer in sorted({files.split_name(n)[0] for n in learned})}
    assert len(changed) == 4 * configuration.num_hidden_layers
    tensors, facts = bases.read_adapter(weights)
    for name in ("token_embd.weight", "blk.3.ffn_up.weight", *changed):
        ours, theirs = (gguf.dequantize(file[name].data, file[name].tensor_type) for file in (before, after))
        if name in changed:
            layer = changed[name]
            up, down = (tensors[f"base_model.model.{layer}.lora_{half}.weight"].numpy() for half in "BA")
            delta = files.strength(layer, recipe.rank, facts) * up @ down
            assert np.abs(delta).max() > 0.1
            ours = ours + files.in_their_order(delta, layer, "llama", configuration)
        assert np.allclose(ours, theirs, rtol=1e-3, atol=1e-4), name
