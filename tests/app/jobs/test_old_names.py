"""Names of the last release that people may have built on work beside the new ones until the next."""

import sys

import pytest

from tests.conftest import SignedIn
from worker import __main__ as command


@pytest.mark.parametrize("option", ["--lanes", "--queues"])
def test_a_worker_is_told_its_queues_by_either_option(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(command, "supervise", lambda what, **_: started.append(what) or 0)
    monkeypatch.setattr(sys, "argv", ["worker", option, "training"])
    with pytest.raises(SystemExit):
        command.main()
    assert [what[-2:] for what in started] == [["--queues", "training"]]


def test_a_page_that_was_open_during_the_update_goes_on(owner: SignedIn) -> None:
    assert owner.client.get("/jobs/lanes").text == owner.client.get("/jobs/queues").text
