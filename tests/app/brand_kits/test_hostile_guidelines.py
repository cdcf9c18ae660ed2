"""Brand guidelines that are bombs, traps or broken: refused with a sentence, and the next one is read as ever."""

import zlib
from collections.abc import Callable

import pytest

from app.brand_kits.guidelines import errors
from app.brand_kits.guidelines.reading import pdf as reading
from app.brand_kits.guidelines.reading.reader import guideline as read
from app.errors import AppError
from app.reading import pool
from tests.app.brand_kits.make_guidelines import TEXT, guideline, pdf, simple, stream

NAME = {"name": "guideline.pdf"}
SCRIPT = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
IMAGE = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8"


def packed_twice() -> bytes:
    """Some kilobytes that become 100 MB."""
    layer = zlib.compress(bytes(100_000_000), 9)
    return b"<</Filter[/FlateDecode/FlateDecode]/Length %d>>stream\n%s\nendstream" % (
        len(packed := zlib.compress(layer, 9)),
        packed,
    )


def deep() -> bytes:
    return stream(b"[" * 5000 + b"]" * 5000 + b" TJ\n" + TEXT)


REFUSED: dict[str, tuple[Callable[[], bytes], type[AppError]]] = {
    "no-pdf": (lambda: b"<html>%PDF</html>", errors.NotAPdf),
    "nothing-behind-the-head": (lambda: b"%PDF-1.7\n" + bytes(100), errors.BrokenPdf),
    "cut-off": (lambda: guideline()[:3000], errors.BrokenPdf),
    "no-page": (
        lambda: pdf({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[]/Count 0>>"}),
        errors.BrokenPdf,
    ),
    "too-many-pages": (lambda: pdf(simple(pages=401)), errors.TooManyPages),
    "pages-within-themselves": (
        lambda: pdf(simple() | {2: b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>"}),
        errors.BrokenPdf,
    ),
    "script-by-name": (lambda: pdf(simple(catalogue=b"/Names<</JavaScript<</Names[(a)9 0 R]>>>>")), errors.RunningPdf),
    "script-on-opening": (lambda: pdf(simple(catalogue=b"/OpenAction" + SCRIPT)), errors.RunningPdf),
    "program-on-a-page": (
        lambda: pdf(simple(page=b"/Annots[<</Subtype/Link/A<</S/Launch/F(cmd.exe)>>>>]")),
        errors.RunningPdf,
    ),
    "script-of-a-page": (lambda: pdf(simple(page=b"/AA<</O%s>>" % SCRIPT)), errors.RunningPdf),
    "files-inside": (lambda: pdf(simple(catalogue=b"/Names<</EmbeddedFiles<</Names[]>>>>")), errors.PackedPdf),
    "portfolio": (lambda: pdf(simple(catalogue=b"/Collection<<>>")), errors.PackedPdf),
    "file-pinned-to-a-page": (lambda: pdf(simple(page=b"/Annots[<</Subtype/FileAttachment>>]")), errors.PackedPdf),
    "password": (
        lambda: pdf(
            simple(),
            b"/ID[<00><00>]/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -4/O(%s)/U(%s)>>" % (b"o" * 32, b"u" * 32),
        ),
        errors.LockedPdf,
    ),
    "unknown-lock": (lambda: pdf(simple(), b"/Encrypt<</Filter/Ours/V 9>>"), errors.LockedPdf),
    "bomb": (lambda: pdf(simple(stream(bytes(100_000_000), packed=True))), errors.PdfTooComplex),
    "bomb-in-a-bomb": (lambda: pdf(simple(packed_twice())), errors.PdfTooComplex),
    "nothing-in-it": (lambda: pdf(simple(stream(b"q Q"))), errors.NothingFound),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_a_guideline_that_is_a_trap_is_refused(case: str) -> None:
    make, kind = REFUSED[case]
    with pytest.raises(kind):
        read(NAME, [make()])


@pytest.mark.parametrize(
    "objects",
    [
        simple(
            more={
                9: stream(
                    b"/X Do " + TEXT, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 9 0 R>>>>"
                )
            }
        ),
        simple(more={9: stream(bytes(1000), IMAGE % (60_000, 60_000), packed=True)}),
        simple(more={9: stream(bytes(60_000_000), IMAGE % (1000, 1000), packed=True)}),
        simple(more={9: stream(b"no jpeg", IMAGE % (200, 200) + b"/Filter/DCTDecode")}),
        simple(more={9: stream(b"\0" * 50, IMAGE % (200, 200) + b"/Filter/JBIG2Decode")}),
    ],
    ids=["form-within-itself", "promises-too-much", "unpacks-to-too-much", "no-jpeg", "needs-a-program"],
)
def test_pictures_that_are_traps_are_left_out(objects: dict[int, bytes]) -> None:
    found, blobs = read(NAME, [pdf(objects)])
    assert ([one["kind"] for one in found["rules"]], found["logos"], blobs) == (["do_not"], [], [])


def test_reading_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS", -1)
    with pytest.raises(errors.NothingFound):
        read(NAME, [guideline()])


def test_a_bomb_costs_nothing_but_a_sentence() -> None:
    for data in (pdf(simple(deep())), pdf(simple(packed_twice()))):
        with pytest.raises(AppError):
            pool.ask("guideline", NAME, [data], name="guideline.pdf")
    assert pool.ask("guideline", NAME, [guideline()], name="guideline.pdf").value["pages"] == 3
