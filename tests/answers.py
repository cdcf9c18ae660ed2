"""Finds in an answer what it says for programs, whatever its sentences are."""

import re

from httpx2 import Response


def code_of(answer: Response) -> str:
    """The code of the error that was answered as JSON, as a fragment or as a page; empty where none was."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        return str(answer.json().get("code", ""))
    found = re.search(r' data-code="([a-z0-9_]+)"', answer.text)
    return found[1] if found else ""


def keys_of(answer: Response) -> set[str]:
    """The keys of all sentences in a page or fragment that have one."""
    return set(re.findall(r' data-key="([a-z0-9_.]+)"', answer.text))
