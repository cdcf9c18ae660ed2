"""What may happen to a kit: versions, two people at once, and nobody else's."""

import io
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from sqlalchemy import func, select

from app.brand_kits import queries, service
from app.brand_kits.errors import KitChanged, KitLineTooLong, KitTooFull, NotInPalette
from app.brand_kits.files import fonts_folder, logo_bytes
from app.brand_kits.models import KitFile, KitVersion
from app.brand_kits.service import Author
from app.brand_kits.snapshot import MOST_PERSONAS, Colours, KitSnapshot, LegalLines, Persona
from app.db import Database
from app.errors import NotFound
from app.operations import erasure
from app.operations import keys as file_keys
from app.projects import service as projects
from app.storage import Storage
from tests.app.brand_kits.make_fonts import font_file
from tests.app.brand_kits.sets import kept_font, kept_logo, make_brand, png_logo
from tests.conftest import SignUp

pytestmark = pytest.mark.dialect


@pytest.fixture
def workspace_id(sign_up: SignUp) -> str:
    return sign_up().workspace_id


@pytest.fixture
def author(database: Database, workspace_id: str) -> Author:
    return Author(workspace_id, make_brand(database, workspace_id), None)


def now_of(database: Database, author: Author) -> KitSnapshot:
    with database.read() as session:
        return queries.current(session, workspace_id=author.workspace_id, project_id=author.project_id)


def changed(database: Database, author: Author, **parts: object) -> KitSnapshot:
    with database.write() as session:
        return service.change(session, author, parts)


def began(author: Author, version: int, over: int | None = None) -> Author:
    return Author(author.workspace_id, author.project_id, None, version, over)


def test_every_change_is_a_version_and_saving_the_same_is_none(database: Database, author: Author) -> None:
    assert now_of(database, author) == KitSnapshot()
    assert changed(database, author, do_nots=("No drop shadows", "", "No drop shadows")).version == 1
    assert changed(database, author, do_nots=("No drop shadows",)).version == 1
    second = changed(database, author, personas=(Persona(name="Ada", who="Runs a café"), Persona(name="")))
    assert (second.version, len(second.personas), second.do_nots) == (2, 1, ("No drop shadows",))
    assert now_of(database, author) == second
    with database.read() as session:
        where = {"workspace_id": author.workspace_id, "project_id": author.project_id}
        assert queries.version(session, **where, number=1).personas == ()
        assert queries.version(session, **where, number=0) == KitSnapshot()
        with pytest.raises(NotFound):
            queries.version(session, **where, number=3)


def test_only_the_same_part_is_in_the_way(database: Database, author: Author) -> None:
    changed(database, author, do_nots=("First",))
    late = began(author, 0)
    with pytest.raises(KitChanged):
        changed(database, late, do_nots=("Mine",))
    assert changed(database, late, personas=(Persona(name="Ada"),)).do_nots == ("First",), "another part"
    assert changed(database, began(author, 0, over=2), do_nots=("Mine",)).do_nots == ("Mine",), "on purpose"
    with pytest.raises(KitChanged):
        changed(database, began(author, 99), do_nots=("From nowhere",))


def test_two_who_describe_one_font_are_told(database: Database, storage: Storage, author: Author) -> None:
    fonts = [kept_font(storage, author.project_id, font_file(style=style)) for style in ("Regular", "Bold")]
    with database.write() as session:
        kit = service.add_fonts(session, author, fonts)
    one, other = (font.sha256 for font in kit.fonts)
    late = began(author, kit.version)
    with database.write() as session:
        service.describe_font(session, late, one, licence="OFL", may_embed=None)
    with database.write() as session:
        assert service.describe_font(session, late, other, licence="Ours", may_embed=False).version == 3
    with database.write() as session, pytest.raises(KitChanged):
        service.describe_font(session, late, one, licence="Bought", may_embed=None)


def test_roles_take_colours_of_the_palette(database: Database, author: Author) -> None:
    kit = changed(database, author, colours=Colours(primary="#112233", text="#445566"))
    assert kit.colours == Colours(primary="#112233", text="#445566")
    with pytest.raises(NotInPalette):
        changed(database, author, colours=Colours(primary="#abcdef"))
    with database.write() as session:
        projects.set_palette(session, workspace_id=author.workspace_id, project_id=author.project_id, colours=[])
    kept = changed(database, author, colours=Colours(primary="#112233"))
    assert kept.colours.primary == "#112233", "a colour that has left the palette keeps its role until it is changed"


def test_legal_lines_are_found_by_language(database: Database, author: Author) -> None:
    lines = (
        LegalLines(locale="en", legal=("Nordlicht Ltd",)),
        LegalLines(locale="de", legal=("Nordlicht GmbH",), disclaimers=("Solange der Vorrat reicht.",)),
        LegalLines(locale="fr"),
    )
    kit = changed(database, author, legal=lines)
    assert [one.locale for one in kit.legal] == ["de", "en"]
    assert kit.legal_for("de-AT").legal == ("Nordlicht GmbH",)
    assert kit.legal_for("pl") == LegalLines(locale="pl")


def test_there_is_an_end_to_everything(database: Database, author: Author) -> None:
    with pytest.raises(KitTooFull):
        changed(database, author, do_nots=tuple(f"Not {number}" for number in range(21)))
    with pytest.raises(KitTooFull):
        changed(database, author, personas=tuple(Persona(name=f"P{one}") for one in range(MOST_PERSONAS + 1)))
    with pytest.raises(KitLineTooLong):
        changed(database, author, legal=(LegalLines(locale="de", legal=("x" * 1001,)),))
    assert now_of(database, author).version == 0


def test_logos_replace_one_another_and_come_back(database: Database, storage: Storage, author: Author) -> None:
    drawn, painted = kept_logo(storage, author.project_id), kept_logo(storage, author.project_id, png_logo(), "a.png")
    with database.write() as session:
        service.set_logo(session, author, drawn, "dark")
        service.set_logo(session, author, drawn, "light", clear_space=0.5)
        assert service.set_logo(session, author, drawn, "light").version == 2, "the same once more"
        kit = service.set_logo(session, author, painted, "light")
    light = kit.logo("light")
    assert light is not None
    assert (light.format, light.width, light.height, light.transparent, light.clear_space) == (
        ("png", 240, 120, True, 0.5)
    )
    assert [logo.kind for logo in kit.logos] == ["light", "dark"]
    assert logo_bytes(storage, kit, "dark").startswith(b"<?xml")
    with database.write() as session:
        assert service.put_back(session, author, kit.version).logo("light").sha256 == drawn.sha256  # type: ignore[union-attr]
        service.set_logo(session, author, painted, "light")
        removed = service.remove_logo(session, author, "light")
        service.change(session, author, {"do_nots": ("Changed since",)})
        back = service.put_back(session, author, removed.version)
    assert (back.logo("light"), back.do_nots) == (light, ("Changed since",))
    with pytest.raises(NotFound):
        logo_bytes(storage, removed, "light")
    with database.write() as session:
        assert service.put_back(session, author, removed.version).version == back.version, "there is nothing left"


def test_fonts_lie_in_a_folder_for_the_layout_engine(
    database: Database, storage: Storage, author: Author, tmp_path: Path
) -> None:
    packed = kept_font(storage, author.project_id, font_file(style="Bold", weight=700, flavor="woff2"), "b.woff2")
    closed = kept_font(storage, author.project_id, font_file(fs_type=2), "r.ttf")
    with database.write() as session:
        kit = service.add_fonts(session, author, [packed, closed], licence="Bought")
    assert [(font.style, font.weight, font.may_embed, font.format) for font in kit.fonts] == [
        ("Regular", 400, False, "ttf"),
        ("Bold", 700, True, "ttf"),
    ]
    files = fonts_folder(storage, kit, tmp_path)
    assert {TTFont(io.BytesIO(file.read_bytes()))["name"].getDebugName(2) for file in files} == {"Regular", "Bold"}
    (embeddable,) = fonts_folder(storage, kit, tmp_path, only_embeddable=True)
    assert embeddable.name == f"{packed.sha256[:16]}.ttf"


def test_another_workspace_finds_nothing(database: Database, storage: Storage, author: Author, sign_up: SignUp) -> None:
    with database.write() as session:
        kit = service.add_fonts(session, author, [kept_font(storage, author.project_id)])
    stranger = Author(sign_up().workspace_id, author.project_id, None)
    where = {"workspace_id": stranger.workspace_id, "project_id": stranger.project_id}
    with database.write() as session:
        for attempt in (
            lambda: queries.current(session, **where),
            lambda: queries.version(session, **where, number=1),
            lambda: queries.file(session, **where, sha=kit.fonts[0].sha256),
            lambda: service.change(session, stranger, {"do_nots": ("Theirs",)}),
            lambda: service.remove_font(session, stranger, kit.fonts[0].sha256),
            lambda: service.put_back(session, stranger, 1),
        ):
            with pytest.raises(NotFound):
                attempt()
    assert now_of(database, author) == kit


def test_files_belong_to_the_brand_and_go_with_it(
    database: Database, storage: Storage, author: Author, tmp_path: Path
) -> None:
    logo, font = kept_logo(storage, author.project_id), kept_font(storage, author.project_id)
    with database.write() as session:
        service.set_logo(session, author, logo, "mono")
        service.add_fonts(session, author, [font])
        service.remove_font(session, author, font.sha256)
    with database.read() as session:
        held = set(file_keys.referenced(session))
    files = {logo.key, logo.preview_key, font.key, font.preview_key}
    assert files <= held, "an older version still refers to it"
    done = erasure.erase_project(database, storage, tmp_path, project_id=author.project_id)
    assert (done.rows["brand_kits"], done.rows["kit_files"], done.remains) == (3, 2, [])
    assert not any(storage.exists(key) for key in files)
    with database.read() as session:
        for table in (KitVersion, KitFile):
            assert session.scalar(select(func.count()).select_from(table)) == 0
