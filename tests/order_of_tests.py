"""Which slow tests begin first, and which stay in one process: so that all processes end at about the same time.

pytest-xdist 3.8 has groups of its own, but since pytest 9.2 it does not see their marks any more.
"""

from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

LONGEST_FIRST = (
    "tests/journeys/test_voice_road.py",
    "tests/worker/test_voice_survival.py",
    "tests/worker/text/test_voice_training.py",
    "tests/journeys/test_api_fuzz.py",
    "tests/worker/image/test_flow_families.py",
    "tests/journeys/test_whole_road.py",
    "tests/worker/text/test_writing_order.py",
    "tests/journeys/test_hostile_uploads.py",
    "tests/journeys/test_every_page.py",
    "tests/journeys/test_on_postgresql.py",
    "tests/app/voice/test_costs.py",
    "tests/journeys/test_api_example.py",
    "tests/worker/text/test_in_four_bits.py",
    "tests/worker/text/test_files.py",
    "tests/app/accounts/test_passwords.py",
    "tests/worker/image/test_every_kind.py",
)
"""Files with tests of half a minute and more. What is left when these have begun is short, whatever its order."""


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def longest_first(items: list[pytest.Item]) -> None:
    place = {file: number for number, file in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(file_of(item.nodeid), len(place)))


class ByDearFixtures(LoadScopeScheduling):
    """Tests of a file stay together where they share a fixture of its own; any other goes to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = file_of(nodeid)
        return file if _shares(Path(self.config.rootpath, file)) else nodeid


@cache
def _shares(file: Path) -> bool:
    return 'scope="module"' in file.read_text()
