"""What is wrong with single fields of a form, as sentences that stand beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

from babel.numbers import format_decimal

from app.errors import N_
from app.web.language import translate

NOT_LESS = N_("At least %(bound)s.")
NOT_MORE = N_("At most %(bound)s.")
MORE = N_("More than %(bound)s.")
LESS = N_("Less than %(bound)s.")
WHOLE_NUMBER = N_("Please enter a whole number.")
NUMBER = N_("Please enter a number.")
CHOICE = N_("Please choose one of the options shown.")
TOO_LONG = N_("At most %(bound)s characters.")
TOO_SHORT = N_("At least %(bound)s characters.")
TOO_MANY = N_("Choose at most %(bound)s.")
TOO_FEW = N_("Choose at least %(bound)s.")
MISSING = N_("Please fill this in.")
OTHERWISE = N_("Please check this.")

_SAID = {
    "greater_than_equal": (NOT_LESS, "ge"),
    "less_than_equal": (NOT_MORE, "le"),
    "greater_than": (MORE, "gt"),
    "less_than": (LESS, "lt"),
    "int_parsing": (WHOLE_NUMBER, None),
    "int_from_float": (WHOLE_NUMBER, None),
    "int_parsing_size": (WHOLE_NUMBER, None),
    "float_parsing": (NUMBER, None),
    "finite_number": (NUMBER, None),
    "literal_error": (CHOICE, None),
    "enum": (CHOICE, None),
    "string_too_long": (TOO_LONG, "max_length"),
    "string_too_short": (TOO_SHORT, "min_length"),
    "too_long": (TOO_MANY, "max_length"),
    "too_short": (TOO_FEW, "min_length"),
    "missing": (MISSING, None),
}
"""Pydantic's name for the error → the sentence, and the key under which pydantic tells the bound."""


def field_problems(errors: Sequence[Mapping[str, Any]], locale: str) -> dict[str, str]:
    """The first problem of each field by its name in the form; what concerns the whole form is left out.

    ``errors`` are those of a ``RequestValidationError``, whose places begin with where the value came from.
    """
    found: dict[str, str] = {}
    for error in errors:
        if len(error["loc"]) > 1:
            found.setdefault(str(error["loc"][1]), _sentence(error, locale))
    return found


def _sentence(error: Mapping[str, Any], locale: str) -> str:
    kind, context = error["type"], error.get("ctx", {})
    # Texts of ``app.web.text`` are measured after the cleaning, where pydantic no longer says that they are texts.
    if kind in ("too_long", "too_short") and context.get("field_type") == "Value":
        kind = f"string_{kind}"
    sentence, name = _SAID.get(kind, (OTHERWISE, None))
    bound = context.get(name)
    if kind == "string_too_short" and bound == 1:
        sentence = MISSING
    if isinstance(bound, int | float):
        bound = format_decimal(bound, "#,##0.##########", locale=locale)
    return translate(locale, sentence, bound=bound)
