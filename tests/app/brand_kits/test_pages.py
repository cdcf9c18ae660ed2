"""The page of a brand's look, which is its kit: every section by itself, two people at once, and viewers."""

import re

import pytest

from app.brand_kits.snapshot import Colours
from app.brand_kits.view import contrast
from app.db import Database
from tests.app.brand_kits.make_fonts import font_file
from tests.app.brand_kits.sets import SVG, make_brand, png_logo
from tests.conftest import SignedIn, SignUp
from tests.tokens import api_client

HTMX = {"hx-request": "true"}


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_brand(database, owner.workspace_id)


@pytest.fixture
def home(project_id: str) -> str:
    return f"/projects/{project_id}"


def kit_of(owner: SignedIn, home: str) -> dict[str, object]:
    kit: dict[str, object] = api_client(owner).get(f"/api/v1{home}/brand-kit").json()
    return kit


def test_an_empty_kit_says_what_to_do(owner: SignedIn, home: str) -> None:
    page = owner.client.get(f"{home}/look").text
    assert 'data-state="no-fonts"' in page
    assert set(re.findall(r'data-logo="(\w+)"', page)) == {"light", "dark", "mono"}
    assert set(re.findall(r'data-locale="(\w+)"', page)) == {"de", "en"}


def test_what_the_page_saves_the_api_tells(owner: SignedIn, home: str) -> None:
    sections = {
        "colours": {"role_primary": "#112233", "role_text": "#445566", "role_ground": "", "version": "0"},
        "do-nots": {"do_nots": "No shadows\r\n\r\nNo puns ", "version": "0"},
        "legal": {"locale": ["de", "", "fr"], "legal": ["GmbH", "", ""], "disclaimers": ["", "lost", "Sous réserve"]},
        "personas": {"persona": ["Ada", ""], "who": ["Runs a café", ""], "motive": ["", "nobody"]},
    }
    for place, data in sections.items():
        answer = owner.client.post(f"{home}/brand-kit/{place}", data=data, headers=HTMX)
        assert (answer.status_code, f'id="{place}"' in answer.text) == (200, True), place
        again = owner.client.post(f"{home}/brand-kit/{place}", data=data)
        assert (again.status_code, again.headers["location"]) == (303, f"{home}/look#{place}")
    kit = kit_of(owner, home)
    assert kit["version"] == 4
    assert kit["colours"] == {"primary": "#112233", "accent": None, "ground": None, "text": "#445566"}
    assert kit["do_nots"] == ["No shadows", "No puns"]
    assert kit["legal"] == [
        {"locale": "de", "legal": ["GmbH"], "disclaimers": []},
        {"locale": "fr", "legal": [], "disclaimers": ["Sous réserve"]},
    ]
    assert kit["personas"] == [{"name": "Ada", "who": "Runs a café", "motive": ""}]
    page = owner.client.get(f"{home}/look").text
    assert re.search(r'name="role_primary" value="#112233" checked', page)
    assert 'data-locale="fr"' in page


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_two_who_save_one_section_are_told_and_lose_nothing(
    owner: SignedIn, home: str, headers: dict[str, str]
) -> None:
    address = f"{home}/brand-kit/do-nots"
    owner.client.post(address, data={"do_nots": "Theirs", "version": "0"})
    late = owner.client.post(address, data={"do_nots": "Mine", "version": "0"}, headers=headers)
    assert late.status_code == 409
    assert 'data-state="kit-changed"' in late.text and "Theirs" in late.text
    assert late.headers.get("hx-retarget") == ("find [data-changed]" if headers else None)
    if not headers:
        assert "Mine</textarea>" in late.text
    assert kit_of(owner, home)["do_nots"] == ["Theirs"]
    (over,) = set(re.findall(r'name="over" value="(\d+)"', late.text))
    assert owner.client.post(address, data={"do_nots": "Mine", "version": "0", "over": over}).status_code == 303
    assert kit_of(owner, home)["do_nots"] == ["Mine"]


@pytest.mark.parametrize(
    ("section", "data"),
    [
        ("colours", {"role_primary": "#112233"}),
        ("legal", {"locale": "de", "legal": "Mine"}),
        ("personas", {"persona": "Me"}),
    ],
)
def test_every_section_tells_theirs(owner: SignedIn, home: str, section: str, data: dict[str, str]) -> None:
    client = api_client(owner)
    theirs = {
        "colours": {"primary": "#445566"},
        "legal": [{"locale": "de", "legal": ["Theirs"]}],
        "personas": [{"name": "Theirs"}],
    }
    client.patch(f"/api/v1{home}/brand-kit", json={section: theirs[section]})
    late = owner.client.post(f"{home}/brand-kit/{section}", data=data | {"version": "0"}, headers=HTMX)
    assert late.status_code == 409
    assert ("#445566" if section == "colours" else "Theirs") in late.text


def test_a_logo_comes_goes_and_comes_back(owner: SignedIn, home: str) -> None:
    address = f"{home}/brand-kit/logos"
    sent = owner.client.post(address, files={"file": ("a.svg", SVG)}, data={"kind": "light"}, headers=HTMX)
    (preview,) = re.findall(rf'src="({home}/brand-kit/preview/[0-9a-f]+)"', sent.text)
    shown = owner.client.get(preview)
    assert (shown.headers["content-type"], shown.headers["content-security-policy"]) == ("image/png", "sandbox")
    placed = owner.client.post(f"{address}/light", data={"clear_percent": "50", "least_width": "90", "version": "1"})
    assert placed.status_code == 303
    removed = owner.client.post(f"{address}/light/remove", headers=HTMX)
    (undo,) = re.findall(rf'"({home}/brand-kit/versions/\d+/put-back)"', removed.headers["hx-trigger"])
    assert kit_of(owner, home)["logos"] == []
    assert owner.client.post(undo).status_code == 303
    (logo,) = kit_of(owner, home)["logos"]  # type: ignore[misc]
    assert (logo["clear_space"], logo["least_width"]) == (0.5, 90)
    replaced = owner.client.post(address, files={"file": ("b.png", png_logo())}, data={"kind": "light"}, headers=HTMX)
    assert "/put-back" in replaced.headers["hx-trigger"]
    assert 'id="kit-version"' in replaced.text
    refused = owner.client.post(address, files={"file": ("a.svg", b"no")}, data={"kind": "light"}, headers=HTMX)
    assert (refused.status_code, refused.headers["hx-retarget"]) == (415, "find .form-error")


def test_a_font_comes_is_described_and_goes(owner: SignedIn, home: str) -> None:
    address = f"{home}/brand-kit/fonts"
    files = [("file", ("a.ttf", font_file(fs_type=2))), ("file", ("b.woff2", font_file(style="Bold", flavor="woff2")))]
    sent = owner.client.post(address, files=files, headers=HTMX)
    bold, regular = re.findall(r'data-font="([0-9a-f]{16})"', sent.text)
    assert owner.client.get(f"{home}/brand-kit/preview/{bold}").content.startswith(b"\x89PNG")
    described = owner.client.post(f"{address}/{regular}", data={"licence": "Bought", "may_embed": "true"}, headers=HTMX)
    assert "Bought" in described.text
    removed = owner.client.post(f"{address}/{bold}/remove")
    assert removed.headers["location"] == f"{home}/look#fonts"
    (font,) = kit_of(owner, home)["fonts"]  # type: ignore[misc]
    assert (font["licence"], font["may_embed"], font["fs_type"]) == ("Bought", True, 2)


def test_viewers_see_the_kit_and_no_way_to_change_it(owner: SignedIn, home: str, sign_up: SignUp) -> None:
    client = api_client(owner)
    change = {
        "colours": {"primary": "#112233", "ground": "#112233", "text": "#445566"},
        "do_nots": ["No shadows"],
        "legal": [{"locale": "en", "legal": ["Ltd"]}],
        "personas": [{"name": "Ada"}],
    }
    client.patch(f"/api/v1{home}/brand-kit", json=change)
    client.post(f"/api/v1{home}/brand-kit/logos", files={"file": ("a.png", png_logo())}, data={"kind": "mono"})
    client.post(f"/api/v1{home}/brand-kit/fonts", files={"file": ("a.ttf", font_file())})
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    page = viewer.client.get(f"{home}/look").text
    for seen in ("No shadows", "Ltd", "Ada", "Muster Sans", "/brand-kit/preview/", "#112233"):
        assert seen in page
    assert "/brand-kit/logos" not in page and "/brand-kit/fonts" not in page and "textarea" not in page
    for place in ("colours", "do-nots", "legal", "personas", "logos/mono/remove", "versions/1/put-back"):
        assert viewer.client.post(f"{home}/brand-kit/{place}").status_code == 403
    assert sign_up().client.get(f"{home}/brand-kit/colours").status_code == 404


def test_contrast_is_counted_as_wcag_does() -> None:
    assert contrast(Colours(ground="#ffffff", text="#000000")) == 21.0
    assert contrast(Colours(ground="#777777", text="#ffffff")) == 4.5
    assert contrast(Colours(ground="#777777")) is None
