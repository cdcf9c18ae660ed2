"""The fonts that ads are set in, by their roles, as the layout engine takes them."""

import io
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer
from PIL import Image
from pypdf import PdfReader

from app.brand_kits import service
from app.brand_kits.errors import NoSuchFamily
from app.brand_kits.reading.fonts import read_font
from app.brand_kits.service import Author
from app.brand_kits.snapshot import FontRoles, KitSnapshot
from app.brand_kits.typefaces import Typefaces, fonts_for
from app.db import Database
from app.layouts.designs import layout
from app.layouts.render import render, render_pdf
from app.layouts.typesetting import DEFAULT_FAMILY, FONTS
from app.storage import Storage
from tests.app.brand_kits.make_fonts import font_file as bare_font
from tests.app.brand_kits.sets import kept_font
from tests.app.layouts.ads import SMALL, content
from tests.orders import make_workspace
from tests.tools import layout_samples as samples
from tests.visuals import make_project

VARIABLE = Path("templates/static/fonts/hanken-grotesk-latin.woff2")


def renamed(font: TTFont, family: str) -> bytes:
    for name, text in ((1, family), (16, family), (6, family.replace(" ", "") + "-Regular")):
        font["name"].setName(text, name, 3, 1, 0x409)
    font.flavor = None
    content = io.BytesIO()
    font.save(content)
    return content.getvalue()


def font_file(family: str = "Muster Sans", *, fs_type: int = 0) -> bytes:
    """The shipped font under another name: the layout engine reads no font that is made of squares."""
    font = TTFont(FONTS / "HankenGrotesk-Regular.ttf")
    font["OS/2"].fsType = fs_type
    return renamed(font, family)


@pytest.fixture
def author(database: Database) -> Author:
    workspace_id = make_workspace(database)
    return Author(workspace_id, make_project(database, workspace_id), None)


def kit_of(database: Database, storage: Storage, author: Author, *fonts: bytes, **roles: str | None) -> KitSnapshot:
    kept = [kept_font(storage, author.project_id, one, f"{place}.ttf") for place, one in enumerate(fonts)]
    with database.write() as session:
        service.add_fonts(session, author, kept)
        return service.change(session, author, {"font_roles": FontRoles(**roles)})


def fonts_in(faces: Typefaces) -> set[str]:
    """Names of the fonts that an ad's PDF embeds, without the mark of a subset."""
    made = render_pdf(
        layout("split"),
        "light",
        SMALL,
        content("en", headline="ABC", body="abc", call_to_action="", badge="", legal="", ai_label=""),
        samples.locale("en"),
        samples.COLOURS,
        fonts_folder=faces.folder,
        family=faces.headline,
        body_family=faces.body,
    )
    fonts = PdfReader(io.BytesIO(made.pdf)).pages[0]["/Resources"]["/Font"].values()  # type: ignore[index]
    return {font.get_object()["/BaseFont"].rpartition("+")[2] for font in fonts}


def test_headline_and_body_are_set_in_the_families_of_their_roles(
    database: Database, storage: Storage, author: Author, tmp_path: Path
) -> None:
    sans, serif = font_file("Muster Sans"), font_file("Muster Serif")
    kit = kit_of(database, storage, author, sans, serif, headline="Muster Serif", body="Muster Sans")
    faces = fonts_for(storage, kit, tmp_path)
    assert (faces.headline, faces.body, faces.findings) == ("Muster Serif", "Muster Sans", ())
    assert {name.split("-")[0] for name in fonts_in(faces)} == {"MusterSerif", "MusterSans"}


def test_the_first_family_gets_both_roles_and_either_may_go_back_to_the_shipped_one(
    database: Database, storage: Storage, author: Author, tmp_path: Path
) -> None:
    with database.write() as session:
        kit = service.add_fonts(session, author, [kept_font(storage, author.project_id, font_file())])
        assert kit.font_roles == FontRoles(headline="Muster Sans", body="Muster Sans")
        with pytest.raises(NoSuchFamily):
            service.change(session, author, {"font_roles": FontRoles(body="Nobody's Sans")})
        kit = service.change(session, author, {"font_roles": FontRoles(headline="Muster Sans")})
    faces = fonts_for(storage, kit, tmp_path)
    assert (faces.headline, faces.body) == ("Muster Sans", DEFAULT_FAMILY)


def test_live_text_takes_only_what_may_be_embedded_and_says_so(
    database: Database, storage: Storage, author: Author, tmp_path: Path
) -> None:
    closed, open_ = font_file("Muster Closed", fs_type=2), font_file("Muster Open")
    kit = kit_of(database, storage, author, closed, open_, headline="Muster Closed", body="Muster Open")
    (tmp_path / "png").mkdir()
    assert fonts_for(storage, kit, tmp_path / "png").headline == "Muster Closed"
    (tmp_path / "pdf").mkdir()
    faces = fonts_for(storage, kit, tmp_path / "pdf", live_text=True)
    assert (faces.headline, faces.body) == (DEFAULT_FAMILY, "Muster Open")
    assert [(one.code, one.slot) for one in faces.findings] == [("font_not_embeddable", "headline")]
    assert not any("Closed" in name for name in fonts_in(faces))


def test_a_role_whose_files_were_removed_is_set_in_the_shipped_font(
    database: Database, storage: Storage, author: Author, tmp_path: Path
) -> None:
    kit = kit_of(database, storage, author, font_file(), headline="Muster Sans", body=None)
    with database.write() as session:
        kit = service.remove_font(session, author, kit.fonts[0].sha256)
    faces = fonts_for(storage, kit, tmp_path)
    assert (faces.folder, faces.headline) == (FONTS, DEFAULT_FAMILY)
    assert [(one.code, one.slot) for one in faces.findings] == [("font_missing", "headline")]
    with database.write() as session:
        assert service.put_back(session, author, kit.version).font_roles.headline == "Muster Sans"


def test_a_font_that_the_layout_engine_cannot_read_is_told(
    database: Database, storage: Storage, author: Author, tmp_path: Path
) -> None:
    kit = kit_of(database, storage, author, bare_font(), headline="Muster Sans", body=None)
    faces = fonts_for(storage, kit, tmp_path)
    assert faces.headline == DEFAULT_FAMILY
    assert [(one.code, one.slot) for one in faces.findings] == [("font_unusable", "headline")]


def test_a_variable_font_has_the_weights_that_layouts_ask_for(tmp_path: Path) -> None:
    read = read_font(renamed(TTFont(VARIABLE), "Muster Variable"), "v.ttf")
    assert read.variable
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "v.ttf").write_bytes(read.content)
    (tmp_path / "cuts").mkdir()
    for weight in (400, 600, 800):
        cut = instancer.instantiateVariableFont(TTFont(io.BytesIO(read.content)), {"wght": weight})
        cut["OS/2"].usWeightClass = weight
        cut.save(tmp_path / "cuts" / f"{weight}.ttf")
    drawn = []
    for folder in ("one", "cuts"):
        made = render(
            layout("split"),
            "light",
            SMALL,
            content("en"),
            samples.locale("en"),
            samples.COLOURS,
            fonts_folder=tmp_path / folder,
            family="Muster Variable",
        )
        drawn.append(np.asarray(Image.open(io.BytesIO(made.png)).convert("RGB")).astype(int))
    assert abs(drawn[0] - drawn[1]).max() <= 8
