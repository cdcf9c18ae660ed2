"""What a training takes, and where each number comes from. No time is ever made up."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.base_models import catalogue
from app.base_models.catalogue import BaseModelEntry
from app.machine.devices import Device
from app.trainings.estimates import Circumstances, Estimate, cost_of
from app.trainings.look.estimate import Measurement, estimate_for
from app.trainings.look.planner import plan_for
from app.trainings.look.presets import recipe_for

SD15 = catalogue.get("stable-diffusion-1-5")
BUILTIN = catalogue.get("livery-builtin")
RECIPE = recipe_for("style", SD15, trigger_word="x", captions=["a"] * 20)


def measured(
    device: str = "NVIDIA H100", resolution: int = 512, batch_size: int = 1, pace: float = 0.5, **held: Any
) -> Measurement:
    return Measurement(
        measured_at=datetime(2026, 11, 23, tzinfo=UTC),
        device=device,
        recipe=RECIPE.model_copy(update={"resolution": resolution, "batch_size": batch_size, **held}),
        seconds_per_step=pace,
        other_seconds=60.0,
        peak_memory_bytes=4_000_000_000,
        bytes_per_rank=1000.0,
    )


def estimate(*measurements: Measurement, devices: tuple[str, ...] = (), price: str | None = None) -> Estimate:
    return estimate_for(
        RECIPE,
        SD15,
        measurements,
        Circumstances(devices, Decimal(price) if price else None, "EUR"),
    )


def test_without_a_measurement_no_time_and_no_cost_is_promised() -> None:
    found = estimate(price="2.00")
    assert (found.seconds, found.cost, found.time_basis, found.memory_basis) == (None, None, "none", "catalogue")
    assert found.memory_bytes == 5_500_000_000


def test_time_comes_from_the_newest_training_of_the_same_size() -> None:
    found = estimate(measured(), measured(pace=9.0))
    assert found.seconds == 0.5 * RECIPE.steps + 60
    assert (found.time_basis, found.device, found.memory_bytes) == ("measured", "NVIDIA H100", 4_000_000_000)


def test_another_size_batch_or_device_says_nothing() -> None:
    assert estimate(measured(resolution=768)).seconds is None
    assert estimate(measured(batch_size=2)).seconds is None
    assert estimate(measured(device="CPU"), devices=("NVIDIA H100",)).seconds is None
    assert estimate(measured(device="CPU"), measured(), devices=("NVIDIA H100",)).device == "NVIDIA H100"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantization", "nf4"),
        ("gradient_checkpointing", True),
        ("target_modules", "all_layers"),
        ("optimizer", "adamw_8bit"),
        ("rank", 64),
        ("network", "dora"),
        ("train_text_encoder", True),
        ("extra_resolutions", (384,)),
        ("block_offload", True),
        ("ema_decay", 0.99),
        ("class_prompt", "a jar"),
    ],
)
def test_what_was_held_or_learned_otherwise_says_nothing(field: str, value: Any) -> None:
    found = estimate(measured(**{field: value}))
    assert (found.seconds, found.memory_basis) == (None, "catalogue")


def test_cost_is_device_time_at_the_workspace_price() -> None:
    assert cost_of(1800, Decimal("2.50")) == Decimal("1.25")
    assert cost_of(1, Decimal("0.10")) == Decimal("0.00")
    assert estimate(measured(), price="3.60").cost == Decimal("0.86")


def test_where_a_time_range_is_known_the_cost_is_a_range() -> None:
    card = Device("A card", "cuda", 24_000_000_000, 100.0)
    plan = plan_for(RECIPE, SD15, card)
    assert plan is not None

    def found(*measurements: Measurement, price: str | None = "3.60") -> Estimate:
        return estimate_for(
            RECIPE,
            SD15,
            measurements,
            Circumstances((), Decimal(price) if price else None, "EUR"),
            plan,
        )

    calculated = found()
    assert calculated.seconds_range is not None and calculated.cost is None
    low, high = calculated.seconds_range
    assert calculated.cost_range == (cost_of(low, Decimal("3.60")), cost_of(high, Decimal("3.60")))
    assert found(price=None).cost_range is None
    assert found(measured()).cost_range is None, "one that was measured has a cost of its own"
    assert Estimate.model_validate(calculated.model_dump(mode="json")) == calculated


def test_the_file_size_is_known_from_the_catalogue_or_from_earlier_adapters() -> None:
    assert estimate().file_bytes == 199296 * RECIPE.rank * 2
    assert estimate(measured()).file_bytes == 1000 * RECIPE.rank, "files of this base may need full precision"
    recipe = recipe_for("style", BUILTIN, trigger_word="x", captions=["a"], changes={"target_modules": "attention"})
    unknown = BUILTIN.model_copy(update={"parameters_per_rank": {}})
    nothing = estimate_for(recipe, unknown, [], Circumstances((), None, "EUR"))
    known = estimate_for(recipe, unknown, [measured()], Circumstances((), None, "EUR"))
    assert (nothing.file_bytes, known.file_bytes) == (None, 1000 * recipe.rank)


def test_the_file_size_is_that_of_this_kind_of_adapter_in_these_layers() -> None:
    def size(*measurements: Measurement, base: BaseModelEntry = SD15, **changes: Any) -> int | None:
        recipe = RECIPE.model_copy(update=changes)
        found = estimate_for(recipe, base, measurements, Circumstances((), None, "EUR"))
        return found.file_bytes

    assert size(measured(network="dora")) == size()
    assert size(network="dora") == round(3_288_576 * RECIPE.rank / 16) * 2
    assert size(train_text_encoder=True) == (199_296 + 73_728) * RECIPE.rank * 2
    assert size(measured(train_text_encoder=True), train_text_encoder=True) == 1000 * RECIPE.rank
    assert size(network="lokr") is None and size(base=BUILTIN, train_text_encoder=True) is None


def test_it_survives_being_kept_as_json() -> None:
    found = estimate(measured(), price="3.60")
    assert Estimate.model_validate(found.model_dump(mode="json")) == found
