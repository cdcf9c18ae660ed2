"""Words from a header, made safe to keep and to show."""

import math
import re
from typing import Any

_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
LONGEST_LINE = 200


def keepable(text: str) -> str:
    """``text`` without what no database, no JSON and no page can hold: NUL and halves of surrogate pairs."""
    return _UNKEEPABLE.sub("", text)


def all_keepable(value: Any) -> Any:
    """JSON with every text in it, names too, made ``keepable``; infinity and what is no number become None."""
    if isinstance(value, str):
        return keepable(value)
    if isinstance(value, dict):
        return {keepable(str(key)): all_keepable(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return [all_keepable(item) for item in value] if isinstance(value, list) else value


def one_line(text: str) -> str:
    """At most 200 characters of it, on one line."""
    return " ".join(text.split())[:LONGEST_LINE]
