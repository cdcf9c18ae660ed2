"""The pages of trainings, through HTTP."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from urllib.parse import unquote

import pytest
from sqlalchemy import select, update

from app.accounts.models import Workspace
from app.db import Database, now
from app.images.models import Image
from app.jobs.models import Job, Worker
from app.storage import Storage
from app.trainings.look.kind import LOOK
from app.trainings.look.planner import SENTENCES
from app.trainings.look.warnings import UNKNOWN_WORDS
from app.trainings.models import Training, TrainingSample
from app.trainings.plans import WAITING_BLOCKS
from app.trainings.views import view
from tests.answers import code_of, tells
from tests.conftest import SignedIn, SignUp
from tests.fake_engine import FakeEngine
from tests.html_forms import controls
from tests.orders import make_brand, order_training, worker_context
from tests.tokens import api_client
from tests.visuals import START
from worker.engines import registry
from worker.engines.contracts import EngineError
from worker.run_job import run_next


@pytest.fixture
def project_id(database: Database, storage: Storage, owner: SignedIn) -> str:
    return make_brand(database, storage, owner.workspace_id)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(registry, "engine_for", lambda family: fake)
    return fake


@pytest.fixture
def train(
    database: Database, storage: Storage, engine: FakeEngine, owner: SignedIn, project_id: str
) -> Callable[..., str]:
    def trained(**fields: object) -> str:
        training_id = order_training(database, owner.workspace_id, project_id, **fields)
        run_next(worker_context(database, storage), ("training",))
        return training_id

    return trained


def test_the_new_page_says_what_will_happen(owner: SignedIn, project_id: str) -> None:
    text = owner.client.get(f"/projects/{project_id}/trainings/new").text
    assert 'data-purpose="style"' in text and "Bäckerei Süß" in text
    assert 'data-pictures="6"' in text and 'data-time="none"' in text
    assert 'data-state="warning-few_pictures"' in text
    assert '<a href="/settings">' in text


def test_the_card_says_how_the_training_fits_the_card_that_is_there(
    database: Database, owner: SignedIn, project_id: str
) -> None:
    with database.write() as session:
        session.add(
            Worker(
                id="w1",
                served="training",
                device="A card",
                device_kind="cuda",
                device_memory_bytes=12_000_000_000,
                device_tera_operations=100.0,
            )
        )
    address = f"/projects/{project_id}/trainings/summary"
    text = owner.client.get(address, params={"base_model": "flux-1-dev"}).text
    assert 'data-quantization="nf4"' in text and "12.0 GB" in text
    assert 'data-time="calculated" data-memory="calculated"' in text and "A card" in text
    fixed = owner.client.get(address, params={"base_model": "flux-1-dev", "quantization": "none"}).text
    assert tells(fixed, WAITING_BLOCKS) and "4 bits" not in fixed, "a person's choice is not overruled"
    choices = {"quantization": "none", "gradient_checkpointing": "false"}
    kept = owner.client.get(address, params={"base_model": "flux-1-dev"} | choices).text
    assert tells(kept, SENTENCES.too_large)


def test_a_time_from_to_has_a_cost_from_to_on_the_page_and_in_the_api(
    database: Database, owner: SignedIn, project_id: str
) -> None:
    with database.write() as session:
        session.add(
            Worker(
                id="w1",
                served="training",
                device="A card",
                device_kind="cuda",
                device_memory_bytes=80_000_000_000,
                device_tera_operations=100.0,
            )
        )
    address = f"/projects/{project_id}/trainings/summary"
    with api_client(owner) as client:
        choices = {"base_model": "flux-1-dev"}
        plan = f"/api/v1/projects/{project_id}/trainings/plan"
        assert client.post(plan, json=choices).json()["estimate"]["cost_range"] is None, "nobody has set a price"
        assert 'data-state="no-price"' in owner.client.get(address, params=choices).text
        with database.write() as session:
            session.execute(update(Workspace).values(price_per_hour=4, currency="EUR"))
        estimate = client.post(plan, json=choices).json()["estimate"]
        low, high = estimate["cost_range"]
        assert estimate["cost"] is None and float(low) < float(high)
        text = owner.client.get(address, params=choices).text
    assert f"€{low} to €{high}" in text


def test_no_row_of_samples_is_marked_as_better_than_another(owner: SignedIn, train: Callable[..., str]) -> None:
    text = owner.client.get(f"/trainings/{train()}").text
    kinds = set(re.findall(r'class="samples__row([^"]*)"', text))
    assert kinds == {"", " samples__row--base"}, "nothing measures which row is best"


def test_the_card_follows_the_choices(owner: SignedIn, project_id: str) -> None:
    address = f"/projects/{project_id}/trainings/summary"
    text = owner.client.get(address, params={"purpose": "character", "rank": "", "steps": "77"}).text
    assert 'data-purpose="character"' in text and "77" in text
    assert "<html" not in text


def test_a_number_out_of_bounds_is_said_beside_the_form(owner: SignedIn, project_id: str) -> None:
    headers = {"hx-request": "true"}
    address = f"/projects/{project_id}/trainings/summary"
    for query in ({"rank": "0"}, {"steps": "1" + "0" * 30}, {"resolution": "100"}, {"learning_rate": "nan"}):
        answer = owner.client.get(address, params=query, headers=headers)
        assert (answer.status_code, answer.headers["hx-retarget"]) == (422, "find .form-error")


def test_starting_twice_by_a_double_click_orders_once(owner: SignedIn, project_id: str, database: Database) -> None:
    text = owner.client.get(f"/projects/{project_id}/trainings/new").text
    found = re.search(r'name="order_id" value="([0-9a-f]{32})"', text)
    assert found is not None
    form = {
        "order_id": found[1],
        "purpose": "style",
        "rank": "",
        "sample_prompts": "[trigger], Käse\n\n[trigger], Brot\n",
    }
    answers = [owner.client.post(f"/projects/{project_id}/trainings", data=form) for _ in range(2)]
    assert {answer.headers["location"] for answer in answers} == {f"/trainings/{found[1]}"}
    with database.read() as session:
        (training,) = session.scalars(select(Training))
    assert training.recipe["sample_prompts"] == ["[trigger], Käse", "[trigger], Brot"]


def test_too_few_pictures_are_refused_in_words(owner: SignedIn, database: Database, storage: Storage) -> None:
    small = make_brand(database, storage, owner.workspace_id, pictures=3)
    text = owner.client.get(f"/projects/{small}/trainings/new").text
    assert 'data-state="warning-too_few"' in text and "disabled" in text
    answer = owner.client.post(f"/projects/{small}/trainings", data={"purpose": "style"})
    assert answer.status_code == 409 and code_of(answer) == "too_few_pictures"


def test_the_price_becomes_a_cost(
    owner: SignedIn, database: Database, project_id: str, train: Callable[..., str]
) -> None:
    train()
    with database.write() as session:
        session.execute(update(Workspace).values(price_per_hour=3600))
    text = owner.client.get(f"/projects/{project_id}/trainings/new").text
    assert 'data-time="measured"' in text and "Fake device (1 core)" in text and "€" in text


def test_a_finished_training_shows_samples_loss_and_adapter(
    owner: SignedIn, database: Database, train: Callable[..., str]
) -> None:
    training_id = train()
    text = owner.client.get(f"/trainings/{training_id}").text
    assert 'data-state="done"' in text and "Base model" in text and "Step 12" in text and "<polyline" in text
    assert "suessbaeck, eine Tasse" in text
    assert re.search(r'href="/adapters/[0-9a-f]{32}"', text)
    assert "livery:changed" not in text
    with database.read() as session:
        sample_id = session.scalars(select(TrainingSample.id)).first()
    picture = owner.client.get(f"/trainings/{training_id}/samples/{sample_id}.webp")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/webp")


def test_a_finished_training_grades_what_was_said_before(
    owner: SignedIn, database: Database, train: Callable[..., str]
) -> None:
    training_id = train()
    with database.write() as session:
        given = session.get_one(Training, training_id)
        given.estimate = given.estimate | {"seconds": 110.0, "memory_bytes": 1_200_000_000, "plan": None}
        given.peak_memory_bytes = 800_000_000
        job = session.scalars(select(Job).where(Job.subject_id == training_id)).one()
        job.finished_at = START + timedelta(seconds=100)
        job.started_at = START
    with database.read() as session:
        time, memory, *_ = view(session, LOOK, session.get_one(Training, training_id)).grades
    assert (time.of, round(time.off, 3), time.is_close) == ("time", 0.1, True)
    assert (memory.of, round(memory.off, 3), memory.is_close) == ("memory", 0.5, False)
    text = owner.client.get(f"/trainings/{training_id}").text
    assert text.count('data-state="less"') == 2, "both took less than was said"
    assert "1.2\u00a0GB" in text and "800\u00a0MB" in text
    assert '<th scope="col" class="num" data-state="first-steps">' in text and "120\u00a0MB" in text
    with database.write() as session:
        given = session.get_one(Training, training_id)
        given.estimate = given.estimate | {"seconds": None, "seconds_range": [120.0, 240.0]}
    with database.read() as session:
        time, *_ = view(session, LOOK, session.get_one(Training, training_id)).grades
    assert (time.said, round(time.off, 3)) == ((120.0, 240.0), 0.2)
    assert "2 minutes to 4 minutes" in owner.client.get(f"/trainings/{training_id}").text
    with database.write() as session:
        session.execute(update(Job).where(Job.subject_id == training_id).values(state="failed"))
    assert 'data-state="less"' not in owner.client.get(f"/trainings/{training_id}").text


def test_the_browsers_address_tells_what_was_chosen(owner: SignedIn, project_id: str) -> None:
    address = f"/projects/{project_id}/trainings"
    chosen = {"purpose": "product", "steps": "77", "rank": "", "extra_resolutions": ["96", "160"]}
    for path in (f"{address}/summary", f"{address}/new"):
        answer = owner.client.get(path, params=chosen, headers={"hx-request": "true"})
        told = answer.headers["hx-replace-url"]
        assert told == f"{address}/new?purpose=product&steps=77&extra_resolutions=96&extra_resolutions=160"
    again = controls(owner.client.get(told).text, "order")
    assert again["steps"][0].value == "77" and again["rank"][0].value == ""
    assert "hx-replace-url" not in owner.client.get(told).headers


def test_a_waiting_training_says_honestly_why(owner: SignedIn, database: Database, project_id: str) -> None:
    first = order_training(database, owner.workspace_id, project_id)
    second = order_training(database, owner.workspace_id, project_id)
    assert 'data-state="nobody-serves"' in owner.client.get(f"/trainings/{first}").text
    with database.write() as session:
        session.add(Worker(id="w", served="training", device="CPU", last_seen_at=now()))
        session.execute(update(Job).where(Job.subject_id == first).values(state="running", seconds_left=600))
    text = owner.client.get(f"/trainings/{second}").text
    assert 'data-state="ahead-1"' in text and "10 minutes" in text


def test_the_live_part_asks_again_while_it_runs_and_calls_for_new_samples(
    owner: SignedIn, database: Database, project_id: str, train: Callable[..., str]
) -> None:
    done = train()
    assert owner.client.get(f"/trainings/{done}/live?samples=0").headers["hx-trigger"] == "livery:samples"
    running = order_training(database, owner.workspace_id, project_id)
    with database.write() as session:
        session.execute(
            update(Job)
            .where(Job.subject_id == running)
            .values(state="running", phase="training", progress_done=3, progress_total=12, seconds_left=42)
        )
    answer = owner.client.get(f"/trainings/{running}/live?samples=0")
    assert f'data-live="{running}"' in answer.text
    assert 'hx-trigger="livery:changed"' in answer.text
    assert 'data-progress="25"' in answer.text
    assert "<span data-left>42 seconds</span>" in answer.text
    assert 'data-state="first-steps"' not in answer.text
    with database.write() as session:
        given = session.get_one(Training, running)
        measured = {"steps": 5, "seconds_per_step": 1.0, "seconds_left": 280.0, "seconds": 300.0, "memory_bytes": 9}
        given.estimate = given.estimate | {"first_steps": measured}
    # What was promised is told at the end; while it runs there is one number, the time that is left.
    text = owner.client.get(f"/trainings/{running}/live?samples=0").text
    assert 'data-state="first-steps"' not in text and "5 minutes" not in text
    assert "hx-trigger" not in answer.headers


def test_a_failure_is_a_sentence_and_a_way_on(owner: SignedIn, engine: FakeEngine, train: Callable[..., str]) -> None:
    def fail(step: int) -> None:
        raise EngineError("out_of_memory", "This machine has not enough memory for this job.")

    engine.before_step = fail
    text = owner.client.get(f"/trainings/{train()}").text
    assert "This machine has not enough memory for this job." in text
    found = re.search(r'href="(/projects/[0-9a-f]{32}/trainings/new\?[^"]*resolution=96[^"]*)"', text)
    assert found is not None
    again = owner.client.get(unquote(found[1].replace("&amp;", "&"))).text
    assert re.search(r'<option value="96" selected', again)


@pytest.mark.parametrize(
    ("shortage", "said"),
    [((1, False), SENTENCES.ran_out), ((1, True), SENTENCES.ran_out_at_one)],
)
def test_how_a_step_that_ran_out_of_memory_went_on_is_said(
    owner: SignedIn,
    database: Database,
    engine: FakeEngine,
    train: Callable[..., str],
    shortage: tuple[int, bool],
    said: str,
) -> None:
    engine.shortage = shortage
    training_id = train()
    assert tells(owner.client.get(f"/trainings/{training_id}").text, said)
    with database.write() as session:
        session.execute(update(Job).where(Job.subject_id == training_id).values(state="running"))
    assert tells(owner.client.get(f"/trainings/{training_id}/live").text, said)


def test_cancelling_takes_a_waiting_one_out_of_the_queue(owner: SignedIn, database: Database, project_id: str) -> None:
    training_id = order_training(database, owner.workspace_id, project_id)
    assert f"/trainings/{training_id}/cancel" in owner.client.get(f"/trainings/{training_id}").text
    assert owner.client.post(f"/trainings/{training_id}/cancel").headers["location"] == f"/trainings/{training_id}"
    text = owner.client.get(f"/trainings/{training_id}").text
    assert 'data-state="nothing-learned"' in text and 'data-state="samples-to-come"' not in text
    assert owner.client.post(f"/trainings/{training_id}/cancel").status_code == 409


@pytest.mark.dialect
def test_the_history_lists_them_all(owner: SignedIn, project_id: str, train: Callable[..., str]) -> None:
    assert 'class="empty"' in owner.client.get(f"/projects/{project_id}/trainings").text
    train()
    train(purpose="product")
    text = owner.client.get(f"/projects/{project_id}/trainings").text
    assert "Adapter, version 1" in text and "Adapter, version 2" in text


def test_viewers_look_and_do_not_start(owner: SignedIn, sign_up: SignUp, database: Database, project_id: str) -> None:
    training_id = order_training(database, owner.workspace_id, project_id)
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    assert f"/trainings/{training_id}/cancel" not in viewer.client.get(f"/trainings/{training_id}").text
    assert viewer.client.post(f"/trainings/{training_id}/cancel").status_code == 403
    assert viewer.client.post(f"/projects/{project_id}/trainings", data={"purpose": "style"}).status_code == 403


def test_other_workspaces_see_nothing(sign_up: SignUp, owner: SignedIn, database: Database, project_id: str) -> None:
    training_id = order_training(database, owner.workspace_id, project_id)
    stranger = sign_up()
    for address in (f"/trainings/{training_id}", f"/trainings/{training_id}/live", f"/projects/{project_id}/trainings"):
        assert stranger.client.get(address).status_code == 404


def test_captions_are_read_as_the_base_reads_them(owner: SignedIn, project_id: str) -> None:
    """“Brötchen” is no thing of the built-in model's; of what the others know nobody has said."""
    address = f"/api/v1/projects/{project_id}/trainings/plan"
    for base, count in (("livery-builtin", 1), ("stable-diffusion-xl", 0)):
        said = api_client(owner).post(address, json={"purpose": "style", "base_model": base}).json()["warnings"]
        assert sum(tells(one, UNKNOWN_WORDS, count=6, all=6, word="Brötchen") for one in said) == count


def test_the_api_plans_starts_follows_and_cancels(owner: SignedIn, project_id: str) -> None:
    client = api_client(owner)
    address = f"/api/v1/projects/{project_id}/trainings"
    plan = client.post(f"{address}/plan", json={"purpose": "product", "rank": 8}).json()
    assert (plan["recipe"]["rank"], plan["picture_count"], plan["possible"]) == (8, 6, True)
    assert plan["estimate"]["seconds"] is None and plan["warnings"]
    started = client.post(address, json={"purpose": "product", "rank": 8, "trigger_word": "brezn\u0000"})
    assert started.status_code == 201
    given = started.json()
    assert (given["recipe"]["trigger_word"], given["job"]["state"]) == ("brezn", "queued")
    assert client.get(f"/api/v1/trainings/{given['id']}").json() == given
    assert client.get(f"/api/v1/trainings/{given['id']}/course").json() == {"losses": [], "samples": []}
    assert [item["id"] for item in client.get(address).json()["items"]] == [given["id"]]
    assert client.post(f"/api/v1/trainings/{given['id']}/cancel").json()["job"]["state"] == "cancelled"


@pytest.mark.parametrize(
    ("base", "field", "value", "code"),
    [
        ("flux-1-dev", "min_snr_gamma", 5, "not_on_this_base"),
        ("flux-1-dev", "noise_offset", 0.05, "not_on_this_base"),
        ("stable-diffusion-xl", "timestep_shift", 3, "not_on_this_base"),
        ("livery-builtin", "quantization", "nf4", "not_on_this_base"),
        ("flux-1-dev", "rnak", 8, "invalid"),
    ],
)
def test_the_api_says_which_fields_mean_nothing_on_a_base(
    owner: SignedIn, project_id: str, base: str, field: str, value: float | str, code: str
) -> None:
    client, order = api_client(owner), {"base_model": base, field: value}
    for address in ("", "/plan"):
        refused = client.post(f"/api/v1/projects/{project_id}/trainings{address}", json=order)
        assert refused.status_code == 422 and code_of(refused) == code and (code == "invalid" or field in refused.text)


def test_the_api_refuses_nonsense_without_falling_over(owner: SignedIn, project_id: str) -> None:
    client = api_client(owner)
    address = f"/api/v1/projects/{project_id}/trainings"
    for body in (
        {"rank": 10**30},
        {"purpose": "everything"},
        {"learning_rate": 0},
        {"sample_prompts": ["x"] * 5},
        {"sample_prompts": "x" * 400},
        {"trigger_word": "x" * 400},
        {"base_model": "nothing"},
        {"order_id": "../../etc"},
        {"steps": True, "rank": "x"},
        {"resolution": 2048},
        {"sample_prompts": {"a": 1}},
        [],
    ):
        assert client.post(address, json=body).status_code in (404, 422), body


def blur(database: Database, project_id: str, count: int) -> None:
    with database.write() as session:
        some = session.scalars(select(Image).where(Image.project_id == project_id).order_by(Image.id).limit(count))
        for picture in some:
            picture.sharpness = 3.0


def test_what_is_found_in_the_pictures_stands_before_a_training_too_with_its_act(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id, pictures=12, side=600)
    blur(database, project_id, 3)
    home = f"/projects/{project_id}"
    assert 'data-state="finding-blurry" data-count="3"' in owner.client.get(f"{home}/images").text
    form = f"{home}/trainings/new?purpose=product&steps=77"
    page = owner.client.get(form).text
    assert 'data-state="warning-blurry"' in page and 'data-state="start-anyway"' not in page
    act = re.search(
        rf'form="act" formaction="{home}(/images/leave-out\?small_side=\d+)" name="everything" value="blurry"', page
    )
    back = re.search(r'name="next" value="([^"]+)" form="act"', page)
    assert act and back
    sent = owner.client.post(home + act[1], data={"everything": "blurry", "next": unescape(back[1])})
    assert sent.status_code == 303
    again = owner.client.get(sent.headers["location"]).text
    assert 'data-purpose="product" data-pictures="9" data-steps="77"' in again
    assert 'data-state="warning-blurry"' not in again


def test_what_most_of_a_set_suffers_from_is_started_anyway_or_not_at_all(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id, pictures=12, side=600)
    blur(database, project_id, 11)
    address = f"/projects/{project_id}/trainings"
    page = owner.client.get(f"{address}/new").text
    assert 'name="anyway" value="true" data-state="start-anyway"' in page
    assert re.search(r'data-state="warning-blurry">\s*<div class="callout callout--bad"', page)
    # A page that did not know it yet is led to what speaks against it, with all that was chosen.
    for headers in ({}, {"hx-request": "true"}):
        sent = owner.client.post(address, data={"purpose": "product", "steps": "77"}, headers=headers)
        told = sent.headers.get("location") or sent.headers["hx-redirect"]
        assert told.startswith(f"{address}/new?") and "steps=77" in told and "purpose=product" in told
    started = owner.client.post(address, data={"purpose": "product", "steps": "77", "anyway": "true"})
    assert re.fullmatch(r"/trainings/[0-9a-f]{32}", started.headers["location"])
    with database.read() as session:
        assert len(session.scalars(select(Training)).all()) == 1


def test_programs_get_the_same_findings(owner: SignedIn, database: Database, storage: Storage) -> None:
    project_id = make_brand(database, storage, owner.workspace_id, pictures=12, side=600)
    blur(database, project_id, 11)
    client = api_client(owner)
    plan = client.post(f"/api/v1/projects/{project_id}/trainings/plan", json={}).json()
    (found,) = [one for one in plan["findings"] if one["key"] == "blurry"]
    assert (found["kind"], found["count"]) == ("grave", 11)
    assert found["sentence"] in plan["warnings"] and plan["possible"] is True
