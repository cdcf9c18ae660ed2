"""Adapters in the base's weights for a long run: the same pictures, and the base given back to the bit."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.worker.image import tiny
from tests.worker.image.test_generation import adapter_file, difference, draw, pixels
from worker.engines.contracts import Base, GenerationInputs, GiveBack
from worker.engines.image.base import fusing
from worker.engines.image.families import stable_diffusion

LONG = {"count": 2, "steps": 3}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps are a long run."""
    monkeypatch.setattr(fusing, "FUSED_FROM_PASSES", 3)


@pytest.fixture
def own(base: Base) -> Iterator[dict[str, torch.Tensor]]:
    """The base's weights; afterwards they must be the same."""
    unet = stable_diffusion.load(base).pipeline.unet
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    yield before
    after = stable_diffusion.load(base).pipeline.unet.state_dict()
    # Layers with an adapter beside them have a level more in their names.
    named = {name.replace(".base_layer", ""): tensor for name, tensor in after.items() if ".lora_" not in name}
    assert before.keys() == named.keys()
    assert all(torch.equal(tensor, named[name]) for name, tensor in before.items())


@pytest.mark.parametrize(
    ("changes", "paying"),
    [
        ({}, True),
        ({"passes": fusing.FUSED_FROM_PASSES - 1}, False),  # over before it has paid
        ({"bytes_kept": 0}, False),  # no adapter acts
        ({"bytes_kept": fusing.KEPT_BYTES + 1}, False),
        ({"dtype": torch.bfloat16}, False),  # the sum would be rounded
        ({"quantization": "nf4"}, False),
    ],
)
def test_when_it_pays(changes, paying):
    order = {"passes": 100, "bytes_kept": 10**8, "dtype": torch.float32, "quantization": "none"}
    assert fusing.pays(**order | changes) is paying


@pytest.mark.slow
def test_fused_pictures_are_the_same_and_the_base_comes_back(base, own, tmp_path, monkeypatch):
    adapters = (adapter_file(tmp_path, base), adapter_file(tmp_path, base, seed=1, strength=0.5))
    apart = draw(base, tmp_path / "apart", *adapters, **LONG)
    plain = draw(base, tmp_path / "plain", **LONG)
    monkeypatch.setattr(fusing, "FUSED_FROM_PASSES", 3)
    monkeypatch.setattr(torch.nn.functional, "linear", counted := Counted(torch.nn.functional.linear))
    fused = draw(base, tmp_path / "fused", *adapters, **LONG)
    in_weights, counted.calls = counted.calls, 0
    again = draw(base, tmp_path / "again", **LONG)
    assert in_weights == counted.calls > 0, "a pass costs what the base alone costs"
    assert max(difference(one, other) for one, other in zip(apart, fused, strict=True)) <= 1
    assert [p.path.read_bytes() for p in plain] == [p.path.read_bytes() for p in again]
    # The next adapter is the only one that acts.
    other = adapter_file(tmp_path, base, seed=2)
    swapped = draw(base, tmp_path / "swapped", other, **LONG)
    monkeypatch.undo()
    assert difference(swapped[0], draw(base, tmp_path / "other", other, **LONG)[0]) <= 1
    assert np.abs(pixels(swapped[0]) - pixels(fused[0])).max() > 1


class Counted:
    def __init__(self, call):
        self.call, self.calls = call, 0

    def __call__(self, *given, **named):
        self.calls += 1
        return self.call(*given, **named)


@pytest.mark.slow
def test_stopped_in_the_middle_the_base_comes_back(base, own, always, tmp_path):
    adapter = adapter_file(tmp_path, base)
    recorder = tiny.Recorder(stop=GiveBack, at=2)
    with pytest.raises(GiveBack):
        draw(base, tmp_path / "out", adapter, recorder=recorder, **LONG)
    assert not stable_diffusion.load(base).fused


@pytest.mark.slow
def test_an_error_in_the_middle_and_a_run_that_nobody_ends_leave_the_base_as_it_was(base, own, always, tmp_path):
    adapter = adapter_file(tmp_path, base)
    plain = draw(base, tmp_path / "plain", **LONG)
    recorder = tiny.Recorder(stop=RuntimeError, at=1)
    with pytest.raises(RuntimeError):
        draw(base, tmp_path / "error", adapter, recorder=recorder, **LONG)
    run = stable_diffusion.generate(
        tiny.generation_recipe(**LONG), GenerationInputs(base, (adapter,)), tmp_path / "left", tiny.Recorder()
    )
    next(run)
    assert stable_diffusion.load(base).fused
    again = draw(base, tmp_path / "again", **LONG)
    assert [p.path.read_bytes() for p in plain] == [p.path.read_bytes() for p in again]


@pytest.mark.slow
def test_a_strip_is_drawn_beside_the_weights(base, own, always, tmp_path):
    adapter = adapter_file(tmp_path, base)
    strip = draw(base, tmp_path / "strip", adapter, count=3, strengths=(0, 0.5, 1.0))
    assert difference(strip[0], strip[2]) > 1
