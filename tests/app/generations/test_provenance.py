"""How a picture was made, as other programs read it from the file."""

import io
import json
from datetime import UTC, datetime
from xml.etree import ElementTree

from PIL import Image

from app.generations.provenance import COMPOSITE_SOURCE_TYPE, SOURCE_TYPE, UsedAdapter, made_by, stamped
from app.generations.recipe import GenerationRecipe
from tests.visuals import png

RECIPE = GenerationRecipe(
    base_model="livery-builtin",
    prompt='nordlicht, ein „schönes“ <Haus> & "Boot" 北',
    negative_prompt="blur",
    width=64,
    height=96,
    count=2,
    seed=100,
    steps=12,
    guidance_scale=4.5,
)
USED = (UsedAdapter("a1", "Nordlicht look", 2, "ab" * 32, 0.8),)
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
MOMENT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def opened(
    recipe: GenerationRecipe = RECIPE, *, multiplier: float = 1.0, seed: int = 101, size: tuple[int, int] = (64, 96)
) -> Image.Image:
    made = made_by(recipe, USED, seed=seed, multiplier=multiplier, size=size)
    picture = Image.open(io.BytesIO(stamped(png(*size), made, MOMENT)))
    picture.load()
    return picture


def test_the_pixels_are_the_same() -> None:
    with Image.open(io.BytesIO(png(64, 96))) as before:
        assert opened().tobytes() == before.tobytes()


def test_programs_read_the_parameters() -> None:
    text = opened().text["parameters"]
    lines = text.split("\n")
    assert lines[0] == RECIPE.prompt + " <lora:nordlicht-look-v2:0.8>"
    assert lines[1] == "Negative prompt: blur"
    assert "Steps: 12, " in lines[2] and "CFG scale: 4.5" in lines[2] and "Seed: 101" in lines[2]
    assert "Size: 64x96" in lines[2] and "Model: livery-builtin" in lines[2] and "abababababab" in lines[2]


def test_a_picture_that_was_enlarged_tells_the_size_of_its_file_and_what_enlarged_it() -> None:
    picture = opened(size=(256, 384))
    assert "Size: 256x384, " in picture.text["parameters"]
    assert "Postprocess upscale by: 4, Postprocess upscaler: realesr-animevideov3-x4" in picture.text["parameters"]
    facts = json.loads(picture.text["livery"])
    assert (facts["width"], facts["height"], facts["enlargement"]) == (256, 384, 4)
    as_drawn = opened()
    assert json.loads(as_drawn.text["livery"])["enlargement"] == 1 and "upscale" not in as_drawn.text["parameters"]


def test_everything_is_there_as_json_too() -> None:
    facts = json.loads(opened(multiplier=0.5).text["livery"])
    assert facts["prompt"] == RECIPE.prompt and facts["seed"] == 101
    assert facts["adapters"] == [
        {"adapter_id": "a1", "name": "Nordlicht look", "version": 2, "sha256": "ab" * 32, "strength": 0.4}
    ]
    assert facts["base_model"] == "livery-builtin" and facts["software"].startswith("Livery")


def test_the_file_says_that_a_model_made_it() -> None:
    described = next(ElementTree.fromstring(opened().info["xmp"]).iter(RDF + "Description"))
    assert described.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType") == SOURCE_TYPE
    assert [words.text for words in described.iter(RDF + "li")] == [RECIPE.prompt]


def test_a_variation_names_both_seeds() -> None:
    recipe = RECIPE.model_copy(update={"variation_strength": 0.35})
    facts = json.loads(opened(recipe).text["livery"])
    assert (facts["variation_of_seed"], facts["seed"], facts["variation_strength"]) == (100, 101, 0.35)
    assert "Seed: 100" in opened(recipe).text["parameters"]
    assert "Variation seed: 101, Variation seed strength: 0.35" in opened(recipe).text["parameters"]


def test_a_picture_that_started_from_another_is_called_a_composite() -> None:
    recipe = RECIPE.model_copy(update={"image": "1" * 64, "mask": "2" * 64, "strength": 0.95})
    picture = opened(recipe)
    described = next(ElementTree.fromstring(picture.info["xmp"]).iter(RDF + "Description"))
    named = described.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert named == COMPOSITE_SOURCE_TYPE
    assert "Denoising strength: 0.95" in picture.text["parameters"]
    facts = json.loads(picture.text["livery"])
    assert (facts["image"], facts["mask"], facts["strength"]) == ("1" * 64, "2" * 64, 0.95)
    plain = json.loads(opened().text["livery"])
    assert (plain["image"], plain["mask"], plain["strength"]) == (None, None, None)
