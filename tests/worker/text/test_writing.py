"""Writing with a language model: the same order gives the same text, word by word, and a stop is a stop."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from tests.worker.text import tiny
from worker.engines import registry
from worker.engines.contracts import AdapterFile, Base, Cancelled, EngineError, GiveBack
from worker.engines.text import base as bases
from worker.engines.text import causal_lm, dataset
from worker.engines.text.causal_lm import to_last_sentence
from worker.engines.text.chat import prompt_tokens
from worker.engines.text.continuing import draw
from worker.engines.text.examples import PLAIN_BEGINNING
from worker.engines.text_contracts import Said, WritingInputs

pytestmark = pytest.mark.slow


def finished(recipe: tiny.Asked, inputs: WritingInputs) -> list[str]:
    return [one.text_so_far for one in causal_lm.write(recipe, inputs, tiny.Notes()) if one.finished]


def test_a_text_grows_word_by_word_and_the_same_order_gives_it_again(model: Base) -> None:
    notes, asked = tiny.Notes(), tiny.Asked(count=2)
    course = list(registry.text_engine_for("causal_lm").write(asked, WritingInputs(model), notes))
    first = [one for one in course if one.variant == 0]
    assert [one.tokens for one in first if not one.finished] == list(range(1, first[-1].tokens + 1))
    assert all(later.text_so_far.startswith(earlier.text_so_far) for earlier, later in pairwise(first[:-1]))
    assert [one.variant for one in course if one.finished] == [0, 1]
    assert notes.phases == ["loading", "writing"] and notes.reports[-1] == (24, 24)

    bases.drop_loaded()
    again = finished(asked, WritingInputs(model))
    assert again == [one.text_so_far for one in course if one.finished] and again[0] != again[1]
    assert finished(replace(asked, seed=8, count=1), WritingInputs(model)) == [again[1]], "variant i is seed + i"


def test_a_template_that_tells_the_day_always_tells_the_same(model: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = bases.load(model)
    dated = (
        "{%- set now = strftime_now( \"%d %B %Y\") -%}Today is {{ now }}, {{ strftime_now('%Y-%m') }}.\n"
        + tiny.TEMPLATE
    )
    monkeypatch.setattr(loaded.tokenizer, "chat_template", dated)
    prompt = loaded.tokenizer.decode(prompt_tokens(loaded, [Said("user", "Write about tea.")]))
    assert "Today is 01 January 2025, 2025-01." in prompt and "Write about tea." in prompt


def test_a_voice_of_four_bits_writes_over_four_bits_what_its_training_measured(model: Base, folder: Path) -> None:
    recipe, given = tiny.voice_recipe(quantization="nf4", epochs=1, measured_texts=1), tiny.voice_inputs(model)
    trained = causal_lm.train(recipe, given, folder, tiny.Notes())
    assert trained.measures is not None
    text = given.held_out[trained.measures.asked[0]]
    asked = tiny.Asked(
        text.order,
        quantization="nf4",
        max_new_tokens=len(dataset.answer(bases.load(model).tokenizer, text, [], 192)),
        temperature=recipe.sample_temperature,
        top_p=1.0,
        seed=recipe.sample_seed,
    )
    inputs = WritingInputs(model, AdapterFile("voice", trained.weights, 1.0))
    assert finished(asked, inputs) == list(trained.measures.adapter.texts)
    assert bases.weight_bytes(bases.load(model, "nf4").model) == trained.base_bytes
    assert finished(replace(asked, quantization="none"), inputs) != list(trained.measures.adapter.texts)


def test_a_voice_of_plain_texts_goes_on_from_a_beginning(folder: Path) -> None:
    silent = tiny.save_model(folder / "silent", chat=False)
    recipe = tiny.voice_recipe(kind="plain_text", epochs=1, measured_texts=1)
    given = tiny.voice_inputs(silent)
    trained = causal_lm.train(recipe, given, folder / "out", tiny.Notes())
    assert trained.measures is not None
    tokenizer = bases.load(silent).tokenizer
    text = given.held_out[trained.measures.asked[0]]
    beginning = tokenizer.decode(tokenizer(text.text)["input_ids"][:PLAIN_BEGINNING])
    asked = tiny.Asked(
        (Said("user", beginning),),
        kind="plain_text",
        max_new_tokens=len(dataset.answer(tokenizer, text, [], 192)),
        temperature=recipe.sample_temperature,
        top_p=1.0,
        seed=recipe.sample_seed,
    )
    inputs = WritingInputs(silent, AdapterFile("voice", trained.weights, 1.0))
    course = list(causal_lm.write(asked, inputs, tiny.Notes()))
    assert all(one.text_so_far.startswith(beginning) for one in course)
    [words] = [one.text_so_far for one in course if one.finished]
    assert words.endswith(trained.measures.adapter.texts[0]) and len(words) > len(beginning)
    guided = replace(asked, messages=(Said("system", given.style_guide), *asked.messages))
    prompted = finished(guided, WritingInputs(silent))
    assert prompted[0].endswith(trained.measures.prompted.texts[0]) and given.style_guide not in prompted[0]


def test_without_temperature_the_likeliest_word_is_taken(model: Base) -> None:
    cold = finished(tiny.Asked(temperature=0, count=2), WritingInputs(model))
    assert cold[0] == cold[1] == finished(tiny.Asked(temperature=1e-4), WritingInputs(model))[0]


@pytest.mark.parametrize(
    ("broken_off", "left"),
    [
        ("Two lamps light a room. One is", "Two lamps light a room."),
        ("Er sagt: „Komm!“ Und dann ging", "Er sagt: „Komm!“"),
        ("A lamp for dark days\nand what", "A lamp for dark days\n"),
        ("Whole. Whole too.", "Whole. Whole too."),
        ("Short. But this sentence goes on and on without an", "Short. But this sentence goes on and on without an"),
        ("Version 2.5 of the lamp", "Version 2.5 of the lamp"),
        ("", ""),
    ],
)
def test_a_text_that_was_broken_off_ends_with_its_last_whole_sentence(broken_off: str, left: str) -> None:
    assert to_last_sentence(broken_off) == left


def test_only_likely_words_are_drawn() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    generator = torch.Generator().manual_seed(0)
    drawn = {draw(logits, 1.0, 0.7, generator) for _ in range(200)}
    assert drawn == {0, 1}
    assert {draw(logits, 1.0, 1.0, generator) for _ in range(400)} == {0, 1, 2, 3}


def test_a_cancelled_text_ends_with_what_there_is_and_a_given_back_one_goes_through(model: Base) -> None:
    course = list(causal_lm.write(tiny.Asked(), WritingInputs(model), tiny.Notes(Cancelled(), stop_at=4)))
    assert [one.tokens for one in course] == [1, 2, 3] and not course[-1].finished
    with pytest.raises(GiveBack):
        list(causal_lm.write(tiny.Asked(), WritingInputs(model), tiny.Notes(GiveBack(), stop_at=2)))


def test_what_cannot_be_written_is_said_in_a_sentence(model: Base, folder: Path) -> None:
    with pytest.raises(EngineError) as long:
        list(causal_lm.write(tiny.Asked(max_new_tokens=600), WritingInputs(model), tiny.Notes()))
    assert long.value.code == "too_long"
    silent = tiny.save_model(folder / "silent", chat=False)
    with pytest.raises(EngineError) as wordless:
        list(causal_lm.write(tiny.Asked(), WritingInputs(silent), tiny.Notes()))
    assert wordless.value.code == "no_chat_template"
    with pytest.raises(EngineError) as away:
        (folder / "empty").mkdir()
        list(causal_lm.write(tiny.Asked(), WritingInputs(replace(model, source=str(folder / "empty"))), tiny.Notes()))
    assert away.value.code == "model_unavailable"


def test_the_model_that_comes_along_writes_and_is_kept_unpacked(unpacked: Path) -> None:
    shipped = Base("smollm2-135m-instruct", "causal_lm", "builtin")
    asked = tiny.Asked((Said("user", "Write one sentence about coffee."),), max_new_tokens=16, temperature=0)
    [first] = finished(asked, WritingInputs(shipped, cache=unpacked))
    assert "coffee" in first.lower()
    loaded = bases.load(shipped)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    probe = torch.tensor([prompt_tokens(loaded, asked.messages)])
    with torch.no_grad():
        from_the_cache = loaded.model(input_ids=probe).logits
        bases.drop_loaded()
        packed = bases.load(shipped, cache=None).model(input_ids=probe).logits
    assert torch.equal(from_the_cache, packed)
    [kept] = (unpacked / "bases").iterdir()
    assert (kept / "model.safetensors").is_file() and (kept / "tokenizer.json").is_file()


def test_a_template_that_knows_no_system_turn_gets_its_words_before_the_users(model: Base) -> None:
    loaded = bases.load(model)
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    loaded.tokenizer.chat_template = strict + tiny.TEMPLATE
    asked = prompt_tokens(loaded, [Said("system", "Be kind."), Said("user", "Write about tea.")])
    assert loaded.tokenizer.decode(asked).startswith("<|im_start|>user\nBe kind.\n\nWrite about tea.<|im_end|>")
    loaded.tokenizer.chat_template = "{{ raise_exception('never') }}"
    with pytest.raises(EngineError, match="does not take an order"):
        prompt_tokens(loaded, [Said("user", "Write about tea.")])
