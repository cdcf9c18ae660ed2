"""A PDF says where it comes from, and stays what was rendered: text, fonts and boxes."""

import io

import pytest
from pypdf import PdfReader

from app.ad_files.documents import pdf_file
from app.ad_files.origin import COMPOSITE_SOURCE_TYPE
from app.layouts.values import Canvas
from tests.app.ad_files.files import TOLD, described
from tests.app.layouts.ads import content, draw_pdf

PRINT = Canvas(620, 877, bleed_px=9, dpi=75)


@pytest.fixture(scope="module")
def rendered() -> bytes:
    return draw_pdf("poster", content(headline="Größe zählt"), canvas=PRINT).pdf


def test_a_pdf_says_where_it_comes_from(rendered: bytes) -> None:
    read = PdfReader(io.BytesIO(pdf_file(rendered, TOLD).content))
    assert read.metadata is not None
    assert read.metadata.title == TOLD.title
    assert read.metadata.creation_date == read.metadata.modification_date == TOLD.created_at
    packet = read.root_object["/Metadata"].get_object().get_data().decode()  # type: ignore[attr-defined]
    assert COMPOSITE_SOURCE_TYPE in packet
    assert "Typst" not in packet


def test_it_is_the_same_file_each_time(rendered: bytes) -> None:
    one, other = pdf_file(rendered, TOLD), pdf_file(rendered, TOLD)
    assert one == other
    assert one.ending == "pdf"


def test_pages_stay_as_they_were_rendered(rendered: bytes) -> None:
    before, after = (PdfReader(io.BytesIO(pdf)).pages[0] for pdf in (rendered, pdf_file(rendered, TOLD).content))
    for box in ("mediabox", "bleedbox", "trimbox"):
        assert list(getattr(before, box)) == list(getattr(after, box))
    assert before.extract_text() == after.extract_text()
    assert "Größe" in after.extract_text()


def test_colours_are_srgb(rendered: bytes) -> None:
    spaces = PdfReader(io.BytesIO(pdf_file(rendered, TOLD).content)).pages[0]["/Resources"]["/ColorSpace"]  # type: ignore[index]
    kinds = [space.get_object() for space in spaces.values()]
    assert {kind[0] for kind in kinds} == {"/ICCBased"}
    named = {described(kind[1].get_object().get_data()) for kind in kinds if kind[1].get_object()["/N"] == 3}
    assert named == {"sRGB"}
