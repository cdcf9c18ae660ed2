"""Mutants of sound files do no more than be refused; ``FUZZ_MUTANTS=2000`` makes as many of each."""

import os

import pytest

from tests import fuzz

MUTANTS = int(os.environ.get("FUZZ_MUTANTS", "25"))


@pytest.mark.slow
@pytest.mark.parametrize("reader", fuzz.fuzzed())
def test_mutants_are_read_or_refused(reader: str) -> None:
    found = fuzz.run(reader, MUTANTS)
    assert found.findings == []
    assert sum(found.outcomes.values()) == MUTANTS
