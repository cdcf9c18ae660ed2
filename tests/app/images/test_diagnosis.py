"""The diagnosis of a set: the score, its acts, and taking them back. Pictures are measured by hand here."""

import base64

import numpy as np
import pytest

from app.db import Database
from app.images import queries
from app.images.diagnosis import captions, service
from app.images.diagnosis.measures import VERSION, PictureMeasures
from app.images.diagnosis.scoring import Facts, diagnose
from app.storage import Storage
from tests.answers import code_of
from tests.app.images.sets import add_pictures, make_brand
from tests.conftest import SignedIn
from tests.tokens import api_client

STYLE = (2.0, 4.0, 0.06, 0.3, 0.8, 3.8, 3.6, 90.0, 17.0, 10.0, 18.0, 0.1)


def measured(seed: int, *, sharpest: float = 0.9, lettering: tuple[str, ...] = (), odd: float = 0) -> PictureMeasures:
    raster = np.random.default_rng(seed).integers(-60, 60, (24, 24, 3)).astype(np.int8)
    return PictureMeasures(
        raster=base64.b64encode(raster.tobytes()).decode(),
        sharpest=sharpest,
        blocking=0.0,
        style=tuple(one + odd for one in STYLE),
        border="#ffffff" if seed % 2 else "#203040",
        lettering=lettering,
    )


def facts(seed: int, caption: str = "", **measures: object) -> Facts:
    return Facts(str(seed), f"thing {seed}.png", caption or f"object {seed}", 800, measured(seed, **measures))  # type: ignore[arg-type]


def test_a_sound_set_has_nothing_to_do() -> None:
    known = diagnose([facts(seed) for seed in range(12)], trigger_word="zanti")
    assert (known.score, known.acts, known.is_varied) == (100, (), False)


def test_varied_is_said_where_it_was_measured_only() -> None:
    rng = np.random.default_rng(3)
    grounds = rng.integers(-60, 60, (12, 3))
    pictures = []
    for seed in range(12):
        noise = rng.integers(-60, 60, (24, 24, 3)) + grounds[seed]
        raster = base64.b64encode(noise.astype(np.int8).tobytes()).decode()
        one = facts(seed)
        pictures.append(
            Facts(one.id, one.filename, one.caption, 800, one.measures.model_copy(update={"raster": raster}))
        )
    assert diagnose(pictures, trigger_word="zanti").is_varied
    assert not diagnose(pictures[:7], trigger_word="zanti").is_varied


def test_each_fault_is_named_and_following_the_acts_raises_the_score() -> None:
    pictures = [facts(seed) for seed in range(14)]
    twin = facts(3)
    pictures += [Facts("twin", twin.filename, "the same thing", 800, twin.measures)]
    pictures += [facts(20, sharpest=0.2), facts(21, lettering=("SAMPLE",)), facts(22, odd=40)]
    known = diagnose(pictures, trigger_word="zanti")
    assert {part.part: part.ids for part in known.parts if part.ids and part.part != "background"} == {
        "twins": ("twin",),
        "sharpness": ("20",),
        "lettering": ("21",),
        "unity": ("22",),
    }
    assert len(known.acts) == 3
    gone = {one for act in known.acts for one in act.ids}
    after = diagnose([one for one in pictures if one.id not in gone], trigger_word="zanti")
    assert after.score >= known.score + sum(act.gain for act in known.acts) - 2


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["a red cup", ""], [None, "missing"]),
        (["zanti", "a cup"], ["missing", None]),
        (["a cup"] * 3 + ["a dog"], ["alike"] * 3 + [None]),
        (["a cup, flat vector illustration", "Ein Haus, gezeichnet"], ["style", "style"]),
    ],
)
def test_captions_are_missing_alike_or_about_the_style(texts: list[str], found: list[str | None]) -> None:
    assert captions.faults(texts, "zanti") == found


@pytest.fixture
def project_id(database: Database, storage: Storage, owner: SignedIn) -> str:
    """With ten pictures, of which one is blurry and none has a caption."""
    made = make_brand(database, owner.workspace_id)
    for place, image_id in enumerate(add_pictures(database, storage, owner.workspace_id, made, 10)):
        with database.write() as session:
            queries.image(session, workspace_id=owner.workspace_id, image_id=image_id).caption = ""
            one = measured(place, sharpest=0.2 if place == 4 else 0.9)
            service.note_measures(session, image_id=image_id, measures=one)
    return made


def test_a_click_leaves_out_and_another_takes_it_back(owner: SignedIn, project_id: str) -> None:
    client, api = api_client(owner), f"/api/v1/projects/{project_id}/images"
    before = client.get(f"{api}/diagnosis").json()
    assert (before["measured"], before["waiting"]) == (10, 0)
    answer = owner.client.post(f"/projects/{project_id}/images/diagnosis/sharpness")
    assert answer.status_code == 303
    after = client.get(f"{api}/diagnosis").json()
    assert after["measured"] == 9 and after["score"] >= before["score"]
    blurry = next(part["image_ids"] for part in before["parts"] if part["part"] == "sharpness")
    undo = owner.client.post(f"/projects/{project_id}/images/diagnosis/sharpness/undo?ids={blurry[0]}")
    assert undo.status_code == 303
    assert client.get(f"{api}/diagnosis").json() == before


def test_captions_are_written_and_taken_back_but_for_those_changed_since(owner: SignedIn, project_id: str) -> None:
    client, api = api_client(owner), f"/api/v1/projects/{project_id}/images/diagnosis"
    written = client.post(f"{api}/captions").json()["image_ids"]
    assert len(written) == 10
    client.patch(f"/api/v1/images/{written[0]}", json={"caption": "my own"})
    assert client.post(f"{api}/captions/undo", json={"image_ids": written}).json() == {"changed": 9}
    assert client.get(f"/api/v1/images/{written[0]}").json()["caption"] == "my own"


def test_nothing_left_to_do_is_said(owner: SignedIn, project_id: str) -> None:
    answer = api_client(owner).post(f"/api/v1/projects/{project_id}/images/diagnosis/lettering")
    assert answer.status_code == 409 and code_of(answer) == "nothing_to_cure"


def test_the_page_shows_the_score_and_the_acts(owner: SignedIn, project_id: str) -> None:
    page = owner.client.get(f"/projects/{project_id}/images/diagnosis").text
    assert 'data-state="measured"' in page and 'data-act="sharpness"' in page and "data-score=" in page


def test_pictures_that_cannot_be_measured_are_not_waited_for(
    database: Database, storage: Storage, owner: SignedIn
) -> None:
    made = make_brand(database, owner.workspace_id)
    first, second = add_pictures(database, storage, owner.workspace_id, made, 2)
    with database.write() as session:
        waiting = service.next_to_measure(session)
        assert waiting is not None and waiting.id == first and waiting.is_original_size
        service.note_measures(session, image_id=first, measures=None)
    with database.read() as session:
        waiting = service.next_to_measure(session)
        assert waiting is not None and waiting.id == second
        known = service.of_brand(session, workspace_id=owner.workspace_id, project_id=made)
    assert (known.all, known.waiting, known.diagnosis, VERSION) == (1, 1, None, 1)
