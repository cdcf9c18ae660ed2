"""HTML as a stream of tags and text, in time that grows with its length and no faster.

The library's parser takes time that grows with the square of the length, or worse, on unfinished tags and comments; the
ones in C do on end tags without a beginning inside deeply nested ones, as they keep a stack of what is open. All that
is wanted here is text with the tags around it, and for that nothing need be kept: each character is looked at a fixed
number of times, in the order that the HTML standard's tokenizer does.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

RAW = frozenset(("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"))
"""Elements whose content ends at their own end tag alone."""
_TAG_NAME = re.compile(r"/?[a-zA-Z][^\s/>]*")
_TO_VALUE = re.compile(r"[^>=]*+(?:>|=\s*([\"']?))")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,10};?|#[xX][0-9a-fA-F]{1,8};?|[a-zA-Z][a-zA-Z0-9]{1,31};?)")
_RAW_ENDS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in RAW}


@dataclass(frozen=True)
class Token:
    """``value`` is a tag's name in lower case, or text with its character references resolved."""

    kind: Literal["start", "end", "text"]
    value: str


def tokens(markup: str) -> Iterator[Token]:
    """The tags and texts in their order. What is left open at the end (a tag, a comment, a quotation) is left out, as
    browsers do."""
    at, text_from = 0, 0
    while (at := markup.find("<", at)) >= 0:
        name = _TAG_NAME.match(markup, at + 1)
        if name is None and not markup.startswith(("<!", "<?", "</"), at):
            at += 1  # a lone "<" is text
            continue
        if text_from < at:
            yield Token("text", resolved(markup[text_from:at]))
        end = _end_of_comment(markup, at) if name is None else _end_of_tag(markup, name.end())
        if end is None:
            return
        if name is not None:
            word = name[0].lower()
            yield from _tag(word, is_closed=markup[end - 2] == "/")
            if word in RAW:
                close = _RAW_ENDS[word].search(markup, end)
                content = markup[end : close.start() if close else len(markup)]
                yield Token("text", resolved(content) if word in ("title", "textarea") else content)
                end = close.start() if close else len(markup)
        at = text_from = end
    yield Token("text", resolved(markup[text_from:]))


def _tag(name: str, *, is_closed: bool) -> Iterator[Token]:
    if name.startswith("/"):
        yield Token("end", name[1:])
        return
    yield Token("start", name)
    if is_closed and name not in RAW:
        yield Token("end", name)


def _end_of_comment(markup: str, at: int) -> int | None:
    """Behind the comment, declaration or instruction that begins at ``at``; None where it never ends."""
    mark = "-->" if markup.startswith("<!--", at) else ">"
    # "<!-->" is a whole comment.
    end = markup.find(mark, at + 2)
    return None if end < 0 else end + len(mark)


def _end_of_tag(markup: str, at: int) -> int | None:
    """Behind the ``>`` that ends a tag whose name ends at ``at``, not one within the quotes of an attribute."""
    while found := _TO_VALUE.match(markup, at):
        at = found.end()
        if quote := found[1]:
            at = markup.find(quote, at) + 1
            if not at:
                return None
        elif markup[at - 1] == ">":
            return at
    return None


def resolved(text: str) -> str:
    """``text`` with its character references as characters; numbers that no character has stay as they are."""
    return _REFERENCE.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text
