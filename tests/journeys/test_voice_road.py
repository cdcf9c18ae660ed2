"""The voice's whole road in a browser: texts from a file, a training with real steps, honest numbers, a file for PEFT.

Everything is real: ``python -m app`` with its workers on embedded defaults and the language model that comes along.
"""

import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_whole_road import become_owner, make_brand
from tests.servers import Livery, running
from tests.voices import NORDLICHT, voice_rows

pytestmark = pytest.mark.slow
TEXTS = 60
LONG = 1_800_000
"""Milliseconds; only ends a test that hangs."""


def test_from_pasted_texts_to_a_voice_that_is_measured_and_taken_along(tmp_path: Path, browser: Browser) -> None:
    with running(Livery(tmp_path)) as livery:
        context = browser.new_context(
            base_url=livery.address, viewport={"width": 1440, "height": 900}, locale="en", accept_downloads=True
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        become_owner(page)
        brand = make_brand(page)
        bring_texts(page, brand, tmp_path)
        train(page, brand)
        read_the_measures(page)
        page.get_by_role("link", name="Open the adapter").click()
        take_along(page, tmp_path)
        context.close()


def bring_texts(page: Page, brand: str, folder: Path) -> None:
    file = folder / "texts.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in voice_rows(NORDLICHT)[:TEXTS]))
    page.goto(f"/projects/{brand}/voice/add")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Read the file").click()
    expect(page).to_have_url(re.compile("/voice/imports/[0-9a-f]{32}"))
    page.get_by_role("button", name=re.compile("^Take in")).click()
    page.goto(f"/projects/{brand}/voice")
    expect(page.get_by_text(re.compile(f"{TEXTS} of 100")).first).to_be_visible()


def train(page: Page, brand: str) -> None:
    page.get_by_role("link", name="Train the voice").click()
    expect(page.get_by_text("It will learn how Nordlicht writes")).to_be_visible()
    expect(page.get_by_text(f"{TEXTS} texts are few")).to_be_visible()
    page.get_by_text("Advanced").click()
    page.locator("[name=epochs]").fill("1")
    page.locator("[name=evaluations_per_epoch]").fill("1")
    page.locator("[name=learning_rate]").fill("0.002")
    page.get_by_role("button", name="Start learning").click()
    expect(page).to_have_url(re.compile("/voice-trainings/[0-9a-f]{32}"))
    expect(page.get_by_text("It has learned", exact=True)).to_be_visible(timeout=LONG)


def read_the_measures(page: Page) -> None:
    expect(page.get_by_text("It sounds more like the brand")).to_be_visible()
    rows = page.locator("table", has_text="Surprise (perplexity)").locator("tbody tr")
    expect(rows).to_have_count(3)
    base, prompted, adapter = (float(rows.nth(n).locator("td").first.inner_text()) for n in range(3))
    assert adapter < prompted and adapter < base
    print(f"perplexity on unseen texts: base {base}, with style guide {prompted}, adapter {adapter}")
    expect(page.locator(".loss polyline")).to_have_count(2)
    expect(page.get_by_text("What it writes")).to_be_visible()
    assert page.locator("#live .card", has_text="Base alone").count() == 2


def take_along(page: Page, folder: Path) -> None:
    for kind, ending in (("peft", "-peft.zip"), ("gguf", ".gguf"), ("safetensors", ".safetensors")):
        with page.expect_download() as started:
            page.locator(f"a[href$='/voice-files/{kind}']").click()
        assert started.value.suggested_filename == f"nordlicht-voice-v1{ending}"
        started.value.save_as(folder / started.value.suggested_filename)
    with zipfile.ZipFile(folder / "nordlicht-voice-v1-peft.zip") as packed:
        configuration = json.loads(packed.read("adapter_config.json"))
        assert configuration["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
        content = packed.read("adapter_model.safetensors")
        assert content == (folder / "nordlicht-voice-v1.safetensors").read_bytes()
    assert (folder / "nordlicht-voice-v1.gguf").read_bytes()[:4] == b"GGUF"
