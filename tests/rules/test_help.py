"""The help says what is true, its links lead somewhere, and its German pages are built like the English ones."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.help import pages
from app.settings import Settings
from app.web.language import LOCALES
from tests.tools.messages import german

ROOT = Path(__file__).parents[2]
SOURCES = sorted(pages.FOLDER.glob("*.md"))
BOTH = [(name, locale) for name in sorted(pages.NAMES) for locale in LOCALES]


def page(name: str, locale: str = "en") -> pages.Page:
    found = pages.find(name, locale)
    assert found is not None
    return found


def table_row(name: str) -> str:
    field = Settings.model_fields[name]
    default = field.get_default()
    shown = getattr(default, "get_secret_value", lambda: str(default))()
    return f"| `{name.upper()}` | {f'`{shown}`' if shown else '–'} | {field.description} |"


def test_every_setting_is_explained_with_its_default() -> None:
    text = (pages.FOLDER / "settings.md").read_text()
    rows = re.findall(r"^\| `[A-Z_0-9]+` \|.*\|$", text, re.MULTILINE)
    assert rows == [table_row(name) for name in Settings.model_fields]


def test_every_fault_names_a_test_that_exists() -> None:
    table = (pages.FOLDER / "faults.md").read_text().split("\n## Faults\n")[1].split("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith("| fault")]
    assert len(rows) >= 29
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for path, name in named:
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


def test_every_metric_is_explained_and_none_that_is_gone(app: FastAPI) -> None:
    exposed = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in app.state.registry.collect()
        if not family.name.startswith("python_")
    }
    explained = set(re.findall(r"`((?:livery|process)_\w+)`", (pages.FOLDER / "metrics.md").read_text()))
    assert {name for name in exposed if name.startswith("livery_")} <= explained <= exposed


def test_every_file_is_a_page_of_the_index() -> None:
    assert {path.name.split(".")[0] for path in SOURCES} == pages.NAMES
    listed = [name for chapter in pages.CHAPTERS for name in chapter.names]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(("name", "locale"), BOTH)
def test_every_link_leads_somewhere(app: FastAPI, name: str, locale: str) -> None:
    found = page(name, locale)
    anchors = [section.anchor for section in found.sections]
    assert len(anchors) == len(set(anchors)), "two headings of one page with the same words"
    for target in re.findall(r'href="([^"]+)"', found.html):
        if target.startswith("/"):
            check(app, target, locale)
        elif target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert target.startswith("https://"), target


def check(app: FastAPI, target: str, locale: str) -> None:
    """An address of the application: a page of the help with its anchor, or another route."""
    path, _hash, anchor = target.partition("#")
    if path.startswith("/help/"):
        found = pages.find(path.removeprefix("/help/"), locale)
        assert found is not None, target
        assert not anchor or anchor in {section.anchor for section in found.sections}, target
    else:
        assert app.state.rules.rule_for("GET", path) is not None, target


def test_every_help_link_of_a_template_leads_somewhere(app: FastAPI) -> None:
    linked = set()
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        linked |= set(re.findall(r'"(/help/[a-z-]+(?:#[\w-]+)?)"', text))
        for name, anchor in re.findall(r'help_link\("([a-z-]+)"(?:, "([\w-]+)")?', text):
            linked.add(f"/help/{name}" + (f"#{anchor}" if anchor else ""))
    for target in linked:
        for locale in LOCALES:
            check(app, target, locale)


@pytest.mark.parametrize(
    "template",
    [
        "new_training",
        "new_voice",
        "studio",
        "writing",
        "adapter_files",
        "adapter",
        "base_models",
        "workspace_settings",
        "tokens",
        "members",
        "second_factor",
        "operations",
        "gallery",
        "campaigns",
        "brief",
        "cell",
    ],
)
def test_forms_link_the_page_that_explains_them(template: str) -> None:
    assert "c.help_link(" in (ROOT / f"templates/pages/{template}.html").read_text()


def test_german_pages_have_the_headings_and_tables_of_the_english_ones() -> None:
    for path in pages.FOLDER.glob("*.de.md"):
        name = path.name.split(".")[0]
        english, translated = page(name), page(name, "de")
        assert translated.locale == "de"
        assert [one.level for one in translated.sections] == [one.level for one in english.sections], name
        for tag in ("<tr>", "<li>", "<pre"):
            assert translated.html.count(tag) == english.html.count(tag), f"{name}: {tag}"


def test_names_of_buttons_and_fields_are_those_of_the_pages() -> None:
    """Emphasis is for what stands on a page of the application, word for word."""
    shown: dict[str, set[str]] = {"en": set(), "de": set()}
    for message in german():
        ids, strings = message.id, message.string
        shown["en"] |= {ids} if isinstance(ids, str) else set(ids)
        shown["de"] |= {strings} if isinstance(strings, str) else set(strings)
    wrong = []
    for name, locale in BOTH:
        found = page(name, locale)
        for label in re.findall(r"<em>(.*?)</em>", found.html):
            if label.replace("&amp;", "&") not in shown[found.locale]:
                wrong.append(f"{name}.{found.locale}: {label}")
    assert wrong == []


def test_german_pages_say_sie_and_never_du() -> None:
    informal = re.compile(r"\b(du|dein|deine|deinen|deinem|deiner|dich|dir)\b", re.IGNORECASE)
    for path in pages.FOLDER.glob("*.de.md"):
        assert informal.findall(path.read_text()) == [], path
