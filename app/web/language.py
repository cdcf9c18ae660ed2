"""German and English: which one a request wants, and the sentences in it.

The catalogue is read from its ``.po`` file when first used, so there is nothing to compile or to forget.
"""

import gettext
import io
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES = ("en", "de")
CATALOGUES = Path(__file__).parents[2] / "templates" / "locales"


@cache
def translations(locale: str) -> gettext.NullTranslations:
    """The catalogue of ``locale``; English is the sentences themselves."""
    path = CATALOGUES / f"{locale}.po"
    if locale == "en" or not path.exists():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=Locale(locale)))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def translate(locale: str, sentence: str, **params: Any) -> str:
    """``sentence`` in ``locale``, its %-template filled with ``params``."""
    text = translations(locale).gettext(sentence)
    return text % params if params else text


def ngettext(one: str, many: str) -> tuple[str, str]:
    """Mark the two forms of a sentence about ``%(num)s`` things for translation where it stands; see ``counted``."""
    return one, many


def counted(locale: str, sentence: tuple[str, str], count: int) -> str:
    """The form of ``sentence`` for ``count`` things, in ``locale``."""
    return translations(locale).ngettext(*sentence, count) % {"num": count}


def wanted_locale(cookie: str | None, accept_language: str) -> str:
    """The cookie's choice, else the first language of the browser that we speak, else English."""
    if cookie in LOCALES:
        return cookie
    wanted = [part.split(";")[0].strip() for part in accept_language.split(",")]
    return (
        negotiate_locale(wanted, list(LOCALES), sep="-")
        or negotiate_locale([code.split("-")[0] for code in wanted], list(LOCALES))
        or "en"
    )
