"""What is chosen for cards of different sizes, why, and what comes next when the memory runs out all the same."""

from itertools import pairwise

import pytest

from app.base_models import catalogue
from app.generations import planner
from app.generations.recipe import GenerationRecipe
from app.machine.devices import Device, room_of

GIGA = 10**9
SDXL, FLUX, KLEIN = "stable-diffusion-xl", "flux-1-dev", "flux-2-klein-base-4b"


def card(gigabytes: int) -> Device:
    return Device(f"{gigabytes} GB", "cuda", gigabytes * GIGA)


def order(key: str, **changes: object) -> GenerationRecipe:
    side = catalogue.get(key).resolution
    fields = {"base_model": key, "prompt": "x", "width": side, "height": side, "seed": 1, "count": 4} | changes
    return GenerationRecipe.model_validate(fields)


def plan(key: str, gigabytes: int, **changes: object) -> planner.DrawingPlan:
    found = planner.plan_for(order(key, **changes), catalogue.get(key), card(gigabytes))
    assert found is not None
    return found


def test_the_less_memory_the_more_is_given_up_and_the_reason_says_what() -> None:
    chosen = [plan(FLUX, size) for size in (80, 40, 16, 12, 8)]
    assert [(one.quantization, one.offload) for one in chosen] == [
        ("none", "none"),
        ("none", "models"),
        ("int8", "models"),
        ("nf4", "models"),
        ("none", "blocks"),
    ]
    assert [one.reason for one in chosen] == [
        planner.AS_IT_IS,
        planner.BY_TURNS,
        planner.IN_8_BITS,
        planner.IN_4_BITS,
        planner.BLOCK_BY_BLOCK,
    ]
    assert chosen[3].facts["memory"] == "12.0 GB"
    needed = [one.memory_bytes for one in chosen]
    assert needed == sorted(needed, reverse=True)
    assert all(one.fits and one.memory_bytes <= room_of(card(80)) for one in chosen)


def test_tiles_come_before_turns_and_only_where_they_save_something() -> None:
    twelve = plan(SDXL, 12)
    assert (twelve.quantization, twelve.offload, twelve.tiled) == ("none", "none", True)
    assert twelve.reason == planner.IN_TILES
    assert not plan("stable-diffusion-1-5", 4).tiled, "at 512 pixels the picture is one tile"


def test_as_many_at_once_as_fit_and_one_at_a_time_in_a_strip() -> None:
    assert plan(SDXL, 80, count=8).at_once == 8
    few = plan(SDXL, 8, count=8).at_once
    assert 1 <= few < 8
    assert plan(SDXL, 8, count=8, guidance_scale=1).at_once > few, "without guidance a picture takes half"
    assert plan(SDXL, 80, count=2, strengths=(0, 1)).at_once == 1


def test_what_a_person_chose_stays() -> None:
    chosen = plan(FLUX, 80, quantization="nf4")
    assert (chosen.quantization, chosen.reason) == ("nf4", planner.CHOSEN_4_BITS)
    assert plan(KLEIN, 8, quantization="none").quantization == "none"


def test_what_does_not_fit_at_all_is_tried_in_the_smallest_way_and_said() -> None:
    tiny = plan(SDXL, 2)
    assert not tiny.fits and tiny.reason == planner.TOO_LARGE


@pytest.mark.parametrize("key", [SDXL, FLUX, KLEIN])
def test_out_of_memory_goes_down_one_stage_at_a_time_to_the_end(key: str) -> None:
    recipe, base, large = order(key), catalogue.get(key), card(80)
    now = planner.plan_for(recipe, base, large)
    needed, stages = [], []
    while now is not None:
        needed.append(now.memory_bytes)
        stages.append((now.quantization, now.offload, now.tiled))
        last, now = now, planner.next_smaller(recipe, base, large, now)
    assert len(stages) >= 3 and len(set(stages)) == len(stages)
    assert all(later < sooner for sooner, later in pairwise(needed))
    assert len(last.changes) == len(stages) - 1
    assert last.at_once == 1


def test_a_persons_choice_gives_way_when_the_memory_runs_out() -> None:
    recipe, base = order(FLUX, quantization="none"), catalogue.get(FLUX)
    now = planner.plan_for(recipe, base, card(30))
    assert now is not None and now.quantization == "none"
    smaller = planner.next_smaller(recipe, base, card(30), now)
    assert smaller is not None and smaller.quantization != "none"
    assert smaller.changes[0].reason in (planner.THEN_8_BITS, planner.THEN_4_BITS)


def test_fewer_at_once_and_tiles_are_told() -> None:
    begun = plan(SDXL, 80, count=8)
    fewer = planner.with_tiles(planner.with_fewer(begun, 4))
    assert (fewer.at_once, fewer.tiled) == (4, True)
    assert [change.reason for change in fewer.changes] == [planner.FEWER, planner.THEN_TILED]
    assert fewer.changes[0].facts == {"before": "8", "at_once": "4"}


def test_there_is_no_plan_without_a_card_or_without_the_bases_cost() -> None:
    builtin = catalogue.get("livery-builtin")
    assert planner.plan_for(order("livery-builtin"), builtin, card(8)) is None
    machine = Device("CPU", "cpu", 64 * GIGA)
    assert planner.plan_for(order(SDXL), catalogue.get(SDXL), machine) is None
