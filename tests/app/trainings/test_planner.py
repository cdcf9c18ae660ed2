"""Plans: the fastest that fits, quantised only where it must be, in agreement with what others have measured."""

import pytest

from app.base_models import catalogue
from app.base_models.catalogue import StepCost
from app.trainings.planner import GIGA, Device, cost_at, next_coarser, plan_for, shortage, stages
from tests.benchmarks.plans import PUBLISHED, plan_on, predicted, recipe

SDXL, FLUX = "stable-diffusion-xl", "flux-1-dev"


@pytest.mark.parametrize("run", PUBLISHED, ids=lambda run: f"{run.base}-{run.quantization}-{run.rank}")
def test_predictions_agree_with_published_runs_within_a_quarter(run):
    assert predicted(run) == pytest.approx(run.gigabytes, rel=0.25)


def test_larger_cards_never_get_slower_or_coarser_plans():
    for key in (SDXL, FLUX):
        order = list(stages(recipe(key, 1024, 16, "attention", batch_size=4)))
        chosen = [plan_on(card, key) for card in (8, 12, 16, 24, 48, 80)]
        places = [order.index((p.quantization, p.gradient_checkpointing, p.micro_batch_size)) for p in chosen if p.fits]
        assert places == sorted(places, reverse=True), key


def test_a_base_that_fits_as_it_is_is_not_quantised():
    assert plan_on(24, SDXL).quantization == "none"
    assert plan_on(80, FLUX).quantization == "none"
    assert plan_on(16, FLUX).quantization != "none"


def test_every_plan_that_fits_leaves_room_and_says_why():
    for card in (8, 12, 16, 24, 80):
        for key in (SDXL, FLUX):
            plan = plan_on(card, key)
            sentence = plan.reason % plan.facts
            assert "GB" in sentence and sentence.endswith(".")
            if plan.fits:
                assert plan.memory_bytes < card * GIGA * 0.95


def test_a_base_that_does_not_fit_at_all_is_said_so():
    plan = plan_on(4, FLUX)
    assert not plan.fits and plan.quantization == "nf4" and plan.micro_batch_size == 1
    assert "smaller base" in plan.reason


def test_what_the_order_asks_for_is_kept():
    base, card = catalogue.get(SDXL), Device("80 GB", "cuda", 80 * GIGA)
    order = recipe(SDXL, 1024, 16, "attention", quantization="nf4", gradient_checkpointing=True, batch_size=4)
    decided = frozenset({"quantization", "gradient_checkpointing", "batch_size"})
    plan = plan_for(order, base, card, decided)
    assert plan is not None and plan.quantization == "nf4" and plan.gradient_checkpointing
    assert plan.micro_batch_size == 4
    free = plan_for(order, base, card)
    assert free is not None and free.quantization == "none" and not free.gradient_checkpointing


def test_out_of_memory_makes_the_base_coarser_by_a_stage_that_needs_clearly_less_until_there_is_none():
    base, card = catalogue.get(FLUX), Device("80 GB", "cuda", 80 * GIGA)
    order = recipe(FLUX, 1024, 16, "attention", batch_size=2)
    plan, seen = plan_for(order, base, card), []
    while plan is not None:
        seen.append(plan)
        plan = next_coarser(order, base, card, plan)
    needs = [one.memory_bytes for one in seen]
    assert [one.quantization for one in seen] == ["none", "int8", "nf4"] and needs == sorted(needs, reverse=True)
    assert "8 bits" in seen[1].reason and "4 bits" in seen[2].reason and "GB" in seen[2].reason % seen[2].facts


def test_a_base_whose_weights_are_not_what_fills_the_memory_is_not_made_coarser():
    base, card = catalogue.get(SDXL), Device("24 GB", "cuda", 24 * GIGA)
    order = recipe(SDXL, 1024, 16, "attention", batch_size=4)
    assert next_coarser(order, base, card, plan_for(order, base, card)) is not None
    small = base.model_copy(update={"denoiser_parameters": 100_000_000})
    assert next_coarser(order, small, card, plan_for(order, small, card)) is None


def test_a_shortage_in_a_step_is_told_with_what_changed():
    order = recipe(SDXL, 1024, 16, "attention", batch_size=4)
    halved = shortage(order, 2, False)
    assert "4 pictures at a time" in halved.reason % halved.facts and "2 at a time" in halved.reason % halved.facts
    assert "computing again" in shortage(order, 1, True).reason
    asked = order.model_copy(update={"gradient_checkpointing": True})
    assert "1 at a time" in shortage(asked, 1, True).reason % shortage(asked, 1, True).facts


def test_seconds_are_promised_only_where_the_device_was_measured():
    base = catalogue.get(SDXL)
    order = recipe(SDXL, 1024, 16, "attention")
    assert plan_for(order, base, Device("a", "cuda", 80 * GIGA)).step_seconds is None
    low, high = plan_for(order, base, Device("a", "cuda", 80 * GIGA, tera_operations=100)).step_seconds
    assert 0 < low < high


def test_costs_between_two_sizes_are_interpolated_in_the_area():
    def cost(side, kept):
        return StepCost(side=side, kept_mb=kept, kept_mb_checkpointed=1, kept_mb_of_a_block=1, tera_operations=1)

    known = (cost(512, 1000), cost(1024, 4000))
    assert cost_at(known, 768).kept_mb == pytest.approx(1000 + 3000 * (768**2 - 512**2) / (1024**2 - 512**2))
    assert cost_at(known, 256).kept_mb == pytest.approx(250)
    assert cost_at(known, 2048).kept_mb == pytest.approx(16000)
