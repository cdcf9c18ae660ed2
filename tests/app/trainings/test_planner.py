"""Plans: the fastest that fits, quantised only where it must be, in agreement with what others have measured."""

import pytest

from app.base_models import catalogue
from app.base_models.catalogue import StepCost
from app.machine.devices import GIGA, Device
from app.trainings.look.needs import Way, cost_at, memory_of, step_seconds
from app.trainings.look.planner import SENTENCES, fallback_for, plan_for, stages
from app.trainings.plans import AS_IT_IS, Stage, planned, shortage, unplanned
from tests.benchmarks.plans import PUBLISHED, plan_on, predicted, recipe

SDXL, FLUX = "stable-diffusion-xl", "flux-1-dev"


@pytest.mark.parametrize("run", PUBLISHED, ids=lambda run: f"{run.base}-{run.quantization}-{run.rank}")
def test_predictions_agree_with_published_runs_within_a_quarter(run):
    assert predicted(run) == pytest.approx(run.gigabytes, rel=0.25)


def test_larger_cards_never_get_slower_or_coarser_plans():
    for key in (SDXL, FLUX):
        order = list(stages(recipe(key, 1024, 16, "attention", batch_size=4)))
        chosen = [plan_on(card, key) for card in (8, 12, 16, 24, 48, 80)]
        places = [order.index(Stage(**{name: getattr(p, name) for name in Stage._fields})) for p in chosen if p.fits]
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
            if plan.reason != AS_IT_IS:
                given_up, room = (float(plan.facts[name].removesuffix(" GB")) for name in ("before", "room"))
                assert given_up > room, "what is said to need too much would have fitted"


def test_a_base_that_does_not_fit_at_all_is_said_so():
    plan = plan_on(4, FLUX)
    assert not plan.fits and plan.quantization == "nf4" and plan.block_offload and plan.micro_batch_size == 1
    assert "smaller base" in plan.reason


def test_flux_on_8_gigabytes_waits_in_the_machines_memory_and_says_so():
    plan = plan_on(8, FLUX)
    assert plan.fits and plan.block_offload and plan.gradient_checkpointing and plan.quantization == "nf4"
    assert "machine's memory" in plan.reason and plan.facts["before"] == "9.8 GB"
    base, order = catalogue.get(FLUX), recipe(FLUX, 1024, 16, "attention")
    ways = [Way("bfloat16", "nf4", True, 1, block_offload=waits) for waits in (False, True)]
    resident, waiting = (step_seconds(order, base, way, 100.0) for way in ways)
    # Six gigabytes are copied twice, between half a second and two and a half.
    assert 0.4 < waiting[0] - resident[0] < 0.6 and 1.8 < waiting[1] - resident[1] < 2.5
    assert planned(order, plan).block_offload
    processor = plan_for(order, base, Device("a", "cpu", 8 * GIGA))
    assert processor is not None and not processor.block_offload and not processor.fits
    kept = plan_for(
        order.model_copy(update={"gradient_checkpointing": False}), base, Device("a", "cuda", 8 * GIGA),
        frozenset({"gradient_checkpointing"}),
    )  # fmt: skip
    assert kept is not None and not kept.block_offload


def test_batches_that_are_added_up_are_computed_at_once_where_there_is_room():
    base = catalogue.get(SDXL)
    order = recipe(SDXL, 1024, 16, "attention", batch_size=1, gradient_accumulation_steps=4)
    plan = plan_for(order, base, Device("a", "cuda", 80 * GIGA))
    made = planned(order, plan)
    assert (plan.micro_batch_size, made.batch_size, made.gradient_accumulation_steps) == (4, 4, 1)
    small = plan_for(order, base, Device("a", "cuda", 16 * GIGA))
    assert planned(order, small).batch_size * planned(order, small).gradient_accumulation_steps == 4
    assert unplanned(planned(order, small), small).batch_size == 4
    bound = plan_for(order, base, Device("a", "cuda", 80 * GIGA), frozenset({"batch_size"}))
    assert planned(order, bound) == order.model_copy(update={"quantization": "none"})


def test_a_card_without_bfloat16_is_planned_for_in_float16_and_told_where_that_does_not_go():
    order, base = recipe(SDXL, 1024, 16, "attention"), catalogue.get(SDXL)
    half, newer = (plan_for(order, base, Device("A card", "cuda", 16 * GIGA, 1, kind)) for kind in ("float16", None))
    assert half.precision == "float16" and newer.precision == "bfloat16"
    assert (half.memory_bytes, stages_of(half)) == (newer.memory_bytes, stages_of(newer)), "as many bytes in both"
    asks_for_more = base.model_copy(update={"is_beyond_float16": True})
    assert plan_for(order, asks_for_more, Device("A card", "cuda", 40 * GIGA, 1, "float16")).precision == "float32"


def test_a_processor_sized_precision_leaves_less_room_on_a_card():
    card = Device("A card", "cuda", 16 * GIGA, computes_in="float32")
    plan = plan_for(recipe(SDXL, 1024, 16, "attention"), catalogue.get(SDXL), card)
    assert plan.precision == "float32" and plan.fits
    newer = plan_for(recipe(SDXL, 1024, 16, "attention"), catalogue.get(SDXL), Device("A card", "cuda", 16 * GIGA))
    assert stages_of(newer) < stages_of(plan), "twice the bytes leave less room"
    refused = plan_for(
        recipe(FLUX, 1024, 16, "attention"), catalogue.get(FLUX), Device("A", "cuda", 80 * GIGA, 1, "float16")
    )
    assert not refused.fits and "bfloat16" in refused.reason


def stages_of(plan):
    order = list(stages(recipe(SDXL, 1024, 16, "attention")))
    return order.index(Stage(**{name: getattr(plan, name) for name in Stage._fields}))


def test_compiling_is_tried_where_the_steps_are_enough_to_repay_it():
    base, order = catalogue.get(SDXL), recipe(SDXL, 1024, 16, "attention", batch_size=4, steps=3000)
    card = Device("A card", "cuda", 80 * GIGA, tera_operations=100)
    plan = plan_for(order, base, card)
    assert plan.compile and planned(order, plan).compile, "3000 steps of nearly a second"
    assert not plan_for(order.model_copy(update={"steps": 1000}), base, card).compile
    assert not plan_for(order, base, Device("A card", "cuda", 80 * GIGA)).compile, "its speed is not known"
    assert not plan_for(order, base, Device("A", "cpu", 80 * GIGA, tera_operations=1)).compile
    packed = order.model_copy(update={"quantization": "nf4"})
    assert not plan_for(packed, base, card, frozenset({"quantization"})).compile


def test_what_is_learned_and_how_counts_in_memory_and_time():
    base = catalogue.get("stable-diffusion-1-5")
    way = Way("bfloat16", "none", False, 1)

    def needs(**changes):
        return memory_of(recipe(base.key, 512, 16, "attention", **changes), base, way)

    plain = needs()
    adapter = 199_296 * 16
    assert needs(optimizer="prodigy") - plain == 8 * adapter
    assert plain - needs(optimizer="adamw_8bit") == 6 * adapter
    assert needs(ema_decay=0.99) - plain == 4 * adapter
    assert needs(extra_resolutions=(768,)) == memory_of(recipe(base.key, 768, 16, "attention"), base, way)
    words = needs(train_text_encoder=True) - plain
    assert words == 123_060_480 * 2 + 73_728 * 16 * 16 + 23_000_000
    assert needs(network="dora") - plain > 400_000_000, "DoRA keeps what each layer gave"
    assert needs(network="lokr") < plain + 143_000_000 - 15 * adapter
    assert needs(network="rslora") == plain

    def seconds(**changes):
        return step_seconds(recipe(base.key, 512, 16, "attention", **changes), base, way, 100.0)[0]

    assert seconds(class_prompt="a dog") == pytest.approx(2 * seconds())
    assert seconds(class_prompt="a dog", prior_loss_weight=0) == seconds()
    assert seconds(train_text_encoder=True) == pytest.approx(seconds() * (1 + 0.013 / 0.81))
    assert seconds(extra_resolutions=(768,)) == pytest.approx(seconds() * (0.81 + 2.16) / 2 / 0.81)


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
        plan = fallback_for(order, base, card, plan)
    needs = [one.memory_bytes for one in seen]
    assert [one.quantization for one in seen] == ["none", "int8", "nf4", "nf4"] and needs == sorted(needs, reverse=True)
    assert "8 bits" in seen[1].reason and "4 bits" in seen[2].reason and "GB" in seen[2].reason % seen[2].facts
    assert [one.block_offload for one in seen] == [False, False, False, True] and "block" in seen[3].reason


def test_a_choice_that_is_none_of_the_stages_gives_way_too():
    base, card = catalogue.get(FLUX), Device("8 GB", "cuda", 8 * GIGA)
    order = recipe(FLUX, 1024, 16, "attention", quantization="none")
    chosen = plan_for(order, base, card, frozenset({"quantization"}))
    assert chosen is not None and chosen.block_offload and chosen.quantization == "none"
    coarser = fallback_for(order, base, card, chosen)
    assert coarser is not None and (coarser.block_offload, coarser.quantization) == (True, "nf4")
    assert "4 bits" in coarser.reason, "the base is not the same any more"
    assert fallback_for(order, base, card, coarser) is None


def test_a_base_whose_weights_are_not_what_fills_the_memory_is_not_made_coarser():
    base, card = catalogue.get(SDXL), Device("24 GB", "cuda", 24 * GIGA)
    order = recipe(SDXL, 1024, 16, "attention", batch_size=4)
    assert fallback_for(order, base, card, plan_for(order, base, card)) is not None
    small = base.model_copy(update={"denoiser_parameters": 100_000_000})
    assert fallback_for(order, small, card, plan_for(order, small, card)) is None


def test_a_shortage_in_a_step_is_told_with_what_changed():
    order = recipe(SDXL, 1024, 16, "attention", batch_size=4)
    halved = shortage(order, 2, False, SENTENCES)
    told = halved.reason % halved.facts
    assert "4 pictures at" in told and "2 at a time" in told
    assert shortage(order, 1, True, SENTENCES).reason == SENTENCES.ran_out_at_one
    asked = order.model_copy(update={"gradient_checkpointing": True})
    assert "1 at a time" in shortage(asked, 1, True, SENTENCES).reason % shortage(asked, 1, True, SENTENCES).facts


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
