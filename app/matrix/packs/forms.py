"""What pages and programs may ask of a pack, and for whom its table is written."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.ad_files.findings import SENTENCES as OF_FILES
from app.ad_files.findings import TooHeavy
from app.ad_files.names import DEFAULT_PATTERN, LONGEST_PATTERN
from app.layouts.findings import SENTENCES as OF_LAYOUTS
from app.matrix.errors import FileGone
from app.matrix.packs.contents import FORMATS, Format
from app.matrix.packs.service import Reader
from app.web.language import translate
from app.web.text import Line

Pattern = Annotated[Line, Field(max_length=LONGEST_PATTERN)]


class PackForm(BaseModel, defer_build=True):
    """Which files of each ad, and what they are called."""

    formats: Annotated[list[Format], Field(max_length=len(FORMATS))] = []
    pattern: Pattern = DEFAULT_PATTERN


def reader(locale: str) -> Reader:
    """Spreadsheets in German expect semicolons, in English commas."""
    said = OF_LAYOUTS | OF_FILES | {one.code(): one.sentence for one in (TooHeavy, FileGone)}
    told = {code: translate(locale, sentence) for code, sentence in said.items()}
    return Reader(";" if locale == "de" else ",", told)
