"""How often somebody may try, and what happens when the broker that counts is away."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import RateLimitItemPerMinute

from app.errors import TooMany
from app.web.gate import rate_limit
from tests.servers import redis_server

THREE = RateLimitItemPerMinute(3, namespace="test")
NOBODY_THERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def fresh_counters() -> Iterator[None]:
    rate_limit._limiter.cache_clear()
    yield
    rate_limit._limiter.cache_clear()


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as address:
        yield address


@pytest.fixture
def hanging_broker() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def counted(broker_url: str) -> None:
    for _number in range(3):
        rate_limit.count(broker_url, THREE, "ada")
    with pytest.raises(TooMany) as error:
        rate_limit.count(broker_url, THREE, "ada")
    assert 1 <= error.value.params["seconds"] <= 60
    rate_limit.count(broker_url, THREE, "bob")
    rate_limit.forget(broker_url, THREE, "ada")
    rate_limit.count(broker_url, THREE, "ada")


def test_counted_in_memory() -> None:
    counted("")


def test_counted_in_memory_while_the_broker_is_away() -> None:
    counted(NOBODY_THERE)


@pytest.mark.slow
def test_a_broker_that_hangs_is_asked_once_and_not_for_long(hanging_broker: str) -> None:
    began = time.monotonic()
    rate_limit.count(hanging_broker, THREE, "ada")
    # Its own patience is two seconds; with the library's retries it would be more than twenty.
    assert time.monotonic() - began < 15


def test_counted_together_by_all_processes_that_share_a_broker(redis_url: str) -> None:
    counted(redis_url)
    for _number in range(2):
        rate_limit.count(redis_url, THREE, "eve")
    rate_limit._limiter.cache_clear()  # another process
    rate_limit.count(redis_url, THREE, "eve")
    with pytest.raises(TooMany):
        rate_limit.count(redis_url, THREE, "eve")
