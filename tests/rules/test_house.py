"""The measures of the house that ``make house`` prints: what is small enough to be read stays so."""

from tests.tools import house

LOOPS = {"worker/engines/image/builtin/making/training/decoder.py:_run"}
"""Loops of training may reach 100 lines, for what a step does is read in one piece."""
MOST_LOOP_LINES = 100
MOST_SHARED = 0.25


def above(rows: list[tuple[int, str]], limit: int) -> list[tuple[int, str]]:
    return [(count, name) for count, name in rows if count > limit]


def test_no_folder_shows_too_many_modules() -> None:
    assert above(house.modules_per_folder(), house.MOST_MODULES) == []


def test_modules_and_functions_can_be_read_in_one_sitting() -> None:
    assert above(house.lines_per_module(), house.MOST_LINES - 1) == []
    functions = house.lines_per_function()
    assert [row for row in above(functions, house.MOST_FUNCTION_LINES) if row[1] not in LOOPS] == []
    assert above(functions, MOST_LOOP_LINES) == []


def test_families_and_kinds_of_training_are_no_twins() -> None:
    """A few lines that look alike are idiom; a share of a module is a copy."""
    twins = {
        f"{one.name} ~ {other.name}": round(share, 2)
        for one, other in house.pairs()
        for lines, share in [house.shared_lines(one, other)]
        if lines > 10 and share > MOST_SHARED
    }
    assert twins == {}


def test_rooms_that_import_each_other_are_few() -> None:
    found = [name for _, name in house.rooms_that_import_each_other()]
    assert len(found) <= 5, found
