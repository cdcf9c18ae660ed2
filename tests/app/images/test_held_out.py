"""Which pictures are kept back to judge trainings."""

import hashlib
import random
import re
from dataclasses import dataclass, replace

import pytest

from app.db import Database
from app.images.judging.held_out import held_out_ids, wanted
from app.storage import Storage
from app.trainings.look.kind import LOOK
from app.trainings.look.overrides import TrainingOverrides
from app.trainings.service import plan_training
from tests.app.images.sets import add_pictures, make_brand
from tests.conftest import SignedIn
from tests.tokens import api_client


@dataclass(frozen=True)
class Facts:
    id: str
    sha256: str
    dhash: str
    only_judging: bool = False


def made(count: int, seed: int = 0) -> list[Facts]:
    """Pictures of which no two look alike."""
    dice = random.Random(seed)
    return [
        Facts(f"{seed}-{n}", hashlib.sha256(f"{seed}/{n}".encode()).hexdigest(), f"{dice.getrandbits(64):016x}")
        for n in range(count)
    ]


@pytest.mark.parametrize(("count", "apart"), [(0, 0), (11, 0), (12, 2), (24, 2), (30, 3), (50, 5)])
def test_a_tenth_and_at_least_two_are_kept_back_from_twelve_on(count: int, apart: int) -> None:
    assert wanted(count) == apart
    assert len(held_out_ids(made(count))) == apart


def test_the_same_stay_apart_when_others_are_added_and_whatever_they_are_called() -> None:
    pictures = made(24)
    before = held_out_ids(pictures)
    later = made(1, seed=1)[0]
    assert held_out_ids([*pictures, replace(later, sha256="f" * 64)]) == before
    renamed = [replace(one, id=f"other {one.id}") for one in pictures]
    assert held_out_ids(renamed) == {f"other {name}" for name in before}


@pytest.mark.parametrize("seed", range(20))
def test_near_twins_are_never_divided(seed: int) -> None:
    pictures = made(30, seed)
    twins = [Facts(f"twin {n}", f"{n:064x}", f"{int(pictures[n].dhash, 16) ^ 0b101:016x}") for n in range(0, 30, 3)]
    apart = held_out_ids([*pictures, *twins])
    assert 2 <= len(apart) <= 6
    for n in range(0, 30, 3):
        assert (pictures[n].id in apart) == (f"twin {n}" in apart)


def test_what_a_person_names_is_kept_back_with_its_twin_also_in_a_small_set() -> None:
    pictures = made(6)
    twin = Facts("twin", "0" * 64, f"{int(pictures[4].dhash, 16) ^ 1:016x}")
    named = [replace(one, only_judging=one.id == pictures[4].id) for one in pictures]
    assert held_out_ids([*named, twin]) == {pictures[4].id, "twin"}
    larger = [replace(one, only_judging=place in (2, 5)) for place, one in enumerate(made(24))]
    assert held_out_ids(larger) == {larger[2].id, larger[5].id}, "named ones count towards the tenth"


def test_where_all_are_near_twins_most_are_still_learned() -> None:
    half = made(2)
    pictures = [Facts(f"{n}", f"{n:064x}", half[n % 2].dhash) for n in range(12)]
    assert len(held_out_ids(pictures)) == 6
    assert held_out_ids([replace(one, dhash=half[0].dhash) for one in pictures]) == frozenset()


def test_a_training_learns_from_the_others_alone(owner: SignedIn, database: Database, storage: Storage) -> None:
    project_id = make_brand(database, owner.workspace_id)
    ids = add_pictures(database, storage, owner.workspace_id, project_id, 12)
    listed = api_client(owner).get(f"/api/v1/projects/{project_id}/images").json()["items"]
    apart = {one["id"] for one in listed if one["held_out"] and not one["only_judging"]}
    assert len(apart) == 2
    with database.read() as session:
        plan = plan_training(
            session,
            LOOK,
            workspace_id=owner.workspace_id,
            project_id=project_id,
            overrides=TrainingOverrides(),
        )
    assert {one.image_id for one in plan.frozen.held_out} == apart
    assert {one.image_id for one in plan.frozen.learned} == set(ids) - apart == {one.id for one in plan.pictures}
    page = owner.client.get(f"/projects/{project_id}/images").text
    assert 'data-held-out="2"' in page
    assert set(re.findall(r'data-tile="(\w+)"', owner.client.get(page_of(project_id, "judging")).text)) == apart


def page_of(project_id: str, show: str) -> str:
    return f"/projects/{project_id}/images?show={show}"


def test_a_person_names_pictures_for_judging_and_takes_it_back(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    project_id = make_brand(database, owner.workspace_id)
    ids = add_pictures(database, storage, owner.workspace_id, project_id, 4)

    def judging() -> set[str]:
        listed = api_client(owner).get(f"/api/v1/projects/{project_id}/images?show=judging").json()["items"]
        return {one["id"] for one in listed}

    assert judging() == set()
    owner.client.post(f"/images/{ids[0]}/only-judge")
    assert judging() == {ids[0]}
    owner.client.post(f"/projects/{project_id}/images/only-judge", data={"ids": ids[1:3]})
    assert judging() == set(ids[:3])
    owner.client.post(f"/images/{ids[0]}/include")
    owner.client.post(f"/images/{ids[1]}/leave-out")
    assert judging() == {ids[2]}
    changed = api_client(owner).patch(f"/api/v1/images/{ids[3]}", json={"only_judging": True}).json()
    assert (changed["only_judging"], changed["held_out"], changed["included"]) == (True, True, True)
    api_client(owner).patch(f"/api/v1/images/{ids[2]}", json={"only_judging": False})
    assert judging() == {ids[3]}
