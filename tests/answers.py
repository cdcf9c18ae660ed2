"""Finds in an answer what it says for programs, whatever its sentences are."""

import re
from html import unescape

from httpx2 import Response


def code_of(answer: Response) -> str:
    """The code of the error that was answered as JSON, as a fragment or as a page; empty where none was."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        return str(answer.json().get("code", ""))
    found = re.search(r' data-code="([a-z0-9_]+)"', answer.text)
    return found[1] if found else ""


def toast_of(page: str) -> tuple[str, str]:
    """What was done, as the audit log names it, and the text of the first notice on a page; both empty without one."""
    found = re.search(r' data-toast="([a-z_.]+)">.*?<p>(.*?)</p>', page, re.DOTALL)
    return (found[1], found[2]) if found else ("", "")


def tells(text: str, sentence: str, **values: object) -> bool:
    """Whether a page or an answer tells a sentence that the code keeps as a constant. What fills a place of it has to
    be there as given; places without a value may hold anything."""
    pattern = ""
    for part in re.split(r"(%\(\w+\)[sd])", sentence):
        place = re.fullmatch(r"%\((\w+)\)[sd]", part)
        if place is None:
            pattern += re.escape(part.replace("%%", "%"))
        else:
            pattern += re.escape(str(values[place[1]])) if place[1] in values else ".+?"
    return re.search(pattern, unescape(text)) is not None
