"""Log lines carry what they are about, whichever thread writes them."""

import json
import logging
import threading

from app.logs import JsonLines, lines_carry, request_id


def line(**extra: object) -> dict[str, object]:
    record = logging.LogRecord("livery", logging.INFO, "", 1, "hello %s", ("you",), None)
    vars(record).update(extra)
    return json.loads(JsonLines().format(record))


def test_lines_of_a_job_name_it_in_every_thread() -> None:
    found: list[dict[str, object]] = []
    with lines_carry(job="j1", workspace="w1"):
        thread = threading.Thread(target=lambda: found.append(line()))
        thread.start()
        thread.join()
    assert (found[0]["job"], found[0]["workspace"], found[0]["message"]) == ("j1", "w1", "hello you")
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
