"""Sentences can be worded anew in an afternoon: tests look for codes, states, keys, names and numbers in their place.

A sentence that the code keeps as a constant is compared by that constant (``tests.answers.tells``). Tests of help pages
and of the README may compare texts: those are what they are about.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.tools.messages import ROOT, german

TESTS = ROOT / "tests"
LEAST_WORDS = 3
PLACE = re.compile(r"%\([a-z_]+\)[sd]")
BY_TEXT = re.compile(r"get_by_text\(|get_by_label\(|get_by_title\(|has_text=|get_by_role\([^)]*name=")


def words(text: str) -> int:
    return sum(1 for word in text.split() if re.search(r"[^\W\d_]{2}", word))


def pieces() -> set[str]:
    """What stands between the places of every sentence in English and in German, if it is words enough."""
    found = set()
    for message in german():
        for forms in (message.id, message.string):
            for sentence in (forms,) if isinstance(forms, str) else forms or ():
                found |= {" ".join(piece.split()) for piece in PLACE.split(sentence)}
    return {piece for piece in found if words(piece) >= LEAST_WORDS}


def literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Texts in the code, without docstrings and without what a failing assertion says."""
    said = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said.add(node.value)
        if isinstance(node, ast.Assert) and node.msg is not None:
            said |= {one for one in ast.walk(node.msg) if isinstance(one, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in said and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            yield node.lineno, " ".join(text.split())


def copied() -> dict[str, list[str]]:
    """By file of tests, each literal that is a part of one of our sentences, or holds one."""
    known = pieces()
    everything = "\n".join(sorted(known))
    by_beginning: dict[tuple[str, ...], list[str]] = {}
    for piece in known:
        by_beginning.setdefault(tuple(piece.split()[:2]), []).append(piece)
    found: dict[str, list[str]] = {}
    for path in files():
        for line, text in literals(ast.parse(path.read_text())):
            if words(text) < LEAST_WORDS:
                continue
            holds = any(piece in text for pair in pairwise(text.split()) for piece in by_beginning.get(pair, ()))
            is_part = text in everything and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", everything)
            if holds or is_part:
                found.setdefault(str(path.relative_to(TESTS)), []).append(f"{line}: {text[:100]}")
    return found


def files() -> list[Path]:
    return sorted(
        path
        for folder in ("app", "worker", "journeys")
        for path in (TESTS / folder).rglob("*.py")
        if "help" not in path.parts and path.name != "test_readme.py"
    )


def test_tests_copy_no_sentence_of_the_catalogue() -> None:
    assert copied() == {}


def test_steps_in_a_browser_find_nothing_by_what_it_says() -> None:
    assert Counter(str(path.relative_to(TESTS)) for path in files() for _ in BY_TEXT.finditer(path.read_text())) == {}
