"""Files of tests that are named somewhere are there: a file that moved would run in the wrong place, or not at all."""

import re
import subprocess

from tests.order_of_tests import LONGEST_FIRST
from tests.servers import ROOT


def test_files_that_the_makefile_and_the_order_name_are_there() -> None:
    targets = ("fast", "fast-models", "slow", "waiting")
    told = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = {*re.findall(r"\btests/[\w/.]+", told), *LONGEST_FIRST}
    assert len(named) > len(LONGEST_FIRST)
    assert not sorted(name for name in named if not (ROOT / name).exists())
