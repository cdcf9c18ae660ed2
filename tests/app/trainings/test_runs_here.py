"""What is said of a base model at a glance comes from the planners and from what was measured."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from fastapi import FastAPI

from app.base_files.models import BaseCopy
from app.base_models import catalogue
from app.base_models.models import OwnBase
from app.db import Database, now
from app.jobs.models import Worker
from app.machine.devices import GIGA, Device
from app.trainings.bases import rows
from app.trainings.bases.runs_here import (
    NO_CARD,
    NOT_TIMED,
    OLD_CARD,
    TOO_LARGE,
    UNDER_AN_HOUR,
    UNKNOWN_MACHINE,
    UP_TO_DAYS,
    UP_TO_HOURS,
    WEEKS,
    for_pictures,
    for_texts,
)
from app.trainings.kind import Modality
from app.trainings.look.estimate import Measurement
from app.trainings.look.presets import recipe_for
from tests.conftest import SignedIn
from tests.tokens import api_client

LAPTOP = Device("CPU (2 cores)", "cpu", 25 * GIGA, 0.05)
DESKTOP = Device("A card", "cuda", 12 * GIGA, 25.0)
SERVER = Device("A large card", "cuda", 80 * GIGA, 400.0)
OLD = Device("An old card", "cuda", 24 * GIGA, 25.0, "float16")
SMALL = Device("A small card", "cuda", 4 * GIGA, 25.0)


@pytest.mark.parametrize(
    ("key", "device", "verdict", "reason"),
    [
        ("livery-builtin", LAPTOP, "yes", NOT_TIMED),
        ("stable-diffusion-1-5", LAPTOP, "slowly", UP_TO_HOURS),
        ("stable-diffusion-xl", LAPTOP, "slowly", UP_TO_DAYS),
        ("flux-1-dev", LAPTOP, "no", WEEKS),
        ("stable-diffusion-1-5", DESKTOP, "yes", UNDER_AN_HOUR),
        ("flux-1-dev", SERVER, "yes", UNDER_AN_HOUR),
        ("flux-1-dev", OLD, "no", OLD_CARD),
        ("flux-1-dev", SMALL, "no", TOO_LARGE),
        ("flux-1-dev", None, "unknown", UNKNOWN_MACHINE.reason),
    ],
)
def test_pictures(key: str, device: Device | None, verdict: str, reason: str) -> None:
    told = for_pictures(catalogue.get(key), device, [])
    assert (told.verdict, told.reason) == (verdict, reason)
    assert "%(" not in told.reason % told.facts


@pytest.mark.parametrize(
    ("key", "device", "verdict", "reason"),
    [
        ("smollm2-135m-instruct", LAPTOP, "yes", NOT_TIMED),
        ("qwen3-1-7b", LAPTOP, "slowly", NO_CARD),
        ("qwen3-4b-instruct-2507", DESKTOP, "yes", NOT_TIMED),
        ("qwen3-14b", SMALL, "no", TOO_LARGE),
        ("qwen3-14b", None, "unknown", UNKNOWN_MACHINE.reason),
    ],
)
def test_texts(key: str, device: Device | None, verdict: str, reason: str) -> None:
    told = for_texts(catalogue.text_model(key), device, [])
    assert (told.verdict, told.reason) == (verdict, reason)


def test_what_was_measured_here_counts_more_than_the_speed_of_the_device() -> None:
    base = catalogue.get("livery-builtin")
    recipe = recipe_for("style", base, trigger_word="style", captions=["a picture"] * 20)
    for pace, verdict, reason in ((1.0, "yes", UNDER_AN_HOUR), (200.0, "slowly", UP_TO_HOURS)):
        taken = Measurement(now(), LAPTOP.name, recipe, pace, 60.0, None, None)
        told = for_pictures(base, LAPTOP, [taken])
        assert (told.verdict, told.reason) == (verdict, reason)
    elsewhere = Measurement(now(), "Another machine", recipe, 1.0, 60.0, None, None)
    assert for_pictures(base, LAPTOP, [elsewhere]).reason == NOT_TIMED


def listed(database: Database, owner: SignedIn, modality: Modality = "image") -> list[rows.BaseRow]:
    with database.read() as session:
        return rows.rows(session, modality, workspace_id=owner.workspace_id)


def recommended(found: Iterable[rows.BaseRow]) -> list[str]:
    return [row.key for row in found if row.is_recommended]


def add_worker(database: Database, device: Device) -> None:
    with database.write() as session:
        session.add(
            Worker(
                id="w1",
                served="training",
                device=device.name,
                device_kind=device.kind,
                device_memory_bytes=device.memory_bytes,
                device_tera_operations=device.tera_operations,
            )
        )


@pytest.mark.parametrize(
    ("device", "pictures", "texts"),
    [
        (None, ["livery-builtin", "stable-diffusion-1-5", "stable-diffusion-xl"], ["smollm2-135m-instruct"]),
        (LAPTOP, ["livery-builtin"], ["qwen3-0-6b", "smollm2-135m-instruct"]),
        (DESKTOP, ["flux-2-klein-base-4b", "stable-diffusion-xl", "stable-diffusion-1-5"], ["qwen3-4b-instruct-2507"]),
    ],
)
def test_the_largest_that_run_well_are_recommended_first(
    database: Database, owner: SignedIn, device: Device | None, pictures: list[str], texts: list[str]
) -> None:
    if device is not None:
        add_worker(database, device)
    found = listed(database, owner)
    assert recommended(found) == pictures == [row.key for row in found[: len(pictures)]]
    assert recommended(listed(database, owner, "text"))[: len(texts)] == texts
    verdicts = [row.runs.verdict for row in found if not row.is_foremost]
    assert verdicts == sorted(verdicts, key=rows.RANKS.index), "what cannot run here comes last"


def test_a_worker_that_is_gone_tells_nothing(database: Database, owner: SignedIn) -> None:
    add_worker(database, SERVER)
    with database.write() as session:
        session.get_one(Worker, "w1").last_seen_at = now() - timedelta(hours=1)
    assert all(row.runs == UNKNOWN_MACHINE for row in listed(database, owner))


def test_licence_and_files_at_a_glance(database: Database, owner: SignedIn) -> None:
    with database.write() as session:
        session.add(
            BaseCopy(
                workspace_id=owner.workspace_id,
                base_model="stable-diffusion-xl",
                machine="m",
                host="box",
                byte_count=9,
            )
        )
        session.add(
            OwnBase(
                workspace_id=owner.workspace_id,
                name="Haus",
                family="stable_diffusion",
                place="hub",
                source="acme/house",
                created_by=owner.user_id,
            )
        )
        session.add(
            OwnBase(
                workspace_id=owner.workspace_id,
                name="Neu",
                family="",
                place="hub",
                source="acme/new",
                created_by=owner.user_id,
            )
        )
    found = {row.name: row for row in listed(database, owner)}
    told = {name: (row.commercial, row.place) for name, row in found.items()}
    assert told["Livery built-in"] == ("yes", "ready")
    assert told["Stable Diffusion 1.5"] == ("limited", "to_fetch")
    assert told["Stable Diffusion XL"] == ("limited", "ready")
    assert told["FLUX.1 [dev]"] == ("no", "gated")
    assert told["Haus"] == ("unknown", "to_fetch") and found["Haus"].is_foremost and not found["Haus"].is_recommended
    for modality in ("image", "text"):
        with database.read() as session:
            unknown = rows.rows_without_entry(session, modality, workspace_id=owner.workspace_id)
        assert [(row.name, row.place, row.runs.verdict) for row in unknown] == [("Neu", "not_looked_at", "unknown")]
    assert all(row.commercial == "yes" for row in listed(database, owner, "text"))


def test_programs_are_told_the_same(app: FastAPI, database: Database, owner: SignedIn) -> None:
    add_worker(database, LAPTOP)
    told = {one["key"]: one for one in api_client(owner).get("/api/v1/base-models-here").json()["items"]}
    flux, builtin = told["flux-1-dev"], told["livery-builtin"]
    assert (flux["runs_here"], flux["commercial"], flux["place"]) == ("no", "no", "gated")
    assert (builtin["recommended"], builtin["runs_here"], builtin["reason"]) == (True, "yes", NOT_TIMED)
    assert told["qwen3-1-7b"]["modality"] == "text" and told["qwen3-1-7b"]["download_bytes"] > GIGA
