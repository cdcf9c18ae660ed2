"""From a purpose to a recipe: bounds, what follows from what, prompts to watch."""

import itertools

import pytest

from app.base_models import catalogue
from app.trainings.look.overrides import TrainingOverrides
from app.trainings.look.presets import (
    PURPOSES,
    known_to,
    preset_for,
    recipe_for,
    sample_prompts_for,
    steps_for,
    unheard,
)

BUILTIN = catalogue.get("livery-builtin")
SD15 = catalogue.get("stable-diffusion-1-5")
CAPTIONS = [f"süßes Brötchen {n}" for n in range(12)]


@pytest.mark.parametrize(
    ("purpose", "base", "count"), list(itertools.product(PURPOSES, catalogue.all_models(), (5, 12, 50, 2000)))
)
def test_every_preset_gives_a_whole_recipe(purpose, base, count) -> None:  # type: ignore[no-untyped-def]
    recipe = recipe_for(purpose, base, trigger_word="nordlicht", captions=["x"] * count)
    preset = preset_for(purpose, base)
    assert preset.min_steps <= recipe.steps * recipe.batch_size <= preset.max_steps
    assert recipe.resolution == base.resolution
    assert 1 <= len(recipe.sample_prompts) <= 4
    assert recipe.checkpoint_every <= recipe.steps


def test_the_built_in_model_is_quick() -> None:
    assert recipe_for("style", BUILTIN, trigger_word="x", captions=CAPTIONS).steps <= 400
    assert recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS).steps >= 800


def test_steps_follow_pictures_and_batch() -> None:
    preset = preset_for("style", SD15)
    assert steps_for(preset, 20) == 1600
    assert steps_for(preset, 20, batch_size=4) == 400
    assert steps_for(preset, 1) == 1000 and steps_for(preset, 5000) == 3000


def test_alpha_follows_a_changed_rank_unless_it_is_changed_itself() -> None:
    usual = recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS)
    larger = recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS, changes={"rank": usual.rank * 2})
    assert larger.alpha == usual.alpha * 2
    both = recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS, changes={"rank": 8, "alpha": 3.0})
    assert (both.rank, both.alpha) == (8, 3.0)


def test_checkpoints_follow_the_steps() -> None:
    recipe = recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS, changes={"steps": 80})
    assert recipe.checkpoint_every == 10


def test_captions_that_are_only_the_trigger_word_are_never_dropped() -> None:
    assert recipe_for("style", SD15, trigger_word="x", captions=["", " "]).caption_dropout == 0
    assert recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS).caption_dropout > 0


def test_min_snr_can_be_switched_off() -> None:
    choices = TrainingOverrides(min_snr_gamma=0)
    recipe = recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS, changes=choices.changes())
    assert recipe.min_snr_gamma is None


def test_prompts_come_from_captions_and_from_what_was_never_there() -> None:
    prompts = sample_prompts_for(preset_for("style", BUILTIN), BUILTIN, CAPTIONS)
    assert prompts[:2] == ("[trigger], süßes Brötchen 0", "[trigger], süßes Brötchen 6")
    assert all("Brötchen" not in prompt for prompt in prompts[2:]) and len(prompts) == 4


def test_a_caption_that_says_where_the_trigger_goes_is_left_alone() -> None:
    prompts = sample_prompts_for(preset_for("style", BUILTIN), BUILTIN, ["a cup in the style of [trigger]"])
    assert prompts[0] == "a cup in the style of [trigger]"


def test_a_flow_model_gets_no_weights_of_noise_levels_that_it_does_not_know() -> None:
    choices = TrainingOverrides(min_snr_gamma=5, noise_offset=0.1, timestep_shift=3.0)
    flux = catalogue.get("flux-1-dev")
    recipe = recipe_for("style", flux, trigger_word="x", captions=CAPTIONS, changes=choices.changes())
    assert (recipe.min_snr_gamma, recipe.noise_offset, recipe.timestep_shift) == (None, 0.0, 3.0)
    assert (recipe.quantization, recipe.gradient_checkpointing) == ("nf4", True)
    other = recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS, changes=choices.changes())
    assert (other.min_snr_gamma, other.noise_offset, other.timestep_shift) == (5.0, 0.1, None)


def test_how_the_base_is_held_can_be_chosen_where_that_is_on_offer() -> None:
    changes = TrainingOverrides(quantization="int8", gradient_checkpointing=False).changes()
    klein = catalogue.get("flux-2-klein-base-4b")
    recipe = recipe_for("product", klein, trigger_word="x", captions=CAPTIONS, changes=changes)
    assert (recipe.quantization, recipe.gradient_checkpointing) == ("int8", False)
    other = recipe_for("product", SD15, trigger_word="x", captions=CAPTIONS, changes=changes)
    assert (other.quantization, other.gradient_checkpointing) == ("int8", False)
    nothing_to_hold = recipe_for("product", BUILTIN, trigger_word="x", captions=CAPTIONS, changes=changes)
    assert nothing_to_hold.quantization == "none"
    assert known_to(BUILTIN, changes) == {"gradient_checkpointing": False}, "what was left out binds no plan"


def test_a_distilled_klein_learns_at_the_noise_that_it_draws_at() -> None:
    for key, shift in (("flux-2-klein-4b", 10), ("flux-2-klein-9b", 10), ("flux-2-klein-base-4b", None)):
        base = catalogue.get(key)
        made = recipe_for("style", base, trigger_word="x", captions=CAPTIONS)
        assert made.timestep_shift == shift
        asked = recipe_for("style", base, trigger_word="x", captions=CAPTIONS, changes={"timestep_shift": 3.0})
        assert asked.timestep_shift == 3.0


def test_clip_skip_is_for_stable_diffusion_1_alone() -> None:
    asked = {"clip_skip": 2}
    assert recipe_for("style", SD15, trigger_word="x", captions=CAPTIONS, changes=asked).clip_skip == 2
    for key in ("stable-diffusion-xl", "flux-1-dev", "livery-builtin"):
        base = catalogue.get(key)
        made = recipe_for("style", base, trigger_word="x", captions=CAPTIONS, changes=asked)
        assert made.clip_skip == 1 and unheard(asked, made, base) == ["clip_skip"], (
            "refused where it is asked for aloud"
        )
