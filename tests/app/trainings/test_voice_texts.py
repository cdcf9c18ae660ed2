"""What is kept back to measure with was never learned, not in another copy and not by its other half."""

import random

import pytest

from app.base_models import catalogue
from app.db import Database
from app.trainings.service import plan_training
from app.trainings.voice.findings import LINES, PERSONAL, REPEATS
from app.trainings.voice.freeze import freeze, held_out_ids
from app.trainings.voice.kind import VOICE
from app.trainings.voice.overrides import VoiceOverrides
from app.trainings.voice.recipe import VoiceRecipe
from app.trainings.voice.warnings import CUT, NONE_HELD_OUT, voice_warnings
from app.voice.analysis.families import families
from app.voice.analysis.pairs import VoiceSample
from tests import voices
from tests.app.images.sets import make_brand
from tests.app.voice.sets import add_texts
from tests.conftest import SignedIn

RECIPE = VoiceRecipe(base_model="any", rank=8, alpha=16, learning_rate=1e-4, epochs=1)


def sample(sample_id: str, text: str, *, passage: str = "", document: str = "") -> VoiceSample:
    return VoiceSample(sample_id, text, "", "post", "en", "Write a post.", passage=passage, document=document)


def long_texts() -> list[str]:
    found = [row["text"] for name in (voices.NORDLICHT, voices.FIZZBEE) for row in voices.rows(name)]
    return [text for text in found if len(text) > 80]


def with_one_word_changed(text: str, chosen: random.Random) -> str:
    words = text.split()
    at = chosen.randrange(len(words))
    return " ".join([*words[:at], "quite", *words[at + 1 :]])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_copies_of_a_text_are_kept_back_together_or_learned_together(seed: int) -> None:
    chosen = random.Random(seed)
    texts = long_texts()[:100]
    samples = [sample(f"{number}-first", text) for number, text in enumerate(texts)]
    samples += [sample(f"{number}-again", with_one_word_changed(text, chosen)) for number, text in enumerate(texts)]
    samples += [sample(f"{number}-louder", text.upper()) for number, text in enumerate(texts[:20])]
    chosen.shuffle(samples)
    voice = freeze(samples, RECIPE.model_copy(update={"seed": seed}))
    kept_back = {text.sample_id.split("-")[0] for text in voice.held_out}
    learned = {text.sample_id.split("-")[0] for text in voice.learned}
    assert kept_back & learned == set()
    assert 0.7 * 22 <= len(voice.held_out) <= 1.5 * 22


def test_parts_of_a_text_and_of_a_document_stay_together_unless_it_is_all_there_is() -> None:
    texts = long_texts()[:120]
    parts = [sample(str(at), text, passage=f"row/{at // 3}") for at, text in enumerate(texts)]
    kept_back = held_out_ids(parts, 0.1, 0)
    assert {int(one) // 3 for one in kept_back} & {at // 3 for at in range(120) if str(at) not in kept_back} == set()
    files = [sample(str(at), text, document=f"file {at // 4}") for at, text in enumerate(texts)]
    assert [len(family) for family in families(files, largest=12)] == [4] * 30
    book = [sample(str(at), text, passage="row/1", document="one") for at, text in enumerate(texts)]
    assert len(held_out_ids(book, 0.1, 0)) == 12


def test_a_footer_that_all_share_makes_no_family_of_them() -> None:
    footer = (
        "You get this mail because you wanted it. Write to us if you do not want it any more, and we will stop. " * 2
    )
    samples = [sample(str(at), f"{text}\n\n{footer}") for at, text in enumerate(long_texts()[:40])]
    assert len(held_out_ids(samples, 0.1, 0)) == 4


def test_what_is_kept_back_stays_so_when_texts_are_added() -> None:
    samples = [sample(str(at), text) for at, text in enumerate(long_texts()[:120])]
    assert held_out_ids(samples[:100], 0.1, 0) <= held_out_ids(samples, 0.1, 0)


def test_nothing_is_kept_back_where_all_is_one_text() -> None:
    assert held_out_ids([sample(str(at), "The kettle hums.") for at in range(30)], 0.1, 0) == set()
    two = [sample(str(at), long_texts()[at % 4 == 0]) for at in range(40)]
    assert held_out_ids(two, 0.1, 0) == {str(at) for at in range(0, 40, 4)}
    assert held_out_ids(two[:1], 0.1, 0) == set()


def test_the_plan_says_that_nothing_can_be_measured() -> None:
    voice = freeze([sample(str(at), "The kettle hums.") for at in range(30)], RECIPE)
    found = voice_warnings(voice, RECIPE, catalogue.text_models()[0], on_card=False, ready=True)
    assert NONE_HELD_OUT in [warning.msgid for warning in found]


def test_rows_are_long_enough_for_the_longest_text_or_the_plan_says_how_many_are_cut(
    database: Database, owner: SignedIn
) -> None:
    project_id = make_brand(database, owner.workspace_id)
    # As an import cuts documents: German of 1,600 characters is more than 512 tokens of SmolLM2.
    add_texts(
        database, owner.workspace_id, project_id, [*long_texts()[:30], ("Über die Wärme der Töpfe. " * 70)[:1600]]
    )

    def plan(**choices: object) -> tuple[int, list[object]]:
        with database.read() as session:
            made = plan_training(
                session,
                VOICE,
                workspace_id=owner.workspace_id,
                project_id=project_id,
                overrides=VoiceOverrides(**choices),
            )
        return made.recipe.max_length, [one.params["count"] for one in made.warnings if one.msgid == CUT]

    assert plan() == (1536, [])
    assert plan(max_length=512) == (512, [1])
    assert plan(kind="plain_text") == (512, []), "a plain text goes on in the next row"


def test_the_plan_says_what_nobody_has_decided_about(database: Database, owner: SignedIn) -> None:
    project_id = make_brand(database, owner.workspace_id)
    texts = [f"{text}\nUnsubscribe: click here." for text in long_texts()[:30]]
    add_texts(database, owner.workspace_id, project_id, [*texts, texts[0], "Call 030 1234567 now."])
    with database.read() as session:
        plan = plan_training(
            session, VOICE, workspace_id=owner.workspace_id, project_id=project_id, overrides=VoiceOverrides()
        )
    assert [warning.params["count"] for warning in plan.warnings[-3:]] == [1, 1, 1]
    assert [warning.msgid for warning in plan.warnings[-3:]] == [PERSONAL, REPEATS, LINES]


def test_each_of_them_comes_with_what_can_be_done(database: Database, owner: SignedIn) -> None:
    project_id = make_brand(database, owner.workspace_id)
    texts = long_texts()[:30]
    add_texts(database, owner.workspace_id, project_id, [*texts, texts[0], "Call 030 1234567 now."])
    home = f"/projects/{project_id}"
    page = owner.client.get(f"{home}/voice-trainings/new?epochs=7").text
    for path, value in (("personal", "personal"), ("leave-out", "duplicate")):
        sent = f'form="act" formaction="{home}/voice/texts/{path}" name="everything" value="{value}"'
        assert sent in page
        done = owner.client.post(
            f"{home}/voice/texts/{path}", data={"everything": value, "next": f"{home}/voice-trainings/new?epochs=7"}
        )
        assert done.headers["location"] == f"{home}/voice-trainings/new?epochs=7"
    page = owner.client.get(f"{home}/voice-trainings/new").text
    assert 'data-state="warning-personal"' not in page and 'data-state="warning-repeats"' not in page
