"""Log lines carry what they are about, whichever thread writes them."""

import json
import logging
import threading
from collections.abc import Callable

from app.logs import JsonLines, lines_carry, request_id, same_lines


def line(**extra: object) -> dict[str, object]:
    record = logging.LogRecord("livery", logging.INFO, "", 1, "hello %s", ("you",), None)
    vars(record).update(extra)
    return json.loads(JsonLines().format(record))


def from_a_thread(wrap: Callable[[Callable[[], None]], Callable[[], None]]) -> dict[str, object]:
    found: list[dict[str, object]] = []
    thread = threading.Thread(target=wrap(lambda: found.append(line())))
    thread.start()
    thread.join()
    return found[0]


def test_lines_of_a_job_name_it_in_the_threads_that_work_on_it_and_in_no_other() -> None:
    with lines_carry(job="j1", workspace="w1"), lines_carry(attempt=2):
        here, heartbeat, upkeep = line(), from_a_thread(same_lines), from_a_thread(lambda target: target)
    for one in (here, heartbeat):
        assert (one["job"], one["workspace"], one["attempt"], one["message"]) == ("j1", "w1", 2, "hello you")
    assert "job" not in upkeep
    assert "job" not in line()


def test_lines_of_a_request_name_it() -> None:
    token = request_id.set("r1")
    try:
        assert line()["request"] == "r1"
    finally:
        request_id.reset(token)
    assert "request" not in line()


def test_what_a_line_says_itself_counts() -> None:
    with lines_carry(job="j1"):
        assert line(job="j2")["job"] == "j2"
