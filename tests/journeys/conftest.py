"""A real browser, and Livery behind a real port."""

import os
import shutil
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright

from app.web.serve import Server
from tests.servers import free_port


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing on this machine")
        pytest.skip("chromium is missing on this machine")
    # Bars and shimmers that move are drawn by the processor here, all the while that a test waits for something.
    still = "--force-prefers-reduced-motion"
    flags = ["--no-sandbox", "--disable-gpu", still, "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=flags)
        yield started
        started.close()


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The test's own application, served on a port of this machine."""
    port = free_port()
    server = Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)
