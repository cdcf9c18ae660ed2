"""``python -m tests.benchmarks.pages [open pages] [seconds]``: ordinary pages beside many that show live progress.

A web process of its own on SQLite, one running training, and as many open jobs pages as asked for, each of which asks
for its moving part every two seconds as htmx does. Prints the p50 and p95 of ordinary pages without and with them, as a
browser on this machine sees them.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx2

import app.models  # noqa: F401 - every table, as they name each other
from app.db import Database, new_id
from app.jobs import service as jobs
from app.projects.models import Project
from tests.benchmarks.upload import Browser, set_up, web_process
from tests.servers import Livery, running

EVERY_SECONDS = 2.0
ORDINARY = ("/projects", "/gallery", "/adapters", "/members")


def run_a_job(url: str) -> None:
    """A job that runs, so that the pages have something to show."""
    database = Database(url)
    with database.write() as session:
        project = session.query(Project).first()
        assert project is not None
        for _ in range(5):
            jobs.enqueue(
                session,
                workspace_id=project.workspace_id,
                project_id=project.id,
                lane="generation",
                subject_id=new_id(),
                title="A lighthouse",
                created_by=None,
            )
    with database.write() as session:
        claim = jobs.claim(session, lanes=("generation",), owner="benchmark")
        assert claim is not None
        jobs.record_progress(session, claim, phase="drawing", done=3, total=10, seconds_left=60.0)
    database.engine.dispose()


async def get(client: httpx2.AsyncClient, path: str) -> httpx2.Response:
    """Once more when the server has closed the idle connection in this very moment, as browsers do."""
    try:
        return await client.get(path)
    except httpx2.TransportError:
        return await client.get(path)


async def poll(client: httpx2.AsyncClient, delay: float, ended: asyncio.Event, waits: list[float]) -> None:
    await asyncio.sleep(delay)
    while not ended.is_set():
        began = time.perf_counter()
        answer = await get(client, "/jobs/lanes")
        assert answer.status_code == 200
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(EVERY_SECONDS)


async def browse(client: httpx2.AsyncClient, seconds: float) -> list[float]:
    """One person who looks at a page, reads, looks at the next."""
    waits, deadline = [], time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        for path in ORDINARY:
            began = time.perf_counter()
            answer = await get(client, path)
            assert answer.status_code == 200, path
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)
    return waits


def told(name: str, waits: list[float]) -> None:
    cuts = statistics.quantiles(waits, n=20)
    print(f"{name:44} {len(waits):6} answers, p50 {cuts[9] * 1000:6.0f} ms, p95 {cuts[18] * 1000:6.0f} ms")


async def measure(address: str, cookie: str, pages: int, seconds: float) -> None:
    limits = httpx2.Limits(max_connections=pages + 10, max_keepalive_connections=pages + 10)
    async with httpx2.AsyncClient(base_url=address, headers={"cookie": cookie}, limits=limits, timeout=60) as client:
        await browse(client, 3)  # warm
        told("ordinary pages, alone", await browse(client, seconds))
        ended, waits = asyncio.Event(), []
        open_pages = [
            asyncio.create_task(poll(client, EVERY_SECONDS * number / pages, ended, waits)) for number in range(pages)
        ]
        await asyncio.sleep(EVERY_SECONDS)
        told(f"ordinary pages, beside {pages} live ones", await browse(client, seconds))
        ended.set()
        await asyncio.gather(*open_pages)
        told("the live ones' moving part", waits)


def main(pages: int = 300, seconds: int = 20) -> None:
    with tempfile.TemporaryDirectory() as name:
        livery = Livery(Path(name), EMBEDDED_WORKERS="none")
        with running(livery):
            browser = Browser(livery.port)
            set_up(browser)
            run_a_job(f"sqlite:///{Path(name) / 'data' / 'livery.sqlite3'}")
            cookie = "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
            asyncio.run(measure(livery.address, cookie, pages, float(seconds)))
            print(f"web process afterwards: {web_process(livery).memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
