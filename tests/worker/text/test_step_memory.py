"""What a training step keeps for the way back, counted where autograd keeps it, beside what plans take for granted."""

import contextlib
from typing import Any

import pytest
import torch
import transformers

from app.base_models import catalogue
from app.base_models.catalogue import Layout
from app.machine.devices import Precision
from app.trainings.voice import planner
from tests.worker.text import tiny
from worker.engines.text import lora

pytestmark = pytest.mark.slow

TOKENS, RANK = 128, 8


def kept_for_each_token(kind: Any, layers: int, dtype: torch.dtype, *, twice: bool) -> float:
    """Bytes of every tensor that autograd keeps and that is not one of the weights."""
    config = kind.config_class(
        vocab_size=64,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=64,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        model = kind(config).to(dtype).eval()
    lora.inject(model, tiny.voice_recipe(rank=RANK), torch.Generator().manual_seed(0))
    if twice:
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}
    alive = []  # so that no address is given to another tensor meanwhile

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage()
        if place.data_ptr() not in weights and place.data_ptr() not in kept:
            kept[place.data_ptr()] = place.nbytes()
            alive.append(tensor)
        return tensor

    half = torch.autocast("cpu", dtype=dtype) if dtype != torch.float32 else contextlib.nullcontext()
    with half, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.model(
            input_ids=torch.zeros((1, TOKENS), dtype=torch.long),
            attention_mask=torch.zeros((1, 1, TOKENS, TOKENS), dtype=dtype),
            position_ids=torch.arange(TOKENS)[None],
            use_cache=False,
        )
    return sum(kept.values()) / TOKENS


@pytest.mark.parametrize("kind", [transformers.LlamaForCausalLM, transformers.Qwen3ForCausalLM])
@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float32"])
def test_a_block_keeps_what_plans_say(kind: Any, precision: Precision) -> None:
    dtype = getattr(torch, precision)
    base = catalogue.text_models()[0].model_copy(
        update={
            "layout": Layout(layers=1, width=512, query=512, key_value=256, feed_forward=1536, vocabulary=64),
        }
    )
    one, two = (kept_for_each_token(kind, layers, dtype, twice=False) for layers in (1, 2))
    # Norms of queries and keys are counted for all, and Llama has none.
    assert planner._kept_of_a_block(base, RANK, precision) == pytest.approx(two - one, rel=0.15)
    one, two = (kept_for_each_token(kind, layers, dtype, twice=True) for layers in (1, 2))
    assert two - one == pytest.approx(512 * dtype.itemsize, rel=0.05), "with two computations the block's input alone"
