"""One command looks after web and workers, and leaves nothing behind."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.servers import Livery, answers, running, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def livery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Livery]:
    """The same for the first three tests, of which the last ends it: starting takes longest."""
    livery = Livery(tmp_path_factory.mktemp("livery"))
    yield livery
    livery.stop()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_it_prints_its_address_once_it_answers_there_and_starts_web_and_two_workers(livery: Livery) -> None:
    wait_until(lambda: f"Livery is at {livery.address}" in livery.tail(), seconds=120, what="the address")
    assert answers(f"{livery.address}/health/live")
    wait_until(lambda: len(livery.workers()) == 2, seconds=30, what="two workers")


def test_a_killed_worker_is_started_again(livery: Livery) -> None:
    wait_until(lambda: len(livery.workers()) == 2, seconds=30, what="two workers")
    victim = livery.workers()[0]
    victim.kill()
    wait_until(lambda: len(livery.workers()) == 2 and victim not in livery.workers(), seconds=30, what="another worker")
    assert answers(f"{livery.address}/health/live")


def test_sigterm_ends_everything(livery: Livery) -> None:
    livery.wait_until_ready()
    family = livery.family()
    livery.process.send_signal(signal.SIGTERM)
    assert livery.process.wait(timeout=60) == 0
    wait_until(lambda: gone(family), seconds=10, what="all processes to end")


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with running(Livery(tmp_path)) as livery:
        wait_until(lambda: len(livery.workers()) == 2, seconds=30, what="two workers")
        family = livery.family()
        livery.process.kill()
        livery.process.wait()
        wait_until(lambda: gone(family), seconds=40, what="the children to notice")
