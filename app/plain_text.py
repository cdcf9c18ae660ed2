"""Text that comes from outside, made safe to work with. Knows nothing else of Livery."""

import re
import unicodedata
from functools import cache
from typing import Literal

LONGEST_RUN_OF_MARKS = 30
"""As in Unicode's "stream-safe" text (UAX #15): no language stacks more marks on one letter."""
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


@cache
def _runs_of_marks() -> re.Pattern[str]:
    marks = [chr(code) for code in range(0x300, 0x1E950) if unicodedata.combining(chr(code))]
    some = "".join(marks)
    return re.compile(f"([{some}]{{{LONGEST_RUN_OF_MARKS}}})[{some}]+")


def composed(text: str, form: Literal["NFC", "NFKC", "NFKD"] = "NFC") -> str:
    """``text`` in one of Unicode's normal forms, marks beyond ``LONGEST_RUN_OF_MARKS`` on one letter left out.

    Without that limit the library sorts the marks of one letter in quadratic time: 80 kB of them take six seconds.
    """
    if text.isascii():
        return text
    return unicodedata.normalize(form, _runs_of_marks().sub(r"\1", text))


def keepable(text: str) -> str:
    """``text`` without what no database, no JSON and no page can hold: NUL and halves of surrogate pairs."""
    return _UNKEEPABLE.sub("", text)


def safe_cell(value: str) -> str:
    """``value`` so that no spreadsheet takes it for a formula: an apostrophe goes before what would begin one."""
    return "'" + value if value.startswith(_STARTS_A_FORMULA) else value
