"""Which column is what, and how a document is cut: a guess that a person corrects, and what becomes of the rows."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from app.errors import N_
from app.images.reading.notes import Note
from app.voice.analysis import languages, pairs, personal_data
from app.voice.analysis.stylometry import EMOJI, HASHTAG
from app.voice.errors import NoTextColumn
from app.voice.reading import documents
from app.voice.reading.decoding import cleaned, one_line
from app.voice.reading.documents import Document, Split
from app.voice.reading.intake import Content
from app.voice.reading.tables import MOST_COLUMNS, Row, Table, known_meaning

DETECT = "detect"
NONE = -1
LONGEST_SAMPLE = 8_000  # characters; a training reads a few hundred words of each
LONGEST_BRIEF = 1_000
EMPTY = N_("Row %(row)s: the text is empty.")
TOO_LONG = N_(
    "Row %(row)s: the text has %(count)s characters; the limit is %(limit)s. Split the text, or let Livery split it."
)
BRIEFS_CUT = N_(
    "Briefs longer than %(limit)s characters: %(count)s, the first in row %(row)s. Only the beginning of each is "
    "imported."
)
Column = int
KnownChannel = Literal["post", "mail", "headline", "product_text", "other"]
ChannelChoice = KnownChannel | Literal["detect"]
LanguageChoice = Literal["detect", "de", "en", "fr", "es", "it", "nl", "pt", "pl"]

GREETING = re.compile(
    r"\A\W*(?:dear|hi|hello|hey|good (?:morning|afternoon|evening)|hallo|liebe[rs]?|guten (?:tag|morgen|abend)"
    r"|sehr geehrte[rs]?|moin|servus)\b[^\n]{0,80}(?:,|!|:|\n)",
    re.IGNORECASE,
)
HEADLINE_CHARACTERS = 90
CHANNEL_WORDS: dict[KnownChannel, str] = {
    "post": "post posts beitrag beiträge social instagram insta facebook linkedin twitter tweet tweets tiktok threads "
    "mastodon caption captions reel story",
    "mail": "mail mails email emails newsletter mailing rundbrief brief letter",
    "headline": "headline headlines überschrift überschriften claim claims slogan slogans betreff betreffzeile subject "
    "titel",
    "product_text": "product products produkt produkte produkttext produkttexte produktbeschreibung shop artikel item "
    "description beschreibung",
    "other": "other sonstiges andere",
}
_CHANNEL_OF = {word: key for key, words in CHANNEL_WORDS.items() for word in words.split()}
_LANGUAGE_WORDS = {
    "deutsch": "de", "german": "de", "ger": "de", "englisch": "en", "english": "en", "eng": "en", "französisch": "fr",
    "french": "fr", "spanisch": "es", "spanish": "es", "italienisch": "it", "italian": "it",
}  # fmt: skip


class Mapping(BaseModel, defer_build=True):
    """Columns by their number from 0, −1 for none; ``split`` counts for documents."""

    text: Column = Field(NONE, ge=NONE, lt=MOST_COLUMNS)
    title: Column = Field(NONE, ge=NONE, lt=MOST_COLUMNS)
    channel_column: Column = Field(NONE, ge=NONE, lt=MOST_COLUMNS)
    language_column: Column = Field(NONE, ge=NONE, lt=MOST_COLUMNS)
    brief: Column = Field(NONE, ge=NONE, lt=MOST_COLUMNS)
    keywords: Column = Field(NONE, ge=NONE, lt=MOST_COLUMNS)
    header: bool = False
    split: Split = "whole"
    split_long: bool = True
    channel: ChannelChoice = "detect"
    language: LanguageChoice = "detect"
    skip_known: bool = True


@dataclass(frozen=True)
class Draft:
    """A sample before it is one. ``row`` is where it came from; parts of one text have the same ``passage``."""

    row: int
    text: str
    title: str
    channel: str
    language: str
    brief: str
    passage: int | None = None


def guess(content: Content, filename: str) -> Mapping:
    """The mapping that a person will most often leave as it is."""
    channel: ChannelChoice = channel_of_words(filename) or "detect"
    if isinstance(content, Document):
        return Mapping(split=documents.guess_split(content), channel=channel)
    found: dict[str, int] = {}
    for at, name in enumerate(content.names(content.header)):
        meaning = known_meaning(name)
        if meaning is not None:
            found.setdefault(meaning, at)
    if "text" not in found:
        taken = set(found.values())
        free = [at for at in range(content.width) if at not in taken] or list(range(content.width))
        body = content.body(content.header)[:200]
        found["text"] = max(free, key=lambda at: sum(len(row.cells[at]) for row in body), default=0)
        found = {key: at for key, at in found.items() if key == "text" or at != found["text"]}
    return Mapping(
        text=found["text"],
        title=found.get("title", NONE),
        channel_column=found.get("channel", NONE),
        language_column=found.get("language", NONE),
        brief=found.get("brief", NONE),
        keywords=found.get("keywords", NONE),
        header=content.header,
        channel=channel,
    )


def apply(content: Content, mapping: Mapping, *, otherwise: str = "en") -> tuple[list[Draft], list[Note]]:
    """Drafts in their order, and a sentence for each row that gives none. ``otherwise`` is the language of texts that
    do not tell. Raises ``NoTextColumn``."""
    if isinstance(content, Document):
        raw = [
            _Raw(piece.number, piece.passage, piece.text, piece.title)
            for piece in documents.split(content, mapping.split)
        ]
        problems: list[Note] = []
    else:
        raw, problems = _rows(content, mapping)
    told = languages.detect_all([one.text for one in raw], otherwise=otherwise)
    drafts = [_draft(one, language, mapping) for one, language in zip(raw, told, strict=True)]
    return drafts, sorted(problems, key=lambda note: int(note.params["row"]))


def notes(content: Content, mapping: Mapping) -> list[Note]:
    """What else is to be said of a file that is read so: what of it is not taken."""
    if isinstance(content, Document):
        return []
    long = [
        row.number
        for row in content.body(mapping.header)
        if len(" ".join(_cell(row, mapping.brief).split())) > LONGEST_BRIEF
    ]
    if not long:
        return content.notes
    return [*content.notes, Note(BRIEFS_CUT, {"count": len(long), "limit": LONGEST_BRIEF, "row": long[0]})]


@dataclass(frozen=True)
class _Raw:
    row: int
    passage: int
    text: str
    title: str
    channel: str = ""
    language: str = ""
    brief: str = ""
    keywords: str = ""


def _rows(table: Table, mapping: Mapping) -> tuple[list[_Raw], list[Note]]:
    if not 0 <= mapping.text < max(1, table.width):
        raise NoTextColumn()
    found, problems = list[_Raw](), list(table.problems)
    for row in table.body(mapping.header):
        text = cleaned(_cell(row, mapping.text))
        if not text:
            problems.append(Note(EMPTY, {"row": row.number}))
            continue
        parts = documents.cut_long(text) if mapping.split_long else [text]
        if len(text) > LONGEST_SAMPLE and not mapping.split_long:
            problems.append(Note(TOO_LONG, {"row": row.number, "count": len(text), "limit": LONGEST_SAMPLE}))
            continue
        title = one_line(_cell(row, mapping.title), documents.LONGEST_TITLE)
        found += [
            _Raw(
                row.number,
                row.number,
                part,
                title,
                _cell(row, mapping.channel_column),
                _cell(row, mapping.language_column),
                one_line(_cell(row, mapping.brief), LONGEST_BRIEF),
                one_line(_cell(row, mapping.keywords), 300),
            )
            for part in parts
        ]
        if len(found) > documents.MOST_PIECES:
            break
    return found[: documents.MOST_PIECES], problems


def _cell(row: Row, at: int) -> str:
    return row.cells[at] if 0 <= at < len(row.cells) else ""


def _draft(one: _Raw, told: str, mapping: Mapping) -> Draft:
    language = language_of_words(one.language) or (told if mapping.language == DETECT else mapping.language)
    channel: str | None = channel_of_words(one.channel)
    if channel is None:
        channel = guess_channel(one.text) if mapping.channel == DETECT else mapping.channel
    brief = one.brief
    if not brief and one.keywords:
        about = [word for word in (part.strip(" #") for part in re.split(r"[,;|]", one.keywords)) if word][:8]
        brief = pairs.word_order(
            channel=channel, language=language, about=about, title=one.title, words=pairs.rounded_words(one.text)
        )
    return Draft(one.row, one.text, one.title, channel, language, brief, one.passage)


def channel_of_words(words: str) -> KnownChannel | None:
    """The channel that a cell or a file name speaks of, if it does."""
    for word in re.findall(r"[^\W_]+", words.lower()):
        if word in _CHANNEL_OF:
            return _CHANNEL_OF[word]
    return None


def language_of_words(words: str) -> str | None:
    """The language that a cell names: "de", "de-AT", "Deutsch"."""
    first = (re.split(r"[\W_]", words.strip().lower(), maxsplit=1) or [""])[0]
    return first if first in languages.KNOWN else _LANGUAGE_WORDS.get(first)


def guess_channel(text: str) -> str:
    """The channel that the form suggests: a greeting or a closing makes a mail, emoji or hashtags a post, a short line
    without a full stop a headline."""
    if GREETING.match(text) or personal_data.CLOSING.search(text):
        return "mail"
    if EMOJI.search(text) or HASHTAG.search(text):
        return "post"
    if "\n" not in text and len(text) <= HEADLINE_CHARACTERS and not text.endswith((".", "…")):
        return "headline"
    return "other"
