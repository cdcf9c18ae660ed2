"""``python -m tests.tools.pages [ADDRESS ...]``: what pages weigh in a browser that has seen nothing of Livery yet.

Each page is opened in a context of its own, so that nothing is kept from the one before: requests, bytes as they go
over the wire, the page's own HTML unpacked, and how high it is on a desk and on a phone. It needs Chromium.
"""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from app.db import Database
from app.main import create_app
from app.migrate import migrate
from app.settings import Settings
from app.storage import open_storage
from app.web.gate.middleware import SESSION_COOKIE
from tests.rules import worlds
from tests.sockets import served

FRAME = ("/projects", "/base-models", "/base-models?kind=texts", "/jobs", "/members", "/settings", "/settings/api")
"""Pages of words: what they weigh is the frame and themselves."""
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@dataclass(frozen=True)
class Weight:
    """One page, opened cold."""

    path: str
    requests: int
    """The page's own included."""
    wire_bytes: int
    """Of all answers as they came, with their heads."""
    html_bytes: int
    """Of the page itself, unpacked."""
    height: int
    """In CSS pixels, at 1440 × 900."""
    phone_height: int
    """At 390 × 844."""


def weight_of(browser: Browser, address: str, path: str, cookie: str) -> Weight:
    """Open ``path`` on a desk, count, and look again on a phone."""
    context = browser.new_context(viewport=DESK, locale="en")
    context.add_cookies([{"name": SESSION_COOKIE, "value": cookie, "url": address}])
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    ended: list[dict[str, Any]] = []
    network.on("Network.loadingFinished", lambda told: ended.append(told))
    answer = page.goto(address + path, wait_until="networkidle")
    if answer is None or answer.status != 200:
        raise SystemExit(f"{path} did not answer with a page")
    html, height = len(answer.body()), _height(page)
    counted = list(ended)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    phone_height = _height(page)
    context.close()
    return Weight(path, len(counted), sum(int(one["encodedDataLength"]) for one in counted), html, height, phone_height)


def _height(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollHeight"))


def main(paths: Sequence[str]) -> None:
    """Print one line for each of ``paths``, in a workspace with one row of everything."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'livery.sqlite3'}"
        migrate(Database(url))
        settings = Settings(secret_key="only for weighing", log_level="WARNING", data_dir=folder, database_url=url)  # type: ignore[arg-type]
        app = create_app(settings)
        world = worlds.build(app, open_storage(settings), "Nordlicht")
        print(f"{'page':32}{'requests':>10}{'wire kB':>10}{'HTML kB':>10}{'1440 px':>10}{'390 px':>10}")
        with served(app) as port, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            for path in paths:
                one = weight_of(browser, f"http://127.0.0.1:{port}", path, world.browser.cookies[SESSION_COOKIE])
                sizes = f"{one.wire_bytes / 1000:>10.0f}{one.html_bytes / 1000:>10.0f}"
                print(f"{one.path:32}{one.requests:>10}{sizes}{one.height:>10}{one.phone_height:>10}")
            browser.close()


if __name__ == "__main__":
    main(sys.argv[1:] or FRAME)
