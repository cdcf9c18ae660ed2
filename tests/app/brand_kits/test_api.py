"""Kits as JSON."""

import pytest

from app.db import Database
from tests.app.brand_kits.make_fonts import font_file
from tests.app.brand_kits.sets import SVG, make_brand, png_logo
from tests.conftest import SignedIn, SignUp
from tests.tokens import api_client


@pytest.fixture
def base(database: Database, owner: SignedIn) -> str:
    return f"/api/v1/projects/{make_brand(database, owner.workspace_id)}/brand-kit"


def test_a_kit_lives_through_the_api(owner: SignedIn, base: str) -> None:
    client = api_client(owner)
    assert client.get(base).json()["version"] == 0
    change = {
        "colours": {"primary": "#112233", "ground": "#445566"},
        "do_nots": ["No drop shadows"],
        "legal": [{"locale": "pt-br", "legal": ["Nordlicht Ltda"]}, {"locale": "de", "disclaimers": ["Nur solange."]}],
        "personas": [{"name": "Ada", "who": "Runs a café", "motive": "Time"}],
    }
    kit = client.patch(base, json=change).json()
    assert (kit["version"], [one["locale"] for one in kit["legal"]]) == (1, ["de", "pt-BR"])
    assert kit["colours"] == {"primary": "#112233", "accent": None, "ground": "#445566", "text": None}
    assert client.patch(base, json=change).json() == kit, "saving the same is no new version"

    sent = client.post(f"{base}/logos", files={"file": ("../a.svg", SVG)}, data={"kind": "light", "clear_space": "0.4"})
    assert sent.status_code == 201
    (logo,) = sent.json()["logos"]
    assert (logo["filename"], logo["format"], logo["clear_space"], "key" in logo) == ("a.svg", "svg", 0.4, False)
    files = [("file", (f"{style}.ttf", font_file(style=style))) for style in ("Bold", "Regular")]
    kit = client.post(f"{base}/fonts", files=files, data={"licence": "OFL 1.1"}).json()
    assert [(one["style"], one["licence"], one["may_embed"]) for one in kit["fonts"]] == [
        ("Bold", "OFL 1.1", True),
        ("Regular", "OFL 1.1", True),
    ]
    sha = kit["fonts"][0]["sha256"]
    placed = {"logos": [{"kind": "light", "least_width": 120}], "fonts": [{"sha256": sha, "may_embed": False}]}
    placed["font_roles"] = {"headline": "Muster Sans"}
    changed = client.patch(base, json=placed).json()
    assert changed["font_roles"] == {"headline": "Muster Sans", "body": None}
    assert (changed["version"], changed["logos"][0]["least_width"], changed["fonts"][0]["may_embed"]) == (4, 120, False)

    drawn = client.get(f"{base}/logos/light")
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    assert (drawn.headers["content-security-policy"], drawn.headers["x-content-type-options"]) == ("sandbox", "nosniff")
    assert drawn.headers["content-disposition"].startswith("attachment")
    assert client.get(f"{base}/fonts/{sha[:16]}").content == files[0][1][1]
    assert client.delete(f"{base}/fonts/{sha}").json()["version"] == 5
    assert client.delete(f"{base}/logos/light").json()["logos"] == []
    assert client.get(f"{base}/logos/light").status_code == 404
    assert client.delete(f"{base}/fonts/{sha}").status_code == 404
    assert client.get(f"{base}?version=4").json() == changed
    assert client.get(f"{base}?version=7").status_code == 404


def test_a_late_change_is_a_conflict(owner: SignedIn, base: str) -> None:
    client = api_client(owner)
    assert client.patch(base, json={"do_nots": ["One"], "version": 0}).json()["version"] == 1
    late = client.patch(base, json={"do_nots": ["Two"], "version": 0})
    assert (late.status_code, late.json()["code"]) == (409, "kit_changed")
    assert client.patch(base, json={"personas": [{"name": "Ada"}], "version": 0}).json()["do_nots"] == ["One"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"do_not": []},
        {"colours": {"primary": "#112233", "secondary": "#445566"}},
        {"colours": {"primary": "#abcdef"}},
        {"colours": {"primary": "red"}},
        {"legal": [{"locale": "german"}]},
        {"personas": [{"name": ""}]},
        {"personas": [{"name": "Ada"}] * 7},
        {"logos": [{"kind": "neon"}]},
        {"fonts": [{"sha256": "../../etc"}]},
        {"do_nots": ["x" * 300]},
    ],
)
def test_what_does_not_fit_is_refused(owner: SignedIn, base: str, wrong: dict[str, object]) -> None:
    client = api_client(owner)
    assert client.patch(base, json=wrong).status_code == 422
    assert client.get(base).json()["version"] == 0


def test_files_that_are_none_are_refused_with_a_sentence(owner: SignedIn, base: str) -> None:
    client = api_client(owner)
    for kind, data, error in (("logos", b"no", "not_a_logo"), ("fonts", SVG, "not_a_font")):
        refused = client.post(f"{base}/{kind}", files={"file": ("file", data)}, data={"kind": "light"})
        assert (refused.status_code, refused.json()["code"]) == (415, error)
        assert "“file”" in refused.json()["sentence"]
    both = [("file", ("good.ttf", font_file())), ("file", ("bad.ttf", b"no"))]
    assert client.post(f"{base}/fonts", files=both).status_code == 415
    assert client.get(base).json()["version"] == 0, "all or none"


def test_strangers_get_404_and_readers_change_nothing(owner: SignedIn, base: str, sign_up: SignUp) -> None:
    client, stranger = api_client(owner), api_client(sign_up())
    client.post(f"{base}/logos", files={"file": ("a.png", png_logo())}, data={"kind": "mono"})
    sha = client.post(f"{base}/fonts", files={"file": ("a.ttf", font_file())}).json()["fonts"][0]["sha256"]
    for path in ("", "/logos/mono", f"/fonts/{sha}"):
        assert stranger.get(base + path).status_code == 404
    assert stranger.patch(base, json={"do_nots": []}).status_code == 404
    assert stranger.delete(f"{base}/logos/mono").status_code == 404
    assert stranger.delete(f"{base}/fonts/{sha}").status_code == 404
    assert stranger.post(f"{base}/fonts", files={"file": ("a.ttf", font_file())}).status_code == 404
    assert stranger.post(f"{base}/logos", files={"file": ("a.svg", SVG)}, data={"kind": "mono"}).status_code == 404
    reader = api_client(owner, read_only=True)
    assert reader.get(base).status_code == 200
    assert reader.patch(base, json={"do_nots": []}).status_code == 403
