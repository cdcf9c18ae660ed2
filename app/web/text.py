"""What people write, made fit to keep: the types of every text that a form or the API takes.

Databases refuse NUL, browsers cannot show half a surrogate, and marks that turn the writing direction make one name
look like another. ``Line`` and ``Text`` drop such characters and are bounded; narrow them with
``Annotated[Line, Field(min_length=1, max_length=120)]``: lengths are counted after the cleaning. ``RowId`` is an id of
one of our rows, also for addresses: anything else cannot exist, so it is a 404 there.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from app.plain_text import composed

LONGEST_LINE = 300
LONGEST_TEXT = 10_000
_NEVER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")


def _without_surrogates(value: object) -> object:
    """Before pydantic looks at it, which would refuse the whole text for half a character."""
    return value.encode("utf-8", "ignore").decode() if isinstance(value, str) else value


def clean_line(value: str) -> str:
    """``value`` on one line, without what cannot be shown, spaces not doubled, none around it."""
    return " ".join(_NEVER.sub("", composed(value).replace("\r", " ")).split())


def clean_text(value: str) -> str:
    """``value`` with plain line ends, without what cannot be shown or white space around it."""
    text = composed(value).replace("\r\n", "\n").replace("\r", "\n")
    return _NEVER.sub("", text).strip()


Line = Annotated[
    str, BeforeValidator(_without_surrogates), AfterValidator(clean_line), StringConstraints(max_length=LONGEST_LINE)
]
Text = Annotated[
    str, BeforeValidator(_without_surrogates), AfterValidator(clean_text), StringConstraints(max_length=LONGEST_TEXT)
]
Name = Annotated[Line, Field(min_length=1, max_length=120)]
"""What people call a thing: a brand, a campaign, a key."""
RowId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
