"""Pages that change by themselves while somebody looks at them: through their stream, and without one."""

import io
import re
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from app.jobs import claims, outcomes
from app.jobs.claims import Claim
from app.storage import Storage
from app.trainings import attempts
from app.trainings.attempts import Loss, Sample
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn
from tests.orders import make_brand, order_training

pytestmark = pytest.mark.slow
OpenPage = Callable[..., Page]
NO_POLLING = "window.setInterval = () => 0;"
NO_STREAM = "delete window.EventSource;"
PATIENCE_MS = 30_000


@pytest.fixture
def open_page(browser: Browser, address: str, owner: SignedIn) -> Iterator[OpenPage]:
    """A page of the owner's; what their browser complained of must be nothing."""
    context = browser.new_context(locale="en")
    context.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
    complaints: list[str] = []

    def make(path: str, script: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.add_init_script(script)
        page.goto(address + path)
        return page

    expect.set_options(timeout=PATIENCE_MS)
    yield make
    context.close()
    expect.set_options(timeout=5000)
    assert complaints == []


def a_picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (16, 16), "#0a5c9e").save(content, "WEBP")
    return content.getvalue()


def take(app: FastAPI) -> Claim:
    with app.state.database.write() as session:
        claim = claims.claim_next(session, queues=("training",), owner="w1")
    assert claim is not None
    return claim


def learn(app: FastAPI, claim: Claim, step: int, seconds_left: float) -> None:
    with app.state.database.write() as session:
        claims.record_progress(session, claim, phase="training", done=step, total=5000, seconds_left=seconds_left)


@pytest.mark.parametrize("script", [NO_POLLING, NO_STREAM], ids=["stream", "polling"])
def test_a_training_is_watched(
    app: FastAPI, storage: Storage, owner: SignedIn, open_page: OpenPage, script: str
) -> None:
    project_id = make_brand(app.state.database, storage, owner.workspace_id)
    training_id = order_training(app.state.database, owner.workspace_id, project_id, steps=5000)
    page = open_page(f"/trainings/{training_id}", script)
    live = page.locator("#live")
    expect(live.locator("[data-state=nobody-serves]")).to_be_visible()
    claim = take(app)
    expect(live.locator("[data-state=starting]")).to_be_visible()
    learn(app, claim, 1200, 300)
    expect(live.locator("[data-done]")).to_have_text("1,200")
    expect(live.locator("[data-left]")).to_have_text("5 minutes")
    live.evaluate("node => node.dataset.kept = 'yes'")
    learn(app, claim, 2500, 180)
    expect(live.locator("[data-done]")).to_have_text("2,500")
    expect(live.locator("[data-left]")).to_have_text("3 minutes")
    expect(live.locator("progress")).to_have_attribute("aria-label", "Learning")
    assert live.locator("progress").evaluate("bar => bar.value") == 2500
    expect(page).to_have_title(re.compile("^50 % .*Bäckerei Süß"))
    # Numbers alone are written into the page that is there.
    assert (live.get_attribute("data-kept") == "yes") is (script == NO_POLLING)
    key = f"projects/{project_id}/trainings/{training_id}/samples/one.webp"
    storage.put(key, a_picture())
    with app.state.database.write() as session:
        attempts.note_losses(session, claim, [Loss(step=1, loss=0.5, learning_rate=1e-4)])
        attempts.note_sample(
            session, claim, Sample(step=0, position=0, prompt="eine Tasse", seed=1, key=key, width=160, height=160)
        )
    expect(page.locator("#samples img")).to_have_count(1)
    with app.state.database.write() as session:
        outcomes.fail(session, claim, code="diverged", sentence="It went astray.")
    expect(live).to_have_attribute("data-state", "failed")
    assert page.locator("[data-live]").count() == 0


@pytest.mark.parametrize("script", [NO_POLLING, NO_STREAM], ids=["stream", "polling"])
def test_the_jobs_page_shows_what_comes_and_goes(
    app: FastAPI, storage: Storage, owner: SignedIn, open_page: OpenPage, script: str
) -> None:
    project_id = make_brand(app.state.database, storage, owner.workspace_id)
    page = open_page("/jobs", script)
    queues = page.locator("#queues")
    expect(queues.locator("[data-state=no-jobs]")).to_be_visible()
    order_training(app.state.database, owner.workspace_id, project_id)
    expect(queues.locator("[data-position='1']")).to_be_visible()
    claim = take(app)
    learn(app, claim, 500, 600)
    expect(queues.locator("[data-percent]")).to_have_text("10")
    learn(app, claim, 1000, 480)
    expect(queues.locator("[data-percent]")).to_have_text("20")
    expect(queues.locator("[data-left]")).to_have_text("8 minutes")
    with app.state.database.write() as session:
        outcomes.end_cancelled(session, claim)
    expect(queues.locator("[data-state=no-jobs]")).to_be_visible()


def test_a_button_that_is_held_down_stays_until_it_is_let_go(
    app: FastAPI, storage: Storage, owner: SignedIn, open_page: OpenPage
) -> None:
    project_id = make_brand(app.state.database, storage, owner.workspace_id)
    training_id = order_training(app.state.database, owner.workspace_id, project_id, steps=5000)
    page = open_page(f"/trainings/{training_id}", NO_POLLING)
    live, dialog = page.locator("#live"), page.locator("#cancel-training")
    live.locator("[data-open-dialog=cancel-training]").hover()
    page.mouse.down()
    with page.expect_response(lambda answer: f"/trainings/{training_id}/live" in answer.url):
        claim = take(app)
    expect(live.locator("[data-state=nobody-serves]")).to_be_visible()
    page.mouse.up()
    expect(dialog).to_be_visible()
    expect(live.locator("[data-state=starting]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    # Whoever goes through the page with the keyboard stays where they are.
    button = live.locator("[data-open-dialog=cancel-training]")
    button.focus()
    learn(app, claim, 1200, 300)
    expect(live.locator("[data-done]")).to_have_text("1,200")
    expect(button).to_be_focused()


def test_how_long_ago_stays_true_while_a_page_is_open(
    app: FastAPI, storage: Storage, owner: SignedIn, open_page: OpenPage
) -> None:
    project_id = make_brand(app.state.database, storage, owner.workspace_id)
    training_id = order_training(app.state.database, owner.workspace_id, project_id)
    page = open_page("/jobs", "")
    page.clock.install()
    page.goto(page.url.replace("/jobs", f"/trainings/{training_id}"))
    ago = page.locator("time[data-ago]").first
    before = ago.inner_text()
    page.clock.fast_forward("04:00")
    expect(ago).to_have_text("4 minutes ago")
    page.clock.fast_forward("56:00")
    expect(ago).to_have_text("1 hour ago")
    assert before not in ("4 minutes ago", "1 hour ago")
