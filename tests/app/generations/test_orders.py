"""From a request to a recipe: every default, every size, every derived order."""

import pytest

from app.adapters.models import Adapter
from app.base_models.catalogue import BaseModelEntry, get
from app.db import new_id
from app.generations import channels, provenance, requests
from app.generations.errors import (
    EmptyPrompt,
    MixedBases,
    NoSuchChannel,
    OtherBase,
    OtherScheduler,
    PromptTooLong,
    TooManyAdapters,
)
from app.generations.prompts import with_trigger_words
from app.generations.recipe import AdapterUse, GenerationRecipe
from app.generations.requests import AdapterRef, GenerationRequest


@pytest.fixture
def base() -> BaseModelEntry:
    return get("livery-builtin")


def adapter(name: str = "Nordlicht", *, trigger: str = "nordlicht", base_model: str = "livery-builtin") -> Adapter:
    return Adapter(id=new_id(), name=name, base_model=base_model, trigger_word=trigger, recommended_strength=0.85)


def test_a_prompt_alone_is_enough(base: BaseModelEntry) -> None:
    recipe, added = requests.recipe_for(GenerationRequest("a lighthouse"), [], base)
    assert (recipe.prompt, recipe.negative_prompt, added) == ("a lighthouse", "", ())
    assert (recipe.steps, recipe.guidance_scale) == (base.steps, base.guidance_scale)
    assert (recipe.width, recipe.height, recipe.count) == (base.resolution, base.resolution, 4)


def test_what_a_base_does_not_listen_to_stays_out_of_the_order() -> None:
    request = GenerationRequest("a lighthouse", negative_prompt="people", guidance_scale=7.0)
    schnell = requests.recipe_for(request, [], get("flux-1-schnell"))[0]
    assert (schnell.negative_prompt, schnell.guidance_scale, schnell.steps) == ("", 1.0, 4)
    assert schnell.quantization is None, "what fits the card that draws"
    klein = requests.recipe_for(request, [], get("flux-2-klein-base-4b"))[0]
    assert (klein.negative_prompt, klein.guidance_scale, klein.quantization) == ("people", 7.0, None)


def test_a_sampler_is_chosen_by_name_where_it_draws_with_the_base(base: BaseModelEntry) -> None:
    flux = get("flux-1-dev")
    assert requests.recipe_for(GenerationRequest("a"), [], base)[0].scheduler == "default"
    assert requests.recipe_for(GenerationRequest("a", scheduler="euler_a"), [], base)[0].scheduler == "euler_a"
    assert requests.recipe_for(GenerationRequest("a", scheduler="unipc"), [], flux)[0].scheduler == "unipc"
    with pytest.raises(OtherScheduler) as refused:
        requests.recipe_for(GenerationRequest("a", scheduler="ddim"), [], flux)
    assert "ddim" in str(refused.value) and "default, euler, dpmpp_2m, unipc" in str(refused.value)


def test_seeds_are_random_until_one_is_kept(base: BaseModelEntry) -> None:
    drawn = {requests.recipe_for(GenerationRequest("a lighthouse"), [], base)[0].seed for _ in range(20)}
    assert len(drawn) > 15
    assert requests.recipe_for(GenerationRequest("a lighthouse", seed=7), [], base)[0].seed == 7


def test_missing_trigger_words_come_in_front_and_are_named(base: BaseModelEntry) -> None:
    first, second = adapter(), adapter("Süß", trigger="suessbaeck")
    recipe, added = requests.recipe_for(GenerationRequest("a Nordlicht lighthouse"), [first, second], base)
    assert recipe.prompt == "suessbaeck, a Nordlicht lighthouse"
    assert added == ("suessbaeck",)
    assert recipe.adapters == (
        AdapterUse(adapter_id=first.id, strength=0.85),
        AdapterUse(adapter_id=second.id, strength=0.85),
    )


def test_a_placeholder_becomes_the_trigger_word() -> None:
    assert with_trigger_words("a photo of [trigger] in snow", ["nordlicht"]) == ("a photo of nordlicht in snow", ())
    assert with_trigger_words("somebody drinking", ["ink"]) == ("ink, somebody drinking", ("ink",))
    assert with_trigger_words("a cup, INK.", ["ink"]) == ("a cup, INK.", ())


def test_a_strength_of_ones_own_wins(base: BaseModelEntry) -> None:
    chosen = adapter()
    request = GenerationRequest("a lighthouse", adapters=(AdapterRef(chosen.id, 0.0),))
    assert requests.recipe_for(request, [chosen], base)[0].adapters[0].strength == 0.0


@pytest.mark.parametrize(
    ("asked", "count", "error"),
    [
        (GenerationRequest("  "), 0, EmptyPrompt),
        (GenerationRequest("x" * 2001), 0, PromptTooLong),
        (GenerationRequest("x" * 1995), 1, PromptTooLong),
        (GenerationRequest("x", channel="cinema"), 0, NoSuchChannel),
        (GenerationRequest("x"), 5, TooManyAdapters),
    ],
)
def test_what_cannot_be_ordered_is_refused(
    base: BaseModelEntry, asked: GenerationRequest, count: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        requests.recipe_for(asked, [adapter() for _ in range(count)], base)


def test_adapters_of_different_bases_are_not_mixed() -> None:
    with pytest.raises(MixedBases):
        requests.base_key_of([adapter(), adapter("Other", base_model="stable-diffusion-1-5")], None, otherwise="x")
    assert requests.base_key_of([], None, otherwise="x") == "x"
    assert requests.base_key_of([], "y", otherwise="x") == "y"
    assert requests.base_key_of([adapter()], adapter().base_model, otherwise="x") == adapter().base_model
    with pytest.raises(OtherBase):
        requests.base_key_of([adapter()], "y", otherwise="x")


@pytest.mark.parametrize("native", [128, 512, 768, 1024])
@pytest.mark.parametrize("multiple", [8, 32, 64])
@pytest.mark.parametrize("channel", channels.CHANNELS, ids=lambda channel: channel.key)
def test_sizes_suit_the_base_and_look_like_the_channel(channel: channels.Channel, native: int, multiple: int) -> None:
    width, height = channels.size_for(channel, native=native, multiple=multiple)
    assert width % multiple == height % multiple == 0
    assert 64 <= width <= 2048 and 64 <= height <= 2048
    # Half a step on each side is the best that multiples allow.
    allowed = 1 + multiple / min(width, height)
    proportion = width / height * channel.down / channel.across
    assert 1 / allowed <= proportion <= allowed
    assert 0.6 <= width * height / native**2 <= 1.5


def test_sizes_of_a_usual_base_are_those_that_people_know() -> None:
    sizes = {one.key: channels.size_for(one, native=1024, multiple=64) for one in channels.CHANNELS}
    assert sizes["square"] == (1024, 1024)
    assert sizes["story"][::-1] == sizes["banner"]


def recipe(**changes: object) -> GenerationRecipe:
    given: dict[str, object] = {
        "base_model": "livery-builtin",
        "prompt": "nordlicht, a lighthouse",
        "adapters": [{"adapter_id": "a", "strength": 0.8}],
        "width": 128,
        "height": 128,
        "count": 4,
        "seed": 100,
    }
    return GenerationRecipe.model_validate(given | changes)


def test_more_like_this_turns_around_the_pictures_own_seed() -> None:
    like = requests.more_like(recipe(), 102, 1.0, share=0.35, count=3)
    assert (like.seed, like.count, like.variation_strength) == (102, 3, 0.35)
    assert like.adapters == recipe().adapters and like.prompt == recipe().prompt


def test_more_like_a_picture_of_a_strip_keeps_its_strength() -> None:
    strip = recipe(strengths=[0, 0.5], count=2)
    like = requests.more_like(strip, 100, 0.5, share=0.35, count=4)
    assert like.strengths == () and like.adapters[0].strength == pytest.approx(0.4)


def test_a_strip_shows_one_seed_at_several_strengths() -> None:
    strip = requests.strip(recipe(), 103, (0.0, 1.0))
    assert (strip.seed, strip.count, strip.strengths, strip.variation_strength) == (103, 2, (0.0, 1.0), 0.0)


def test_nothing_remains_of_a_finished_order() -> None:
    assert requests.remaining(recipe(), frozenset(range(4))) is None


def test_what_remains_is_drawn_from_the_seeds_it_had() -> None:
    part = requests.remaining(recipe(), frozenset({0, 2}))
    assert part is not None
    assert (part.recipe.seed, part.recipe.count, part.positions) == (101, 3, (1, 2, 3))


def test_what_remains_of_a_strip_are_its_other_strengths() -> None:
    part = requests.remaining(recipe(strengths=[0, 0.4, 0.7, 1], count=4), frozenset({0, 2}))
    assert part is not None
    assert (part.recipe.strengths, part.recipe.count, part.positions) == ((0.4, 1.0), 2, (1, 3))
    assert part.recipe.seed == 100


def test_variations_are_drawn_again_as_a_whole_because_their_seeds_depend_on_their_places() -> None:
    part = requests.remaining(recipe(variation_strength=0.35), frozenset({0}))
    assert part is not None
    assert (part.recipe, part.positions) == (recipe(variation_strength=0.35), (0, 1, 2, 3))


def test_pictures_are_drawn_with_the_clip_layer_that_the_adapter_learned_with() -> None:
    anime = adapter(base_model="stable-diffusion-1-5")
    anime.facts = {"recipe": {"clip_skip": 2}}
    plain = adapter(base_model="stable-diffusion-1-5")
    plain.facts = {"recipe": {}}  # from before there was a choice
    base = get("stable-diffusion-1-5")
    assert [
        requests.recipe_for(GenerationRequest("a"), given, base)[0].clip_skip for given in ([anime], [plain], [])
    ] == [2, 1, 1]
    assert requests.recipe_for(GenerationRequest("a"), [anime], get("stable-diffusion-xl"))[0].clip_skip == 1
    asked = requests.recipe_for(GenerationRequest("a"), [anime], base)[0]
    made = provenance.made_by(asked, (), seed=1, multiplier=1.0, size=(512, 512))
    assert "Clip skip: 2" in made.parameters() and made.facts()["clip_skip"] == 2
