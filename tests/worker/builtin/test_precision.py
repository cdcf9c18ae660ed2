"""Half precision is taken where it is faster, and nowhere else."""

from collections.abc import Iterator

import pytest
import torch

from worker.engines.image.builtin.making.training import precision


@pytest.fixture(autouse=True)
def timed_anew() -> Iterator[None]:
    precision.fastest.cache_clear()
    yield
    precision.fastest.cache_clear()


@pytest.mark.parametrize("faster", [torch.float32, torch.bfloat16])
def test_a_processor_computes_in_what_it_is_faster_in(monkeypatch: pytest.MonkeyPatch, faster: torch.dtype) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda dtype: 1.0 if dtype == faster else 2.0)
    with precision.autocast(torch.device("cpu")):
        assert torch.nn.Linear(4, 4)(torch.ones(1, 4)).dtype == faster


def test_the_choice_is_timed_once() -> None:
    chosen = precision.fastest("cpu")
    assert chosen in (torch.float32, torch.bfloat16)
    assert precision.fastest.cache_info().misses == 1
    assert precision.fastest("cpu") == chosen
    assert precision.fastest.cache_info().misses == 1
