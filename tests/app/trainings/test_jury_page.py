"""The jury on a training's page and in the API."""

import re

from app.db import Database
from app.storage import Storage
from app.trainings.models import JuryReading, Training, TrainingSample
from tests.conftest import SignedIn
from tests.orders import make_brand, order_training
from tests.tokens import api_client


def read_at(step: int, away: float, copies: list[dict[str, object]]) -> dict[str, object]:
    return {
        "palette": away,
        "edges": away / 100,
        "texture": away / 100,
        "diversity": 0.5,
        "obedience": 0.7,
        "likeness": 0.9,
        "copies": copies,
    }


def test_one_step_is_advised_and_outlined_and_copies_stand_beside_what_they_repeat(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id)
    training_id = order_training(database, owner.workspace_id, project_id)
    with database.write() as session:
        learned = session.get_one(Training, training_id).pictures[0]["image_id"]
        for step, away in ((0, 10.0), (4, 5.0), (8, 6.0)):
            copies = [{"position": 1000, "image_id": learned, "likeness": 0.95}] if step == 8 else []
            session.add(JuryReading(training_id=training_id, step=step, reading=read_at(step, away, copies)))
            for position in (0, 1, 1000):
                session.add(
                    TrainingSample(
                        workspace_id=owner.workspace_id,
                        training_id=training_id,
                        step=step,
                        position=position,
                        prompt="a kite",
                        seed=1,
                        key=f"{step}-{position}",
                        width=64,
                        height=64,
                    )
                )
    page = owner.client.get(f"/trainings/{training_id}").text
    assert 'data-jury="4"' in page
    outlined = re.findall(r"samples__row--best.*?<strong>(.*?)</strong>", page, re.DOTALL)
    assert len(outlined) == 1 and "4" in outlined[0]
    assert 'data-state="copies" data-count="1"' in page and f"/images/{learned}/thumb/" in page
    assert len(re.findall(r'class="loss"', page)) == 6
    course = api_client(owner).get(f"/api/v1/trainings/{training_id}/course").json()
    assert (course["advised_step"], [one["step"] for one in course["jury"]]) == (4, [0, 4, 8])
    assert course["advised_because"].startswith("Step 4") and len(course["samples"]) == 6
    assert course["jury"][2]["copies"][0]["image_id"] == learned


def test_without_readings_nothing_is_outlined(owner: SignedIn, database: Database, storage: Storage) -> None:
    project_id = make_brand(database, storage, owner.workspace_id)
    training_id = order_training(database, owner.workspace_id, project_id)
    page = owner.client.get(f"/trainings/{training_id}").text
    assert "samples__row--best" not in page and "data-jury" not in page
    assert api_client(owner).get(f"/api/v1/trainings/{training_id}/course").json()["advised_step"] is None
