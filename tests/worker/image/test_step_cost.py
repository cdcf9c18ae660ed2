"""What the catalogue holds of a step's cost is what the counting gives."""

import itertools

import pytest

from app.base_models import catalogue
from worker.engines.image.measuring import step_cost

pytestmark = pytest.mark.slow


def test_the_catalogue_holds_what_was_counted():
    key = "stable-diffusion-1-5"
    known = catalogue.get(key)
    build, step = step_cost.BASES[key]
    counted = step_cost.count(step_cost.made(build), step, 512)
    assert [counted.kept_mb, counted.kept_mb_checkpointed, counted.kept_mb_of_a_block, counted.tera_operations] == [
        known.step_cost[0].kept_mb,
        known.step_cost[0].kept_mb_checkpointed,
        known.step_cost[0].kept_mb_of_a_block,
        known.step_cost[0].tera_operations,
    ]
    words = step_cost.words(key)
    assert words["parameters"] == known.text_encoder_parameters
    assert words["parameters_per_rank"] == known.text_encoder_parameters_per_rank
    assert words["kept_mb"] == pytest.approx(known.text_encoder_kept_mb, abs=1)


def test_every_kind_of_adapter_is_counted_for_every_base():
    for key in (*step_cost.BASES, *step_cost.ALIKE):
        known = catalogue.get(key)
        kinds = {(one.network, one.target_modules, one.side) for one in known.kept}
        assert kinds == set(itertools.product(step_cost.NETWORKS, step_cost.LAYERS, step_cost.KEPT_SIDES)), key
        for one in known.kept:
            if one.network == "lora":
                assert one.trained_parameters == known.parameters_per_rank[one.target_modules] * step_cost.RANK, key
    (row,) = itertools.islice(step_cost.kept_rows("stable-diffusion-1-5"), 1)
    first = catalogue.get("stable-diffusion-1-5").kept[0]
    assert row == tuple(first.model_dump().values())
