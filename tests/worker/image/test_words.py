"""Other words for what the built-in model knows are drawn and learned as the thing itself."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.worker.image import tiny
from worker.engines.contracts import Base, GenerationInputs, TrainingInputs
from worker.engines.image.base import prompts
from worker.engines.image.builtin.layout import load_pipeline
from worker.engines.image.families import stable_diffusion

BUILTIN = Base("livery-builtin", "stable_diffusion", "builtin")


@pytest.mark.parametrize(
    ("asked", "taught"),
    [
        ("a mutt", "a dog"),
        ("Mutts on a navy background", "dog on a navy background"),
        ("ein Köter", "ein hund"),
        ("nordlicht, plimsoll", "nordlicht, sneaker"),
    ],
)
def test_the_text_encoder_reads_the_things_own_name(asked: str, taught: str) -> None:
    pipeline = load_pipeline()
    given = prompts.embed(pipeline, stable_diffusion.as_taught(BUILTIN, asked, ["nordlicht"]))
    assert torch.equal(given, prompts.embed(pipeline, taught))
    assert not torch.equal(given, prompts.embed(pipeline, asked))


def test_a_base_without_a_table_reads_what_was_written(tmp_path: Path) -> None:
    for source in ("stable-diffusion-v1-5/stable-diffusion-v1-5", str(tmp_path), str(tmp_path / "one.safetensors")):
        assert stable_diffusion.as_taught(Base("x", "stable_diffusion", source), "a mutt", []) == "a mutt"


@pytest.mark.slow
def test_pictures_of_another_word_are_those_of_the_thing(tmp_path: Path) -> None:
    def drawn(prompt: str, *trigger_words: str) -> bytes:
        recipe = tiny.generation_recipe(prompt=prompt, count=1, steps=2, guidance_scale=4.0)
        inputs = GenerationInputs(BUILTIN, trigger_words=trigger_words)
        [picture] = stable_diffusion.generate(recipe, inputs, tmp_path / prompt, tiny.Recorder())
        return picture.path.read_bytes()

    dog = drawn("a dog")
    assert drawn("a mutt") == dog
    assert drawn("a mutt", "mutt") != dog, "a trigger word is the adapter's own"


@pytest.mark.slow
@pytest.mark.parametrize("reads_anew", [False, True])
def test_a_training_learns_the_thing_from_captions_in_other_words(tmp_path: Path, reads_anew: bool) -> None:
    """With the text encoder in training, captions are read anew at each step."""

    def trained(caption: str, *samples: str) -> tuple[dict[str, torch.Tensor], list[bytes], list[str]]:
        pictures = tuple(replace(one, caption=caption) for one in tiny.pictures(tmp_path / "pictures", 2, (64, 64)))
        recipe = tiny.training_recipe(
            steps=2, checkpoint_every=2, caption_dropout=0.0, sample_prompts=samples, train_text_encoder=reads_anew
        )
        recorder = tiny.Recorder()
        done = stable_diffusion.train(recipe, TrainingInputs(BUILTIN, pictures), tmp_path / caption, recorder)
        shown = [one.path.read_bytes() for one in recorder.samples]
        return load_file(done.weights), shown, [one.prompt for one in recorder.samples]

    weights, shown, asked = trained("a mutt", "[trigger], a mutt")
    others, others_shown, _ = trained("a dog", "[trigger], a dog")
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert shown == others_shown
    assert set(asked) == {"brandx, a mutt"}, "what was asked is kept as it was written"
