"""The whole road, as a marketer walks it: from the first visit to a file that another program draws with.

Everything is real: ``python -m app`` with its workers on embedded defaults, the built-in model, a browser.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.servers import ROOT, Livery, running

pytestmark = pytest.mark.slow
PICTURES = sorted((ROOT / "tests" / "data" / "brand").glob("*.png"))
STEPS = 30
LONG = 240_000
"""Milliseconds; only ends a test that hangs."""

# Another program: diffusers' own loader in a fresh process. Of Livery it takes nothing but the class of the built-in
# model's autoencoder, which diffusers cannot know.
DRAWER = """
import json, sys
import numpy as np, torch
from diffusers import StableDiffusionPipeline
sys.path.insert(0, sys.argv[3])
from worker.engines.image.base.patch_autoencoder import PatchAutoencoder

pictures = []
for file in json.loads(sys.argv[2]):
    vae = PatchAutoencoder.from_pretrained(sys.argv[1], subfolder="vae", torch_dtype=torch.float32)
    pipeline = StableDiffusionPipeline.from_pretrained(
        sys.argv[1], vae=vae, safety_checker=None, torch_dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    if file:
        pipeline.load_lora_weights(file)
    pictures.append(pipeline(
        "nordlicht, a lighthouse", num_inference_steps=8, guidance_scale=4.0,
        generator=torch.Generator().manual_seed(5), output_type="np",
    ).images[0])
np.save(sys.argv[4], np.stack(pictures))
"""


def test_from_the_first_visit_to_a_file_in_another_program(tmp_path: Path, browser: Browser) -> None:
    with running(Livery(tmp_path)) as livery:
        context = browser.new_context(
            base_url=livery.address, viewport={"width": 1440, "height": 900}, locale="en", accept_downloads=True
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        become_owner(page)
        brand = make_brand(page)
        drop_pictures(page, brand)
        write_a_caption(page)
        adapter = train(page, brand)
        files = download_both(page, adapter, tmp_path)
        create(page, brand, adapter)
        review(page)
        context.close()
    reload_elsewhere(files, tmp_path)


def become_owner(page: Page) -> None:
    page.goto("/")
    expect(page).to_have_url(re.compile("/setup"))
    page.locator("[name=name]").fill("Ada Muster")
    page.locator("[name=email]").fill("ada@example.org")
    page.locator("[name=password]").fill("a long enough password")
    page.locator("[name=password_again]").fill("a long enough password")
    page.locator("[name=workspace_name]").fill("Muster & Co.")
    page.locator("form[action='/setup'] button[type=submit]").click()
    expect(page).to_have_url(re.compile("/projects$"))


def make_brand(page: Page, name: str = "Nordlicht") -> str:
    page.goto("/projects/new")
    page.locator("main [name=name]").first.fill(name)
    page.locator("main [name=trigger_word]").first.fill(name.lower())
    page.locator("main form[action='/projects'] button[type=submit]").click()
    expect(page).to_have_url(re.compile("/projects/[0-9a-f]{32}"))
    return re.findall("/projects/([0-9a-f]{32})", page.url)[0]


def drop_pictures(page: Page, brand: str) -> None:
    assert len(PICTURES) == 24
    page.goto(f"/projects/{brand}/images")
    page.locator("input[type=file]").first.set_input_files(PICTURES)
    expect(page.locator("[data-tile]")).to_have_count(24, timeout=LONG)
    page.reload()
    expect(page.locator("[data-tile]")).to_have_count(24)


def write_a_caption(page: Page) -> None:
    field = page.locator("[data-tile] textarea, [data-tile] input[name=caption]").first
    field.fill("a cheerful thing on white")
    with page.expect_response(lambda response: "/caption" in response.url and response.ok):
        field.blur()
    page.reload()
    expect(page.locator("[data-tile] textarea, [data-tile] input[name=caption]").first).to_have_value(
        "a cheerful thing on white"
    )


def train(page: Page, brand: str) -> str:
    page.goto(f"/projects/{brand}/trainings/new")
    expect(page.locator("#summary [data-pictures='24']")).to_be_visible()
    page.locator("#order > details.fold > summary").click()
    page.locator("[name=steps]").fill(str(STEPS))
    page.locator("[name=checkpoint_every]").fill(str(STEPS // 2))
    page.locator("[name=sample_prompts]").fill("[trigger], a lighthouse\n[trigger], a cat")
    page.locator("#summary .summary__foot button[type=submit]").click()
    expect(page).to_have_url(re.compile("/trainings/[0-9a-f]{32}"))
    expect(page.locator("[data-state=may-close]")).to_be_visible()
    expect(page.locator("#live[data-state=done]")).to_be_visible(timeout=LONG)
    expect(page.locator(".loss polyline")).to_have_count(1)
    page.reload()
    # The base, and two checkpoints, each with two prompts.
    expect(page.locator("#samples img")).to_have_count(6)
    page.locator("#live a[href^='/adapters/']").click()
    expect(page).to_have_url(re.compile("/adapters/[0-9a-f]{32}"))
    return re.findall("/adapters/([0-9a-f]{32})", page.url)[0]


def download_both(page: Page, adapter: str, folder: Path) -> list[Path]:
    files = []
    for kind in ("diffusers", "kohya"):
        with page.expect_download() as started:
            page.locator(f"a[href='/adapters/{adapter}/files/{kind}']").click()
        assert started.value.suggested_filename.startswith("nordlicht-style-v1")
        target = folder / f"{kind}.safetensors"
        started.value.save_as(target)
        files.append(target)
    return files


def create(page: Page, brand: str, adapter: str) -> None:
    page.locator(".head__actions a[href*='/studio?adapter=']").click()
    expect(page).to_have_url(re.compile(f"/projects/{brand}/studio"))
    expect(page.locator("#adapter-0")).to_have_value(adapter)
    page.locator("[name=prompt]").fill("a lighthouse")
    page.locator("#composer [type=submit]").click()
    expect(page.locator("#results .result").first.locator("[data-tile] img")).to_have_count(4, timeout=LONG)


def review(page: Page) -> None:
    page.goto("/gallery")
    expect(page.locator("[data-tile]")).to_have_count(4)
    page.locator("[data-tile] a").first.click()
    page.keyboard.press("i")
    dialog = page.locator("dialog[open]")
    expect(dialog.locator("p.pre").first).to_have_text("nordlicht, a lighthouse")
    with page.expect_response(lambda response: "/favourite" in response.url and response.ok):
        page.keyboard.press("f")
    page.keyboard.press("Escape")
    page.goto("/gallery?favourite=1")
    expect(page.locator("[data-tile]")).to_have_count(1)


def reload_elsewhere(files: list[Path], folder: Path) -> None:
    model = ROOT / "worker" / "engines" / "image" / "builtin" / "model"
    wanted = json.dumps(["", *map(str, files)])
    command = [sys.executable, "-c", DRAWER, str(model), wanted, str(ROOT), str(folder / "drawn.npy")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    base, diffusers, kohya = np.load(folder / "drawn.npy") * 255
    assert np.abs(diffusers - kohya).max() <= 2, "both files draw the same picture"
    assert np.abs(diffusers - base).mean() > 0.5, "and it is not the base's"
