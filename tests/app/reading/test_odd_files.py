"""Files that are damaged or odd get a sentence, whatever is wrong with them, and never an error of ours."""

import io
import json
import re
import struct
import zipfile

import pytest

from app.db import Database
from app.reading import pool
from app.reading.errors import ReadersBusy, Unreadable
from tests.answers import code_of
from tests.app.adapters.test_imports import CONTENT
from tests.app.images import hostile
from tests.app.images.make_pictures import encoded, scene, svg
from tests.app.images.sets import make_brand
from tests.app.voice.make_files import W, docx, text_of, xlsx, zipped
from tests.conftest import SignedIn

JSON = {"accept": "application/json"}
OF_THE_MOMENT = re.compile(r'<time\b.*?</time>|value="[0-9a-f]{100,}"')
"""How long ago something was, and form tokens, which each answer masks in its own way."""


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_brand(database, owner.workspace_id)


def damaged(data: bytes, name: bytes) -> bytes:
    """A ZIP in which one byte of a member's content is another."""
    at = data.index(name) + len(name) + 40
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def with_header(change: str, by: str) -> bytes:
    """An adapter whose header says something else."""
    (length,) = struct.unpack("<Q", CONTENT[:8])
    header = CONTENT[8 : 8 + length].decode()
    assert change in header
    header = header.replace(change, by, 1)
    return struct.pack("<Q", len(header.encode())) + header.encode() + CONTENT[8 + length :]


def beyond_the_table() -> bytes:
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c t="s">'
    )

    with zipfile.ZipFile(io.BytesIO(xlsx([["Text"], ["Lampe"]]))) as book:
        files: dict[str, str | bytes] = {entry.filename: book.read(entry) for entry in book.infolist()}
    return zipped(files | {"xl/worksheets/sheet1.xml": sheet})


ENDLESS = 'width="inf" height="inf"'
PICTURES = {
    "EXIF of five bytes": (hostile.jpeg_with_exif(b"II*\0\x08"), True),
    "no size": (svg("<rect width='9' height='9'/>", ENDLESS), True),
    "no size but 1e999": (svg("<rect width='9' height='9'/>", 'width="1e999" height="1e999"'), True),
    "shift_jis": (svg("", before='<?xml version="1.0" encoding="shift_jis"?>'), False),
    "nonsense": (svg("", before='<?xml version="1.0" encoding="nonsense"?>'), False),
}
TEXTS = {
    "damaged.docx": damaged(docx([("", text_of(n)) for n in range(40)]), b"word/document.xml"),
    "encoding.docx": zipped({"word/document.xml": f"<?xml version='1.0' encoding='nonsense'?><w:document {W}/>"}),
    "beyond.xlsx": beyond_the_table(),
}
SECRET = json.dumps({"1_x": {"secret jar": 4}})
ADAPTERS = {
    "value": with_header('"brandx"', '"brand\\ud800x\\u0000"'),
    "key": with_header('"modelspec.trigger_phrase"', '"modelspec.\\ud800"'),
    "tag": with_header("secret jar", "secret \\\\ud800 jar \\\\u0000"),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_odd_pictures(owner: SignedIn, project_id: str, kind: str) -> None:
    data, is_read = PICTURES[kind]
    address = f"/projects/{project_id}/images"
    answer = owner.client.post(address, files={"file": ("logo.png", data)}, headers=JSON)
    assert (answer.status_code < 400) == is_read, answer.text
    assert is_read or (answer.status_code < 500 and "logo.png" in answer.json()["sentence"])


@pytest.mark.parametrize("name", TEXTS)
def test_odd_texts(owner: SignedIn, project_id: str, name: str) -> None:
    address = f"/projects/{project_id}/voice/files"
    answer = owner.client.post(address, files={"file": (name, TEXTS[name])}, headers=JSON)
    assert answer.status_code == 422
    assert name in answer.json()["sentence"]


@pytest.mark.parametrize("kind", ADAPTERS)
def test_odd_words_of_adapters_are_cleaned(owner: SignedIn, kind: str) -> None:
    answer = owner.client.post("/adapter-files", files={"file": ("a.safetensors", ADAPTERS[kind])})
    assert answer.status_code == 303, answer.text
    assert owner.client.get(answer.headers["location"]).status_code == 200
    look = {"header": ("h", ADAPTERS[kind])}
    shown = owner.client.post("/adapter-files/passport", files=look, data={"size": str(len(ADAPTERS[kind]))})
    assert shown.status_code == 200, shown.text


@pytest.mark.parametrize(
    ("name", "shape", "bytes_"),
    [("half\\ud800", [1, 2], 4), ("nul\\u0000", [1, 2], 4), ("a.lora_down.weight", [2**39, 0], 0)],
)
def test_odd_tensors_are_refused(owner: SignedIn, name: str, shape: list[int], bytes_: int) -> None:
    header = f'{{"{name}":{{"dtype":"F16","shape":{shape},"data_offsets":[0,{bytes_}]}}}}'.encode()
    content = struct.pack("<Q", len(header)) + header + bytes(bytes_)
    answer = owner.client.post("/adapter-files", files={"file": ("a.safetensors", content)}, headers=JSON)
    assert answer.status_code == 422
    assert code_of(answer) == "unsafe_file"


def test_a_long_header_is_read_elsewhere_and_says_the_same(owner: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.adapters import inspecting

    address = owner.client.post("/adapter-files", files={"file": ("a.safetensors", CONTENT)}).headers["location"]
    asked: list[str] = []
    ask = pool.ask
    monkeypatch.setattr(pool, "ask", lambda *given, **named: asked.append(given[0]) or ask(*given, **named))
    monkeypatch.setattr(inspecting, "LONG_HEADER_BYTES", 10)
    again = owner.client.post("/adapter-files", files={"file": ("a.safetensors", CONTENT)}).headers["location"]
    assert asked == ["adapter_header", "adapter_report"]
    one, other = (OF_THE_MOMENT.sub("", owner.client.get(where).text.replace(where, "")) for where in (address, again))
    assert one.split("<main")[1][:20000] == other.split("<main")[1][:20000]
    brackets = b"[" * 7_000_000
    bomb = struct.pack("<Q", len(brackets)) + brackets
    refused = owner.client.post("/adapter-files", files={"file": ("a.safetensors", bomb)}, headers=JSON)
    assert refused.status_code == 422


def test_a_key_that_no_base_model_has(owner: SignedIn) -> None:
    assert owner.client.get("/api/v1/base-models/%00").status_code in (401, 404)


def test_an_upload_while_all_readers_are_busy_may_be_tried_again(
    owner: SignedIn, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise ReadersBusy(seconds=10)

    monkeypatch.setattr(pool, "ask", busy)
    for address, name in ((f"/projects/{project_id}/images", "a.png"), (f"/projects/{project_id}/voice/files", "a.md")):
        answer = owner.client.post(address, files={"file": (name, encoded(scene(), "PNG"))}, headers=JSON)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


def test_one_picture_that_breaks_its_reader_costs_no_other_of_its_zip(
    owner: SignedIn, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = pool.ask

    def broken(reader: str, question: dict[str, str], *given: object, **named: object) -> object:
        if question.get("name") == "b.png":
            raise Unreadable(name="b.png")
        return ask(reader, question, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pool, "ask", broken)
    packed = zipped({f"{name}.png": encoded(scene(seed=n), "PNG") for n, name in enumerate("abc")})
    address = f"/projects/{project_id}/images"
    answer = owner.client.post(address, files={"file": ("set.zip", packed)}, headers=JSON)
    assert answer.status_code < 400
    assert "b.png" in answer.text
    page = owner.client.get(address).text
    assert "a.png" in page
    assert "c.png" in page
