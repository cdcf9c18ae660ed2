"""From a number of texts to a recipe."""

import pytest

from app.base_models import catalogue
from app.trainings.voice.presets import voice_recipe_for


@pytest.mark.parametrize(
    ("texts", "epochs", "rank"), [(20, 5, 8), (50, 4, 8), (100, 4, 8), (300, 3, 16), (1000, 2, 16), (2500, 2, 16)]
)
def test_more_texts_are_read_less_often_by_an_adapter_with_more_room(texts: int, epochs: int, rank: int) -> None:
    for base in catalogue.text_models():
        recipe = voice_recipe_for(base, texts)
        assert (recipe.epochs, recipe.rank, recipe.alpha) == (epochs, rank, 2 * rank), base.key
        assert recipe.held_out_share == 0.1


def test_what_somebody_decides_wins_and_alpha_follows_the_rank() -> None:
    base = catalogue.text_models()[0]
    assert voice_recipe_for(base, 500, {"rank": 4}).alpha == 8
    assert voice_recipe_for(base, 500, {"rank": 4, "alpha": 4.0}).alpha == 4
