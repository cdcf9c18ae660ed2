"""Every sentence that people read is there in German too, with the same places to fill."""

import ast
import re

from tests.tools.messages import ROOT, german, sentences

PLACES = re.compile(r"%\([a-z_]+\)[sd]")


def forms(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)  # type: ignore[arg-type]


def test_every_sentence_has_its_german() -> None:
    catalog = german()
    missing = []
    for message in sentences():
        if not message.id:
            continue
        found = catalog.get(message.id if isinstance(message.id, str) else message.id[0])
        if found is None or not all(forms(found.string)):
            missing.append(message.id)
    assert missing == []


def test_translations_fill_the_same_places() -> None:
    wrong = []
    for message in german():
        if not message.id or not message.string:
            continue
        wanted = set(PLACES.findall(forms(message.id)[-1]))
        for form in forms(message.string):
            # A singular may leave its number out ("Ein Bild"), nothing may be added.
            if not set(PLACES.findall(form)) <= wanted | set(PLACES.findall(forms(message.id)[0])):
                wrong.append((message.id, form))
        if set(PLACES.findall(forms(message.string)[-1])) != wanted:
            wrong.append((message.id, message.string))
    assert wrong == []


def test_german_says_sie_and_never_du() -> None:
    informal = re.compile(r"\b(du|dein|deine|deinen|deinem|deiner|dich|dir)\b", re.IGNORECASE)
    found = [form for message in german() for form in forms(message.string or "") if informal.search(form)]
    assert found == []


def test_german_readers_learn_why_a_job_stopped() -> None:
    """An engine's sentence is translated where it is a marked constant; where it carries details of the machine, its
    code has words of its own in the component that shows it."""
    explained = set(
        re.findall(r'^  "([a-z_]+)": _\(', (ROOT / "templates/components/jobs.html").read_text(), re.MULTILINE)
    )
    silent = set()
    for path in (ROOT / "worker").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "EngineError" or len(node.args) != 2:
                continue
            code, sentence = node.args
            if isinstance(code, ast.Constant) and not isinstance(sentence, ast.Name) and code.value not in explained:
                silent.add(code.value)
    assert silent == set()
