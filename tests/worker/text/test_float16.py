"""Voices on a card without bfloat16, played on the processor in float16: the loss is scaled."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import Gemma2Config, Gemma2ForCausalLM

from app.base_models import text_recognition
from tests.worker.text import tiny
from worker.engines import checkpoints
from worker.engines.contracts import Base, EngineError, GiveBack
from worker.engines.text import base as bases
from worker.engines.text import causal_lm
from worker.engines.text_contracts import TrainedVoice

pytestmark = pytest.mark.slow


@pytest.fixture
def in_float16(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def switch() -> None:
        bases.drop_loaded()
        monkeypatch.setattr(bases, "dtype_on", lambda _device: torch.float16)

    return switch


@pytest.fixture(scope="module")
def faint(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A model whose gradients are small: without scaling float16 rounds many of them to zero."""
    return tiny.save_model(tmp_path_factory.mktemp("faint"), spread=0.005)


def train(base: Base, folder: Path, notes: tiny.Notes | None = None, **changes: Any) -> TrainedVoice:
    asked = {"epochs": 4, "sample_count": 0, "measured_texts": 0, "rank": 4, "alpha": 4.0, "learning_rate": 1e-3}
    resume = {"resume_from": changes.pop("resume_from")} if "resume_from" in changes else {}
    inputs = tiny.voice_inputs(base, held_out=(), **resume)
    return causal_lm.train(tiny.voice_recipe(**(asked | changes)), inputs, folder, notes or tiny.Notes())


def scaler(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Let trainings scale as these settings of torch's own scaler say."""
    real = torch.amp.GradScaler
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device, **given: real(device, **(given | settings)))


def products(trained: TrainedVoice) -> torch.Tensor:
    """B·A of all layers in one line."""
    tensors = load_file(trained.weights)
    pairs = [(name, name.replace("lora_A", "lora_B")) for name in sorted(tensors) if "lora_A" in name]
    return torch.cat([(tensors[b] @ tensors[a]).flatten() for a, b in pairs])


def off(one: torch.Tensor, other: torch.Tensor) -> float:
    return ((one - other).norm() / other.norm()).item()


def test_float16_learns_what_float32_learns_and_would_not_without_scaling(
    faint: Base, tmp_path: Path, in_float16: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, half_told = tiny.Notes(), tiny.Notes()
    whole = train(faint, tmp_path / "whole", told, batch_size=1, gradient_accumulation_steps=2)
    in_float16()
    half = train(faint, tmp_path / "half", half_told, batch_size=1, gradient_accumulation_steps=2)
    assert (whole.precision, half.precision) == ("float32", "float16")
    assert (whole.skipped_steps, half.skipped_steps) == (0, 0)
    for one, other in zip(half_told.steps, told.steps, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=0.01)
    assert off(products(half), products(whole)) < 0.01
    scaler(monkeypatch, enabled=False)
    bare = train(faint, tmp_path / "bare", batch_size=1, gradient_accumulation_steps=2)
    assert off(products(bare), products(whole)) > 0.05, "as it was before losses were scaled"


def test_killed_and_resumed_in_float16_it_ends_in_the_same_bytes(
    model: Base, tmp_path: Path, in_float16: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_float16()
    # So large that the first steps are left out, and soon raised again: what is learned depends on where it stands.
    scaler(monkeypatch, init_scale=2.0**25, growth_interval=2)
    told = tiny.Notes()
    whole = train(model, tmp_path / "whole", told)
    assert 2 <= whole.skipped_steps < whole.steps == whole.planned_steps == len(told.steps)
    notes = tiny.Notes(GiveBack(), stop_at=whole.steps // 2)
    with pytest.raises(GiveBack):
        train(model, tmp_path / "part", notes)
    kept = checkpoints.read(notes.checkpoints[-1]).loss_scale
    assert (
        kept["scale"] < 2.0**25
        and kept["skipped"] >= 2
        and "scale" in (notes.checkpoints[-1] / "state.json").read_text()
    )
    bases.drop_loaded()
    resumed = train(model, tmp_path / "rest", resume_from=notes.checkpoints[-1])
    digests = [hashlib.sha256(one.weights.read_bytes()).hexdigest() for one in (whole, resumed)]
    assert digests[0] == digests[1] and resumed.skipped_steps == whole.skipped_steps


def test_a_scale_that_falls_to_the_bottom_ends_as_diverged(
    model: Base, tmp_path: Path, in_float16: Callable[[], None]
) -> None:
    in_float16()
    bases.load(model).model.model.norm.weight.data.fill_(float("inf"))
    notes = tiny.Notes()
    with pytest.raises(EngineError) as raised:
        train(model, tmp_path, notes, epochs=20)
    assert raised.value.code == "diverged"
    assert len(notes.steps) == 16 and {step.loss for step in notes.steps} == {None}, "from 65536 down to 1"


def test_a_base_that_float16_cannot_hold_is_trained_in_float32(tmp_path: Path, in_float16: Callable[[], None]) -> None:
    assert bases.BEYOND_FLOAT16 == text_recognition.BEYOND_FLOAT16, "plans say the same"
    base = tiny.save_model(tmp_path / "base")
    words = tiny.tokenizer()
    made = partial(Gemma2Config, vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2)
    Gemma2ForCausalLM(made(num_attention_heads=4, num_key_value_heads=2, head_dim=8)).save_pretrained(base.source)
    in_float16()
    trained = train(base, tmp_path / "out", epochs=1)
    assert trained.precision == "float32" and bases.load(base).model.dtype == torch.float32
