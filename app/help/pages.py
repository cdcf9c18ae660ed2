"""The help pages: Markdown files of ``templates/help``, rendered to HTML and searched.

A page is ``name.md`` in English and, where marketers read it, ``name.de.md``. The first heading is the title, the
paragraph below it the summary. Links between pages name files (``settings.md#disk``), so that they also work where the
repository is read. Raw HTML in a page is shown as text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import N_

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

FOLDER = Path(__file__).parents[2] / "templates" / "help"
MOST_HITS = 30
MOST_WORDS = 8
EXCERPT_CHARACTERS = 180


@dataclass(frozen=True)
class Chapter:
    title: str
    names: tuple[str, ...]


CHAPTERS = (
    Chapter(
        N_("Working with Livery"),
        (
            "getting-started",
            "pictures",
            "brand-kit",
            "training",
            "studio",
            "reviewing",
            "campaigns",
            "texts",
            "formats",
            "base-models",
            "members",
        ),
    ),
    Chapter(N_("Running Livery"), ("deployment", "settings", "operations", "faults", "metrics", "security")),
)
NAMES = frozenset(name for chapter in CHAPTERS for name in chapter.names)


@dataclass(frozen=True)
class Section:
    """A heading and the plain text below it, up to the next heading. The anchor of a page's beginning is empty."""

    anchor: str
    title: str
    level: int
    text: str


@dataclass(frozen=True)
class Page:
    name: str
    locale: str
    """The language that the page is written in, which is English where there is no translation."""
    title: str
    summary: str
    html: str
    """Everything below the summary."""
    sections: tuple[Section, ...]

    @property
    def address(self) -> str:
        return f"/help/{self.name}"

    @property
    def contents(self) -> list[Section]:
        """The headings that the table of contents lists."""
        return [section for section in self.sections if section.level == 2]


@dataclass(frozen=True)
class Hit:
    page: Page
    section: Section
    excerpt: tuple[tuple[str, bool], ...]
    """Pieces of the section's text, each with whether it is one of the words that were searched for."""

    @property
    def address(self) -> str:
        return f"{self.page.address}#{self.section.anchor}" if self.section.anchor else self.page.address


def find(name: str, locale: str) -> Page | None:
    """The page in ``locale``, else in English; None for a name that is no page."""
    return _rendered(name, locale) if name in NAMES else None


def in_chapters(locale: str) -> list[tuple[Chapter, list[Page]]]:
    """Every chapter with its pages, in reading order."""
    return [(chapter, [_rendered(name, locale) for name in chapter.names]) for chapter in CHAPTERS]


def search(query: str, locale: str) -> list[Hit]:
    """Sections that contain every word of the query, in their text or their title; the best come first.

    A word in the title of a section counts more than in the title of its page, and that more than in the text.
    """
    words = [re.compile(re.escape(word), re.IGNORECASE) for word in query.split()[:MOST_WORDS]]
    if not words:
        return []
    found = []
    for _chapter, pages in in_chapters(locale):
        for page in pages:
            for section in page.sections:
                own = f"{section.title}\n{section.text}"
                if any(word.search(own) for word in words) and all(
                    word.search(f"{page.title}\n{own}") for word in words
                ):
                    found.append((_score(page, section, words), Hit(page, section, _excerpt(section.text, words))))
    found.sort(key=lambda pair: -pair[0])
    return [hit for _score_of_hit, hit in found[:MOST_HITS]]


def _score(page: Page, section: Section, words: Sequence[re.Pattern[str]]) -> int:
    return sum(
        (8 if word.search(section.title) else 0)
        + (4 if word.search(page.title) else 0)
        + min(3, len(word.findall(section.text)))
        for word in words
    )


def _excerpt(text: str, words: Sequence[re.Pattern[str]]) -> tuple[tuple[str, bool], ...]:
    hits = [match.start() for match in (word.search(text) for word in words) if match]
    start = max(0, min(hits, default=0) - EXCERPT_CHARACTERS // 3)
    if start:
        start = text.find(" ", start) + 1
    end = start + EXCERPT_CHARACTERS
    if end < len(text):
        end = max(text.rfind(" ", start, end), start + 1)
    shown = ("… " if start else "") + text[start:end] + (" …" if end < len(text) else "")
    pieces = re.split("(" + "|".join(word.pattern for word in words) + ")", shown, flags=re.IGNORECASE)
    return tuple((piece, position % 2 == 1) for position, piece in enumerate(pieces) if piece)


@cache
def _rendered(name: str, locale: str) -> Page:
    english = FOLDER / f"{name}.md"
    translated = FOLDER / f"{name}.{locale}.md"
    if locale == "en" or not translated.exists():
        return render(name, "en", english.read_text("utf-8"))
    anchors = [section.anchor for section in _rendered(name, "en").sections[1:]]
    return render(name, locale, translated.read_text("utf-8"), anchors)


def render(name: str, locale: str, source: str, anchors: Sequence[str] | None = None) -> Page:
    """Make a page of Markdown.

    Args:
        anchors: those of the headings below the title, in their order, so that a link leads to the same place in every
            language; without them each heading makes its own.

    Raises:
        ValueError: the source does not begin with a heading of level 1 and a paragraph, or has another number of
            headings than there are anchors.
    """
    parser = _parser()
    tokens = parser.parse(source)
    if [token.type for token in tokens[:4:3]] != ["heading_open", "paragraph_open"] or tokens[0].tag != "h1":
        raise ValueError(f"{name}: a page begins with its title and a paragraph")
    _name_headings(tokens, anchors)
    _label_tables(tokens)
    for token in tokens:
        _rewrite_links(token)
    html = parser.renderer.render(tokens[6:], parser.options, {})
    return Page(name, locale, _plain(tokens[1]), _plain(tokens[4]), html, tuple(_sections(tokens)))


@cache
def _parser() -> "MarkdownIt":
    # Imported with the first page: the library takes a noticeable part of the time in which Livery starts.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", _close_table)
    parser.add_render_rule("fence", _fence)
    return parser


def _name_headings(tokens: Sequence["Token"], anchors: Sequence[str] | None) -> None:
    """Give every heading below the title its anchor. Raises ``ValueError`` where the numbers differ."""
    places = [position for position, token in enumerate(tokens) if token.type == "heading_open"][1:]
    own = [slug(_plain(tokens[position + 1])) for position in places]
    for position, anchor in zip(places, own if anchors is None else anchors, strict=True):
        tokens[position].attrSet("id", anchor)


def _sections(tokens: Sequence["Token"]) -> Iterator[Section]:
    anchor, title, level, text = "", _plain(tokens[1]), 1, [_plain(tokens[4])]
    for position in range(6, len(tokens)):
        token = tokens[position]
        if token.type == "heading_open":
            yield Section(anchor, title, level, " ".join(text))
            anchor, title = str(token.attrs["id"]), _plain(tokens[position + 1])
            level, text = int(token.tag[1:]), []
        elif token.type in ("inline", "fence") and tokens[position - 1].type not in ("heading_open", "th_open"):
            text.append(("· " if tokens[position - 1].type == "td_open" else "") + _plain(token))
    yield Section(anchor, title, level, " ".join(text))


def slug(title: str) -> str:
    """The anchor that GitHub makes of a heading, so that links work in both places."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _plain(token: "Token") -> str:
    """A token's text without its marks."""
    if not token.children:
        return " ".join(token.content.split())
    return " ".join("".join(" " if child.type == "softbreak" else child.content for child in token.children).split())


def _label_tables(tokens: Sequence["Token"]) -> None:
    """Every cell carries the name of its column, for screens on which rows are shown as blocks."""
    title, column = "", 0
    names: list[str] = []
    for position, token in enumerate(tokens):
        if token.type == "heading_open":
            title = _plain(tokens[position + 1])
        elif token.type == "table_open":
            token.meta["title"], names = title, []
        elif token.type == "th_open":
            names.append(_plain(tokens[position + 1]))
            token.attrs["scope"] = "col"
        elif token.type == "tr_open":
            column = 0
        elif token.type == "td_open":
            token.attrs["data-label"] = names[column]
            column += 1


def _rewrite_links(token: "Token") -> None:
    for child in token.children or ():
        if child.type == "link_open":
            target = str(child.attrs["href"])
            child.attrs["href"] = re.sub(r"^([a-z-]+)\.md(?=#|$)", r"/help/\1", target)
            if "://" in target:
                child.attrs["rel"] = "noreferrer"


def _open_table(renderer: Any, tokens: Sequence["Token"], position: int, _options: Any, _env: Any) -> str:
    from markdown_it.common.utils import escapeHtml

    title = escapeHtml(tokens[position].meta["title"])
    return f'<div class="table-wrap" tabindex="0" role="group" aria-label="{title}"><table class="table">\n'


def _close_table(renderer: Any, _tokens: Sequence["Token"], _position: int, _options: Any, _env: Any) -> str:
    return "</table></div>\n"


def _fence(renderer: Any, tokens: Sequence["Token"], position: int, _options: Any, _env: Any) -> str:
    from markdown_it.common.utils import escapeHtml

    return f'<pre class="code" tabindex="0"><code>{escapeHtml(tokens[position].content)}</code></pre>\n'
