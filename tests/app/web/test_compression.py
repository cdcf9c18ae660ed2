"""Words go packed, everything else as it is; and packing tells nobody the form token."""

import re

import pytest
from fastapi import FastAPI

from app.storage import Storage
from app.web.gate.csrf import token_for
from app.web.wire.compression import WORDS
from tests.conftest import SignedIn
from tests.rules import worlds

PACKED, PLAIN = {"accept-encoding": "gzip, br"}, {"accept-encoding": "identity"}


def test_pages_scripts_and_json_are_packed_for_whoever_takes_them_so(owner: SignedIn) -> None:
    for path in ("/projects", "/static/livery.css", "/static/livery.js", "/static/icons.svg", "/static/js/crop.js"):
        answer = owner.client.get(path, headers=PACKED)
        assert answer.headers["content-encoding"] == "gzip" and "accept-encoding" in answer.headers["vary"].lower()
        assert "content-encoding" not in owner.client.get(path, headers=PLAIN).headers, path
    assert owner.client.get("/api/openapi.json", headers=PACKED).status_code in (200, 401)


def test_a_refusal_is_packed_like_a_page(owner: SignedIn) -> None:
    answer = owner.client.get("/projects/" + "0" * 32, headers=PACKED)
    assert (answer.status_code, answer.headers["content-encoding"]) == (404, "gzip")


def test_what_is_no_words_goes_as_it_is(app: FastAPI, storage: Storage) -> None:
    """Of every address that looks: pictures, files to save and events are never packed, pages always are."""
    world = worlds.build(app, storage, "Nordlicht")
    seen: dict[str, set[str | None]] = {}
    for walk in worlds.walks(app):
        if walk.method != "GET" or "/live" in walk.path:
            continue
        client = world.program if walk.is_api else world.browser
        client.headers["accept-encoding"] = "gzip"
        answer = walk.send(world)
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code != 200:
            continue
        if "content-disposition" in answer.headers:
            kind = "to be saved"
        elif kind in WORDS and len(answer.content) < 500:
            continue
        seen.setdefault(kind, set()).add(answer.headers.get("content-encoding"))
    assert seen["text/html"] == {"gzip"} and seen["application/json"] == {"gzip"}
    assert seen["to be saved"] == {None} and seen["image/webp"] == {None}
    assert not {kind for kind, how in seen.items() if None in how} & {"text/html", "text/css", "application/json"}
    font = world.browser.get("/static/fonts/hanken-grotesk-latin.woff2")
    assert "content-encoding" not in font.headers


@pytest.mark.parametrize(
    ("site", "packed"),
    [(None, True), ("none", True), ("same-origin", True), ("same-site", False), ("cross-site", False)],
)
def test_what_another_site_makes_a_browser_ask_for_is_not_packed(
    owner: SignedIn, site: str | None, packed: bool
) -> None:
    headers = PACKED if site is None else PACKED | {"sec-fetch-site": site}
    answer = owner.client.get("/gallery?q=csrf_token", headers=headers)
    assert ("content-encoding" in answer.headers) is packed
    assert owner.client.get("/static/livery.css", headers=headers).headers["content-encoding"] == "gzip"


def test_a_form_token_looks_different_in_every_answer_and_fits_all_the_same(owner: SignedIn, app: FastAPI) -> None:
    texts = [owner.client.get("/account").text for _ in range(3)]
    tokens = [re.findall(r'name="csrf_token" value="([^"]+)"', text)[0] for text in texts]
    assert len(set(tokens)) == 3
    halves = {half for token in tokens for half in (token[:64], token[64:])}
    assert len(halves) == 6, "neither half is the secret itself"
    owner.client.headers.pop("x-csrf-token")
    for number, token in enumerate(tokens):
        sent = {"name": f"Ada {number}", "csrf_token": token}
        assert owner.client.post("/account/name", data=sent).status_code == 303
    key, session_id = app.state.signing_key, owner.session_id
    good = token_for(key, session_id)
    for wrong in ("", "zz", good[:-2], good[:64], good + "00", "00" * 64, token_for(key, "another")):
        sent = {"name": "Eve", "csrf_token": wrong}
        assert owner.client.post("/account/name", data=sent).status_code == 403, wrong
