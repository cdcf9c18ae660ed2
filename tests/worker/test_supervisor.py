"""One command looks after web and workers, and leaves nothing behind."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.servers import Livery, answers, running, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def livery(tmp_path: Path) -> Iterator[Livery]:
    with running(Livery(tmp_path)) as started:
        yield started


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_it_prints_its_address_once_it_answers_there_and_starts_web_and_two_workers(tmp_path: Path) -> None:
    livery = Livery(tmp_path)
    try:
        wait_until(lambda: f"Livery is at {livery.address}" in livery.tail(), seconds=120, what="the address")
        assert answers(f"{livery.address}/health/live")
        wait_until(lambda: len(livery.workers()) == 2, seconds=30, what="two workers")
    finally:
        livery.stop()


def test_a_killed_worker_is_started_again(livery: Livery) -> None:
    wait_until(lambda: len(livery.workers()) == 2, seconds=30, what="two workers")
    victim = livery.workers()[0]
    victim.kill()
    wait_until(lambda: len(livery.workers()) == 2 and victim not in livery.workers(), seconds=30, what="another worker")
    assert answers(f"{livery.address}/health/live")


def test_sigterm_ends_everything(livery: Livery) -> None:
    family = livery.family()
    livery.process.send_signal(signal.SIGTERM)
    assert livery.process.wait(timeout=60) == 0
    wait_until(lambda: gone(family), seconds=10, what="all processes to end")


def test_children_end_when_the_supervisor_is_killed(livery: Livery) -> None:
    wait_until(lambda: len(livery.workers()) == 2, seconds=30, what="two workers")
    family = livery.family()
    livery.process.kill()
    livery.process.wait()
    wait_until(lambda: gone(family), seconds=40, what="the children to notice")
