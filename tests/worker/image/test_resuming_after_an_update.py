"""A training that waits or runs while Livery is brought up to date goes on from its checkpoint afterwards."""

from pathlib import Path

import pytest

from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import Base, TrainingInputs, TrainingPicture
from worker.engines.image.training import schedule

BEFORE = "71f6d30c0ea192cba006549806930cd1e08fc52d9dfa6cf36bbaf7596ce1c3c5"
"""As checkpoints name this order that were made before captions could be shuffled and CLIP's last layers left out."""
RECIPE = TrainingRecipe(
    base_model="builtin",
    purpose="style",
    trigger_word="nordlicht",
    rank=4,
    alpha=4,
    learning_rate=1e-3,
    steps=10,
    resolution=64,
)


def identity(folder: Path, **changed: object) -> str:
    path = folder / "bell.png"
    path.write_bytes(b"a picture")
    picture = TrainingPicture(path, "a bell", left=0, top=0, width=64, height=64, target_width=64, target_height=64)
    inputs = TrainingInputs(base=Base("builtin", "builtin", "builtin", "1"), pictures=(picture,))
    return schedule.identity(RECIPE.model_copy(update=changed), inputs)


def test_a_recipe_from_before_has_the_same_name(tmp_path: Path) -> None:
    """Whoever gives recipes a further field adds it to ``schedule.FIELDS_ADDED_LATER``."""
    assert identity(tmp_path) == BEFORE


@pytest.mark.parametrize("changed", [{"shuffle_caption": True}, {"clip_skip": 2}, {"keep_tokens": 3}, {"rank": 8}])
def test_another_order_has_another_name(tmp_path: Path, changed: dict[str, object]) -> None:
    assert identity(tmp_path, **changed) != BEFORE
