"""Pictures on a card without bfloat16, played on the processor in float16: the loss is scaled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.worker.image import tiny
from worker.engines import checkpoints, registry
from worker.engines.contracts import Base, EngineError, GiveBack, TrainedAdapter, TrainingInputs
from worker.engines.image.base import model_cache
from worker.engines.image.training import losses

pytestmark = pytest.mark.slow


@pytest.fixture
def in_float16(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def switch() -> None:
        model_cache.drop()
        monkeypatch.setattr(model_cache, "best_dtype", lambda _device: torch.float16)

    return switch


@pytest.fixture
def faint_base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    """One whose gradients are small: without scaling float16 rounds most of them to zero."""
    pipeline = tiny.pipeline() if request.param == "stable_diffusion" else tiny.xl_pipeline()
    with torch.no_grad():
        pipeline.unet.conv_out.weight.mul_(1e-3)
    pipeline.save_pretrained(tmp_path / "base")
    return Base("faint", request.param, str(tmp_path / "base"))


def train(
    base: Base, folder: Path, recorder: tiny.Recorder | None = None, resume_from: Path | None = None, **changes: Any
) -> TrainedAdapter:
    engine = registry.engine_for(base.family)
    inputs = TrainingInputs(base, tiny.pictures(folder.parent / "pictures"), resume_from)
    asked = {"steps": 12, "checkpoint_every": 100} | changes
    return engine.train(tiny.training_recipe(**asked), inputs, folder, recorder or tiny.Recorder())


def scaler(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Let trainings scale as these settings of torch's own scaler say."""
    real = torch.amp.GradScaler
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device, **given: real(device, **(given | settings)))


def products(trained: TrainedAdapter) -> torch.Tensor:
    """B·A of all layers in one line."""
    tensors = {name: tensor.float() for name, tensor in load_file(trained.weights).items()}
    pairs = [(name, name.replace("lora_A", "lora_B")) for name in sorted(tensors) if "lora_A" in name]
    return torch.cat([(tensors[b] @ tensors[a]).flatten() for a, b in pairs])


def off(one: torch.Tensor, other: torch.Tensor) -> float:
    return ((one - other).norm() / other.norm()).item()


WAYS: dict[str, dict[str, Any]] = {
    "adamw": {"batch_size": 2, "gradient_accumulation_steps": 2},
    "prodigy": {"optimizer": "prodigy", "learning_rate": 1.0, "train_text_encoder": True, "ema_decay": 0.9},
}


BOTH_PARTS = WAYS["prodigy"] | {"network": "rslora", "gradient_accumulation_steps": 2}
"""The denoiser and the text encoders, with all that depends on which steps were left out."""


@pytest.mark.parametrize(
    ("faint_base", "way"), [("stable_diffusion", "adamw"), ("stable_diffusion_xl", "prodigy")], indirect=["faint_base"]
)
def test_float16_learns_what_float32_learns_and_would_not_without_scaling(
    faint_base: Base, tmp_path: Path, in_float16: Callable[[], None], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    told, half_told = tiny.Recorder(), tiny.Recorder()
    whole = train(faint_base, tmp_path / "whole", told, **WAYS[way])
    in_float16()
    half = train(faint_base, tmp_path / "half", half_told, **WAYS[way])
    assert (whole.precision, half.precision) == ("float32", "float16")
    assert (whole.skipped_steps, half.skipped_steps) == (0, 0)
    for one, other in zip(half_told.steps, told.steps, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=0.01)
    assert off(products(half), products(whole)) < 0.01
    scaler(monkeypatch, enabled=False)
    bare = train(faint_base, tmp_path / "bare", **WAYS[way])
    assert off(products(bare), products(whole)) > 0.3, "why these cards were trained in float32 before"


@pytest.mark.parametrize(
    ("any_base", "changes"),
    [("stable_diffusion_xl", BOTH_PARTS), ("stable_diffusion", {"network": "dora", "quantization": "nf4"})],
    indirect=["any_base"],
)
def test_given_back_and_resumed_in_float16_it_ends_in_the_same_numbers(
    any_base: Base,
    tmp_path: Path,
    in_float16: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    in_float16()
    # So large that the first steps are left out, and soon raised again: what is learned depends on where it stands.
    scaler(monkeypatch, init_scale=2.0**25, growth_interval=2)
    asked = changes | {"steps": 8, "checkpoint_every": 5, "sample_prompts": ()}
    whole = train(any_base, tmp_path / "whole", **asked)
    assert 2 <= whole.skipped_steps < 7 and whole.steps == 8
    stopped = tiny.Recorder(stop=GiveBack, at=7)
    with pytest.raises(GiveBack):
        train(any_base, tmp_path / "part", stopped, **asked)
    kept_scale = checkpoints.read(stopped.checkpoints[-1][0]).loss_scale
    assert kept_scale["skipped"] >= 2 and kept_scale["scale"] < 2.0**25
    model_cache.drop()
    resumed = train(any_base, tmp_path / "rest", resume_from=stopped.checkpoints[-1][0], **asked)
    assert resumed.skipped_steps == whole.skipped_steps
    ours, theirs = load_file(whole.weights), load_file(resumed.weights)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_scale_that_falls_to_the_bottom_ends_as_diverged(
    base: Base, tmp_path: Path, in_float16: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_float16()
    real = losses.weighted_mse
    monkeypatch.setattr(losses, "weighted_mse", lambda *given: real(*given) * float("nan"))
    recorder = tiny.Recorder()
    with pytest.raises(EngineError) as raised:
        train(base, tmp_path / "out", recorder, steps=30)
    assert raised.value.code == "diverged"
    assert len(recorder.steps) == 16 and {step.loss for step in recorder.steps} == {None}, "from 65536 down to 1"


def test_a_base_that_asks_for_attention_in_float32_is_trained_in_float32(
    tmp_path: Path, in_float16: Callable[[], None]
) -> None:
    pipeline = tiny.pipeline()
    pipeline.unet.register_to_config(upcast_attention=True)
    pipeline.save_pretrained(tmp_path / "base")
    base = Base("upcast", "stable_diffusion", str(tmp_path / "base"))
    in_float16()
    trained = train(base, tmp_path / "out", steps=2)
    assert trained.precision == "float32" and model_cache.current().pipeline.unet.dtype == torch.float16
