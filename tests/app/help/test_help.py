"""The help pages: found, rendered, searched, in the reader's language."""

import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.help import pages
from tests.conftest import SignedIn


def test_the_index_links_every_page(owner: SignedIn) -> None:
    text = owner.client.get("/help").text
    assert set(re.findall(r'href="/help/([a-z-]+)"', text)) == pages.NAMES


def test_every_page_of_the_app_links_the_help(owner: SignedIn) -> None:
    assert 'href="/help"' in owner.client.get("/projects").text


@pytest.mark.parametrize("name", sorted(pages.NAMES))
def test_a_page_has_its_contents(owner: SignedIn, name: str) -> None:
    found = pages.find(name, "en")
    assert found is not None
    text = owner.client.get(f"/help/{name}").text
    for section in found.contents:
        assert f'href="#{section.anchor}"' in text
        assert f'id="{section.anchor}"' in text


@pytest.mark.parametrize("name", ["nothing", "..%2f..%2fapp%2fmain", "settings.md", "formats.de", ""])
def test_only_known_names_are_served(owner: SignedIn, name: str) -> None:
    answer = owner.client.get(f"/help/{name}")
    assert answer.status_code in (404, 307)
    assert "import" not in answer.text


def test_strangers_sign_in_first(app: FastAPI) -> None:
    with TestClient(app, follow_redirects=False) as client:
        for path in ("/help", "/help/settings"):
            assert client.get(path, headers={"accept": "text/html"}).status_code == 303


def test_a_search_finds_the_section_and_marks_the_words(owner: SignedIn) -> None:
    text = owner.client.get("/help", params={"q": "disk_floor_mb uploads"}).text
    assert 'href="/help/operations#disk"' in text
    assert "<mark>DISK_FLOOR_MB</mark>" in text


def test_a_word_in_a_title_comes_before_one_in_the_text() -> None:
    first = pages.search("captions", "en")[0]
    assert (first.page.name, first.section.anchor) == ("pictures", "captions")


def test_every_word_must_be_there() -> None:
    assert pages.search("captions", "en")
    assert pages.search("captions zzyzx", "en") == []
    assert pages.search("  ", "en") == []


def test_a_search_without_result_says_so_and_shows_what_was_asked_as_text(owner: SignedIn) -> None:
    text = owner.client.get("/help", params={"q": "<b>zzyzx"}).text
    assert "&lt;b&gt;zzyzx" in text
    assert "<mark>" not in text


@pytest.mark.parametrize("query", ["(", "[a-", "\\", ".*", "a" * 300, "_"])
def test_a_search_takes_any_words(owner: SignedIn, query: str) -> None:
    assert owner.client.get("/help", params={"q": query[:200]}).status_code == 200


def test_a_page_without_translation_says_in_which_language_it_is(owner: SignedIn) -> None:
    owner.client.post("/preferences", data={"locale": "de"})
    text = owner.client.get("/help/faults").text
    assert '<article class="help-text" lang="en">' in text
    assert 'data-state="untranslated"' in text


def test_html_in_a_page_is_text() -> None:
    page = pages.render("x", "en", "# Title\n\nSummary.\n\n<script>alert(1)</script>\n\nand <b>bold</b>\n")
    assert "<script>" not in page.html
    assert "&lt;b&gt;bold" in page.html


def test_links_between_files_lead_to_pages() -> None:
    page = pages.render("x", "en", "# T\n\nS.\n\n[a](settings.md#all-settings) [b](https://example.org) [c](/jobs)\n")
    assert re.findall(r'<a href="([^"]+)"', page.html) == [
        "/help/settings#all-settings",
        "https://example.org",
        "/jobs",
    ]
    assert 'href="https://example.org" rel="noreferrer"' in page.html


def test_a_translation_keeps_the_anchors() -> None:
    page = pages.render("x", "de", "# Titel\n\nKurz.\n\n## Ein Abschnitt\n\nText.\n", ["a-section"])
    assert [section.anchor for section in page.sections] == ["", "a-section"]
    with pytest.raises(ValueError):
        pages.render("x", "de", "# Titel\n\nKurz.\n", ["a-section"])


def test_cells_carry_the_name_of_their_column() -> None:
    page = pages.render("x", "en", "# T\n\nS.\n\n| name | what |\n|---|---|\n| `a` | b |\n")
    assert '<td data-label="name"><code>a</code></td>' in page.html
    assert '<td data-label="what">b</td>' in page.html


@pytest.mark.parametrize("source", ["", "text", "# only a title", "## a section\n\ntext"])
def test_a_page_begins_with_title_and_summary(source: str) -> None:
    with pytest.raises(ValueError):
        pages.render("x", "en", source)


def test_a_german_search_reads_the_german_pages() -> None:
    hits = pages.search("auslösewort", "de")
    assert hits and all(hit.page.locale == "de" for hit in hits[:3])
    assert pages.search("disk_floor_mb", "de"), "pages without a translation are found too"
