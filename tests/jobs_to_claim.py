"""Many queued jobs, and processes that claim them: shared by the test of correctness and the benchmark."""

import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select

import app.models  # noqa: F401 - a process of its own needs every table
from app.accounts.models import Workspace
from app.db import Database, new_id
from app.jobs import claims
from app.jobs.models import Job

LONGEST_SECONDS = 3600.0  # only to end a run that hangs


def queue(database: Database, count: int, *, workspaces: int = 3, into_existing: bool = False) -> None:
    """Queue jobs of several workspaces in turn: of new ones, or of those that are there."""
    with database.write() as session:
        rooms = list(session.scalars(select(Workspace))) if into_existing else []
        workspaces = len(rooms) or workspaces
        rooms = rooms or [Workspace(name=f"Team {number}") for number in range(workspaces)]
        session.add_all(rooms)
        session.flush()
        session.add_all(
            Job(
                workspace_id=rooms[number % workspaces].id,
                project_id=None,
                queue="generation",
                kind="generation",
                subject_id=new_id(),
                title="A lighthouse",
                created_by=None,
            )
            for number in range(count)
        )


def _claim_all(url: str, owner: str, begin_at: float, told: "multiprocessing.Queue[list[str]]") -> None:
    database = Database(url)
    time.sleep(max(0.0, begin_at - time.time()))
    taken = []
    while True:
        with database.note() as session:
            claim = claims.claim_next(session, queues=("generation",), owner=owner)
        if claim is None:
            break
        taken.append(claim.job_id)
    told.put(taken)
    database.engine.dispose()


@dataclass(frozen=True)
class Outcome:
    claimed: int
    doubles: int
    seconds: float
    by_worker: list[int]


def claim_all(url: str, workers: int) -> Outcome:
    """Let as many processes claim until nothing is left."""
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[list[str]] = context.Queue()
    began = time.time() + 1.0 * workers  # until all have started
    processes = [
        context.Process(target=_claim_all, args=(url, f"worker-{number}", began, told)) for number in range(workers)
    ]
    for process in processes:
        process.start()
    lists = [told.get(timeout=LONGEST_SECONDS) for _ in processes]
    seconds = time.time() - began
    for process in processes:
        process.join()
    counted = Counter(job_id for taken in lists for job_id in taken)
    doubles = sum(count - 1 for count in counted.values())
    return Outcome(len(counted), doubles, seconds, sorted(len(taken) for taken in lists))
