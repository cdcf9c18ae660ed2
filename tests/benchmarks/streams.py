"""``python -m tests.benchmarks.streams [open pages] [seconds]``: ordinary pages beside pages that listen to live jobs.

A web process of its own, on SQLite and, where ``TEST_DATABASE_URL`` names a PostgreSQL server, on an empty database
there too; a brand with pictures, and jobs that run and report twice a second. Prints the p50 and p95 of ordinary pages
without and with the open streams, as a browser on this machine sees them, their ratio, and the process's memory.

What listens is a program that reads and, like a page in a browser, asks for its moving part every half a minute; pages
would ask once more whenever a picture is done. It runs on the same cores as the web process, so its work is in the
numbers.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
from sqlalchemy import create_engine, make_url, select, text

import app.models  # noqa: F401 - every table, as they name each other
from app.accounts import service as accounts
from app.accounts.models import User
from app.db import Database, new_id
from app.generations.models import Generation
from app.generations.recipe import GenerationRecipe
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.jobs.stream import MOST_PER_BROWSER
from app.projects.models import Project
from app.web.gate.middleware import SESSION_COOKIE
from tests.benchmarks.upload import Browser, set_up, web_process
from tests.many_pictures import hang_many
from tests.servers import Livery, running

RUNNING_JOBS = 20
REPORT_EVERY_SECONDS = 0.5
PICTURES = 2000
REFRESH_EVERY_SECONDS = 30.0
"""As ``templates/static/js/live.js`` does on average."""


@dataclass(frozen=True)
class Scene:
    """What the benchmark looks at: ids, cookies of as many browsers as are needed, and ordinary pages."""

    subject_ids: list[str]
    claims: list[Claim]
    cookies: list[str]
    pages: dict[str, str]


def set_the_scene(database: Database, open_pages: int) -> Scene:
    with database.read() as session:
        project = session.scalars(select(Project)).one()
    workspace_id = project.workspace_id
    ids = hang_many(database, workspace_id, PICTURES)
    recipe = GenerationRecipe(base_model="livery-builtin", prompt="a lighthouse", width=64, height=64, seed=1, count=4)
    subject_ids = [new_id() for _ in range(RUNNING_JOBS)]
    with database.write() as session:
        for subject_id in subject_ids:
            session.add(
                Generation(
                    id=subject_id,
                    workspace_id=workspace_id,
                    project_id=project.id,
                    recipe=recipe.model_dump(mode="json"),
                )
            )
            jobs.enqueue(
                session,
                workspace_id=workspace_id,
                project_id=project.id,
                kind="generation",
                subject_id=subject_id,
                title=recipe.prompt,
                created_by=None,
            )
    claims = []
    for _ in range(RUNNING_JOBS):
        with database.write() as session:
            claim = claims.claim_next(session, queues=("generation",), owner="benchmark")
        assert claim is not None
        claims.append(claim)
    report(database, claims, 0)
    with database.write() as session:
        user = session.scalars(select(User)).one()
        tokens = [
            accounts.open_session(session, user, user_agent="benchmark", workspace_id=workspace_id)
            for _ in range(1 + open_pages // MOST_PER_BROWSER)
        ]
    pages = {
        "brand": f"/projects/{ids['brand']}",
        "gallery": "/gallery",
        "studio": f"/projects/{project.id}/studio",
        "jobs": "/jobs",
    }
    return Scene(subject_ids, claims, [f"{SESSION_COOKIE}={token}" for token in tokens], pages)


def report(database: Database, claims: list[Claim], done: int) -> None:
    with database.write() as session:
        for claim in claims:
            claims.record_progress(session, claim, phase="drawing", done=done, total=100_000, seconds_left=600.0 + done)


class Worker(threading.Thread):
    """Reports on all jobs, as a worker would on its own."""

    def __init__(self, database: Database, claims: list[Claim]) -> None:
        super().__init__(daemon=True)
        self.database, self.claims, self.ended = database, claims, threading.Event()

    def run(self) -> None:
        done = 1
        while not self.ended.wait(REPORT_EVERY_SECONDS):
            report(self.database, self.claims, done)
            done += 1


async def listen(port: int, cookie: str, subject_id: str, heard: Counter[str], all_open: asyncio.Barrier) -> None:
    """One open page's stream, with as little work of our own as can be."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /live?of={subject_id} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {cookie}\r\n\r\n".encode())
    status = await reader.readline()
    heard[status.decode().split()[1]] += 1
    await all_open.wait()
    try:
        while line := await reader.readline():
            if line.startswith(b"data: "):
                json.loads(line[6:])
                heard["news"] += 1
    finally:
        writer.close()


async def refresh(client: httpx2.AsyncClient, subject_id: str, delay: float) -> None:
    """What such a page asks for beside its stream."""
    await asyncio.sleep(delay)
    while True:
        answer = await client.get(f"/generations/{subject_id}/progress")
        assert answer.status_code == 200
        await asyncio.sleep(REFRESH_EVERY_SECONDS)


async def browse(client: httpx2.AsyncClient, pages: dict[str, str], seconds: float) -> dict[str, list[float]]:
    """One person who looks at a page, reads, looks at the next."""
    waits: dict[str, list[float]] = {name: [] for name in pages}
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        for name, path in pages.items():
            began = time.perf_counter()
            answer = await client.get(path)
            assert answer.status_code == 200, path
            waits[name].append(time.perf_counter() - began)
            await asyncio.sleep(0.05)
    return waits


async def core_share(process: psutil.Process, seconds: float) -> float:
    """How much of one core the process uses while nobody looks at another page."""
    before, began = process.cpu_times(), time.perf_counter()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (time.perf_counter() - began)


def told(alone: dict[str, list[float]], beside: dict[str, list[float]], open_pages: int) -> None:
    print(f"{'':10} {'alone':>24} {f'beside {open_pages}':>24} {'ratio':>14}")
    for name in [*alone, "all"]:
        columns, cuts = [], []
        for waits in (alone, beside):
            values = waits[name] if name != "all" else [one for several in waits.values() for one in several]
            quantiles = statistics.quantiles(values, n=20)
            cuts.append((quantiles[9] * 1000, quantiles[18] * 1000))
            columns.append("p50 {:5.0f}, p95 {:5.0f} ms".format(*cuts[-1]))
        columns.append(f"{cuts[1][0] / cuts[0][0]:.2f}, {cuts[1][1] / cuts[0][1]:.2f}")
        print(f"{name:10} {columns[0]:>24} {columns[1]:>24} {columns[2]:>14}")


async def measure(livery: Livery, scene: Scene, open_pages: int, seconds: float) -> None:
    web = web_process(livery)
    headers = {"cookie": scene.cookies[-1]}
    async with httpx2.AsyncClient(base_url=livery.address, headers=headers, timeout=60) as client:
        await browse(client, scene.pages, 3)  # warm
        before = web.memory_info().rss
        alone = await browse(client, scene.pages, seconds)
        heard, all_open = Counter[str](), asyncio.Barrier(open_pages + 1)
        open_ones = []
        for number in range(open_pages):
            cookie, subject_id = scene.cookies[number // MOST_PER_BROWSER], scene.subject_ids[number % RUNNING_JOBS]
            delay = REFRESH_EVERY_SECONDS * number / open_pages
            open_ones.append(asyncio.create_task(listen(livery.port, cookie, subject_id, heard, all_open)))
            open_ones.append(asyncio.create_task(refresh(client, subject_id, delay)))
        await all_open.wait()
        assert heard["200"] == open_pages, heard
        share = await core_share(web, seconds / 2)
        heard["news"] = 0
        began = time.perf_counter()
        beside = await browse(client, scene.pages, seconds)
        news = heard["news"] / (time.perf_counter() - began)
        after = web.memory_info().rss
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
    told(alone, beside, open_pages)
    print(f"{news:.0f} news a second; the open pages alone take {share:.0%} of a core")
    print(f"web process: {before / 1e6:.0f} MB without them, {after / 1e6:.0f} MB with them")


def run(open_pages: int, seconds: float, database_url: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        environment = {"EMBEDDED_WORKERS": "none", "MAX_LIVE_PAGES": str(open_pages + 10)}
        if database_url:
            environment["DATABASE_URL"] = database_url
        livery = Livery(Path(name), **environment)
        with running(livery):
            set_up(Browser(livery.port))
            database = Database(database_url or f"sqlite:///{Path(name) / 'data' / 'livery.sqlite3'}")
            print(database.engine.dialect.name)
            scene = set_the_scene(database, open_pages)
            worker = Worker(database, scene.claims)
            worker.start()
            asyncio.run(measure(livery, scene, open_pages, seconds))
            worker.ended.set()
            worker.join()
            database.engine.dispose()


def on_server(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def main(open_pages: int = 300, seconds: int = 20) -> None:
    run(open_pages, seconds, "")
    if server := os.environ.get("TEST_DATABASE_URL"):
        name = f"livery_streams_{new_id()[:12]}"
        on_server(server, f"CREATE DATABASE {name}")
        try:
            run(open_pages, seconds, make_url(server).set(database=name).render_as_string(hide_password=False))
        finally:
            on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
