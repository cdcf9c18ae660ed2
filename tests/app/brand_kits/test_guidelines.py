"""A brand guideline proposes; somebody ticks; the kit gets what was ticked and nothing else."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.brand_kits import queries
from app.brand_kits.guidelines import service
from app.brand_kits.guidelines.models import Guideline, GuidelineLogo
from app.brand_kits.guidelines.reading.families import clean_family
from app.brand_kits.models import KitFile, KitVersion
from app.db import Database, now
from app.operations.queries import storage_use
from app.projects import queries as projects
from app.storage import Storage
from tests.app.brand_kits.make_fonts import font_file
from tests.app.brand_kits.make_guidelines import guideline, pdf, simple
from tests.app.brand_kits.sets import make_brand
from tests.conftest import SignedIn, SignUp
from tests.tokens import api_client

TABLES = (KitVersion, KitFile, Guideline, GuidelineLogo)
FILE = {"file": ("../Nordlicht guideline.pdf", guideline())}


@pytest.fixture
def brand(database: Database, owner: SignedIn) -> str:
    return make_brand(database, owner.workspace_id)


def added(person: SignedIn, brand: str) -> str:
    """The address of the proposals."""
    answer = person.client.post(f"/projects/{brand}/brand-kit/guidelines", files=FILE)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def files_of(storage: Storage, brand: str, folder: str) -> list[str]:
    return sorted(storage.keys_under(f"projects/{brand}/{folder}".rstrip("/")))


def test_a_guideline_proposes_and_changes_nothing(database: Database, owner: SignedIn, brand: str) -> None:
    address = added(owner, brand)
    page = owner.client.get(address).text
    assert re.findall(r'data-found="(\w+)"', page) == ["colours", "families", "logos", "rules"]
    assert " checked" not in page.partition("data-proposals")[2]
    assert 'data-guideline="waiting"' in owner.client.get(f"/projects/{brand}/look").text
    assert owner.client.get(f"{address}/logos/0").headers["content-type"] == "image/png"
    with database.read() as session:
        where = {"workspace_id": owner.workspace_id, "project_id": brand}
        assert (queries.current(session, **where).version, len(projects.project(session, **where).palette)) == (0, 2)


def test_what_is_ticked_becomes_one_version(database: Database, storage: Storage, owner: SignedIn, brand: str) -> None:
    address = added(owner, brand)
    form = {
        "colour": ["0"],
        "role": ["primary", "text", ""],
        "rule": ["2"],
        "family": ["0"],
        "logo": ["0"],
        "use": ["dark"],
    }
    assert owner.client.post(address, data=form).status_code == 303
    with database.read() as session:
        where = {"workspace_id": owner.workspace_id, "project_id": brand}
        kit, palette = queries.current(session, **where), projects.project(session, **where).palette
    assert (kit.version, kit.colours.primary, kit.colours.text, palette[2:]) == (1, "#0a3d91", None, ["#0a3d91"])
    assert ([one.kind for one in kit.logos], kit.awaited) == (["dark"], ("Hanken Grotesk",))
    assert [line.split()[0] for line in kit.do_nots] == ["Never"]
    assert storage.get(kit.logos[0].key).startswith(b"\x89PNG")
    assert files_of(storage, brand, "guidelines") == []
    assert owner.client.get(address).status_code == 404
    assert owner.client.post(address, data=form).status_code == 404
    look = owner.client.get(f"/projects/{brand}/look").text
    assert ('data-awaited="1"' in look, 'data-guideline="waiting"' in look) == (True, False)


def test_a_family_is_awaited_until_its_file_is_there(database: Database, owner: SignedIn, brand: str) -> None:
    client = api_client(owner)
    base = f"/api/v1/projects/{brand}/brand-kit"
    assert client.patch(base, json={"awaited": ["Muster Sans", "Other"]}).json()["awaited"] == ["Muster Sans", "Other"]
    files = {"file": ("muster.ttf", font_file("MUSTER sans"))}
    assert client.post(f"{base}/fonts", files=files).json()["awaited"] == ["Other"]
    form = {"family": "Other"}
    assert owner.client.post(f"/projects/{brand}/brand-kit/awaited-fonts/remove", data=form).status_code == 303
    assert client.get(base).json()["awaited"] == []


def test_proposals_through_the_api(storage: Storage, owner: SignedIn, brand: str) -> None:
    client, base = api_client(owner), f"/api/v1/projects/{brand}/brand-kit/guidelines"
    first = client.post(base, files=FILE)
    assert (first.status_code, first.json()["pages"], first.json()["filename"]) == (201, 3, "Nordlicht guideline.pdf")
    second = client.post(base, files=FILE).json()
    assert [one["id"] for one in client.get(base).json()["items"]] == [second["id"]], "it takes the first one's place"
    assert client.get(f"{base}/{first.json()['id']}").status_code == 404
    assert client.get(f"{base}/{second['id']}/logos/0").content.startswith(b"\x89PNG")
    wanted = {"logos": [{"place": 0, "kind": "light"}], "colours": [{"place": 1}]}
    kit = client.post(f"{base}/{second['id']}/take-over", json=wanted).json()
    assert (kit["version"], kit["colours"]["primary"], kit["logos"][0]["kind"]) == (1, None, "light")
    assert not [key for key in files_of(storage, brand, "guidelines") if second["id"] in key]


@pytest.mark.parametrize(
    ("ticked", "status", "code"),
    [
        ({}, 422, "nothing_ticked"),
        ({"rules": [9]}, 404, "not_found"),
        ({"colours": [{"place": 0, "role": "text"}, {"place": 1, "role": "text"}]}, 422, "one_colour_each"),
        ({"rules": [0], "places": [1]}, 422, "invalid"),
    ],
    ids=["nothing", "no-such-place", "one-role-twice", "misspelt"],
)
def test_ticks_that_mean_nothing_are_refused(
    owner: SignedIn, brand: str, ticked: dict[str, object], status: int, code: str
) -> None:
    client, base = api_client(owner), f"/api/v1/projects/{brand}/brand-kit/guidelines"
    made = client.post(base, files=FILE).json()
    answer = client.post(f"{base}/{made['id']}/take-over", json=ticked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get(f"/api/v1/projects/{brand}/brand-kit").json()["version"] == 0
    assert len(client.get(base).json()["items"]) == 1


def test_dismissed_and_forgotten_proposals_leave_nothing(
    database: Database, storage: Storage, owner: SignedIn, brand: str
) -> None:
    assert owner.client.post(f"{added(owner, brand)}/dismiss").status_code == 303
    assert files_of(storage, brand, "guidelines") == []
    address = added(owner, brand)
    assert service.sweep_old(database, storage) == 0
    with database.write() as session:
        session.execute(update(Guideline).values(created_at=now() - service.KEPT - timedelta(minutes=1)))
    assert service.sweep_old(database, storage) == 1
    assert (files_of(storage, brand, "guidelines"), owner.client.get(address).status_code) == ([], 404)


def test_a_brand_takes_its_kit_along(database: Database, storage: Storage, owner: SignedIn, brand: str) -> None:
    client, base = api_client(owner), f"/api/v1/projects/{brand}/brand-kit"
    client.post(f"{base}/fonts", files={"file": ("muster.ttf", font_file())})
    owner.client.post(added(owner, brand), data={"logo": ["0"], "use": ["light"]})
    added(owner, brand)
    with database.read() as session:
        (use,) = storage_use(session, workspace_id=owner.workspace_id)
    kept = [key for key in files_of(storage, brand, "") if "preview" not in key]
    assert (use.kit, use.total) == (sum(storage.size(key) for key in kept), use.kit)
    assert (len(kept), f'data-kit="{use.kit}"' in owner.client.get("/operations").text) == (3, True)
    assert client.delete(f"/api/v1/projects/{brand}").status_code == 204
    assert files_of(storage, brand, "") == []
    with database.read() as session:
        assert [session.scalar(select(func.count()).select_from(table)) for table in TABLES] == [0, 0, 0, 0]


def test_a_trap_is_told_on_the_page(owner: SignedIn, brand: str) -> None:
    trap = pdf(simple(catalogue=b"/OpenAction<</S/JavaScript/JS(x)>>"))
    answer = owner.client.post(
        f"/projects/{brand}/brand-kit/guidelines", files={"file": ("a.pdf", trap)}, headers={"hx-request": "true"}
    )
    assert (answer.status_code, 'data-code="running_pdf"' in answer.text) == (422, True)


def test_viewers_see_proposals_and_take_none_over(owner: SignedIn, sign_up: SignUp, brand: str) -> None:
    address = added(owner, brand)
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    assert "<button" not in viewer.client.get(address).text.partition("data-proposals")[2].partition("</form>")[0]
    assert viewer.client.post(address, data={"rule": ["0"]}).status_code == 403
    assert viewer.client.post(f"/projects/{brand}/brand-kit/guidelines", files=FILE).status_code == 403


@pytest.mark.parametrize(
    ("told", "family"),
    [
        ("/ABCDEF+HankenGrotesk-SemiBold", "Hanken Grotesk"),
        ("Helvetica,Bold", "Helvetica"),
        ("TimesNewRomanPSMT", "Times New Roman"),
        ("XYZABC+MyriadPro-Regular", "Myriad Pro"),
        ("InterVariable", "Inter"),
    ],
)
def test_names_of_fonts_are_cleaned(told: str, family: str) -> None:
    assert clean_family(told) == family
