"""Mutants of sound files for every reader: none may do more than be refused.

``python -m tests.fuzz [--mutants 2000] [--seed 1] [READER …]`` prints what was found and fails if anything was. A
finding is whatever comes out of a reader but an answer or a refusal, a process that had to be ended for its time or
memory, and text that no database or page can hold.
"""

import argparse
import io
import json
import logging
import random
import struct
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from app.adapters import inspecting
from app.errors import AppError
from app.generations.start_pictures import files as start
from app.images import captions
from app.images.reading import archive
from app.images.reading.prepared import IntakeLimits
from app.lora_files.safetensors_file import Tensor, to_bytes
from app.lora_files.text import all_keepable
from app.reading.errors import Unreadable
from app.reading.pool import ReaderPool
from app.voice.reading.intake import TextLimits
from tests.app.brand_kits.make_fonts import font_file
from tests.app.brand_kits.make_guidelines import pdf, simple
from tests.app.brand_kits.sets import SVG as LOGO
from tests.app.brand_kits.sets import png_logo
from tests.app.images import hostile
from tests.app.images.make_pictures import HEIC, encoded, exif, flat_cmyk, png_chunk, scene, svg
from tests.app.voice.make_files import docx, many_rows, text_of, xlsx, zipped

INTERESTING = (
    b"\0",
    b"\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\1",
    b"<",
    b'"',
)
TEXT_PIECES = (
    b"\x00",
    b'"',
    b"<",
    b"\\ud800",
    b"&#xD800;",
    b"\xed\xa0\x80",
    b"{",
    b"[",
    b"-->",
    b"1e999",
    b"\r",
    b"\xff\xfe",
)


def mutant(data: bytes, chance: random.Random) -> bytes:
    """``data`` with one to eight changes: bits, bytes, numbers at their limits, pieces left out, doubled, moved."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(found) + 1) if chance.random() < 0.5 else chance.randrange(min(len(found), 400) + 1)
        length = chance.choice((1, 1, 2, 4, 16, chance.randrange(1, 200)))
        match chance.randrange(7):
            case 0 if at < len(found):
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                piece = chance.choice(INTERESTING + TEXT_PIECES)
                found[at : at + (len(piece) if chance.random() < 0.5 else 0)] = piece
            case 3:
                del found[at : at + length]
            case 4:
                found[at:at] = found[at : at + length] * chance.choice((1, 2, 50))
            case 5:
                other = chance.randrange(len(found) + 1)
                found[at : at + length] = found[other : other + length]
            case 6 if chance.random() < 0.2:
                del found[at:]
    return bytes(found)


def mutant_inside(data: bytes, chance: random.Random) -> bytes:
    """A ZIP of which one member is a mutant; sometimes the ZIP is one."""
    if chance.random() < 0.3:
        return mutant(data, chance)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        files: dict[str, str | bytes] = {entry.filename: packed.read(entry) for entry in packed.infolist()}
    name = chance.choice(list(files))
    content = files[name]
    files[name] = mutant(content if isinstance(content, bytes) else content.encode(), chance)
    return zipped(files)


def mutant_png(data: bytes, chance: random.Random) -> bytes:
    """A PNG whose chunks are mutants with checksums that fit, mostly."""
    if chance.random() < 0.2:
        return mutant(data, chance)
    at, chunks = 8, list[tuple[bytes, bytes]]()
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    number = chance.randrange(len(chunks))
    kind, body = chunks[number]
    chunks[number] = (kind, mutant(body, chance))
    if chance.random() < 0.3:
        other = chance.choice((b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT", kind))
        chunks.insert(chance.randrange(len(chunks)), (other, mutant(body[:400], chance)))
    return data[:8] + b"".join(png_chunk(kind, body) for kind, body in chunks)


@dataclass(frozen=True)
class Fuzzed:
    """``read`` raises for what is more than a refusal; ``seeds`` are sound files."""

    seeds: Sequence[bytes]
    read: Callable[[ReaderPool, bytes], None]
    change: Callable[[bytes, random.Random], bytes] = mutant


def _picture(pool: ReaderPool, data: bytes) -> None:
    question = {"name": "a", "limits": asdict(IntakeLimits())}
    answer = pool.ask("picture", question, [data], name="a")
    if answer.value["format"] != "svg":
        pool.ask("clean_original", {"name": "a", "format": answer.value["format"]}, [data], name="a")


def _texts(ending: str) -> Callable[[ReaderPool, bytes], None]:
    def read(pool: ReaderPool, data: bytes) -> None:
        about = {"format": None, "name": f"a.{ending}", "limits": asdict(TextLimits.of(20)), "otherwise": "en"}
        about["format"] = pool.ask("checked_texts", about, [data], name="a").value["format"]
        found = pool.ask("preview_of_texts", about | {"wanted": None}, [data], name="a").value
        keepable(found)
        keepable(pool.ask("drafts_of_texts", about | {"wanted": found["wanted"]}, [data], name="a").value)

    return read


def keepable(value: Any) -> None:
    assert all_keepable(value) == value, "text that nothing can hold"
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _archive(pool: ReaderPool, data: bytes) -> None:
    for member in archive.read_archive(io.BytesIO(data), "a.zip"):
        keepable(member.name)
        if isinstance(member, archive.ArchiveMember) and member.caption is not None:
            keepable(member.caption)


def _caption(pool: ReaderPool, data: bytes) -> None:
    keepable(captions.decode_caption(data))


def _adapter(pool: ReaderPool, data: bytes) -> None:
    passport = inspecting.of_beginning(io.BytesIO(data), len(data), b"")
    keepable(passport.model_dump(mode="json"))


def _mask(pool: ReaderPool, data: bytes) -> None:
    pool.ask(
        "mask", {"size": [64, 64], "keeps_painted": False, "most_pixels": start.MOST_MASK_PIXELS}, [data], name="a"
    )


def _of_kit(reader: str) -> Callable[[ReaderPool, bytes], None]:
    def read(pool: ReaderPool, data: bytes) -> None:
        keepable(pool.ask(reader, {"name": "a"}, [data], name="a").value)

    return read


def _lora() -> bytes:
    metadata = {
        "ss_tag_frequency": json.dumps({"1_a": {"lamp, wool": 3, "tea": 1}}),
        "ss_sd_model_name": "sdxl.safetensors",
        "ss_network_module": "networks.lora",
        "modelspec.title": "Lamp",
        "modelspec.trigger_phrase": '["lamp"]',
        "ss_learning_rate": "1e-4",
        "ss_resolution": "(1024, 1024)",
        "ss_bucket_info": json.dumps({"buckets": {"0": {"resolution": [1024, 1024], "count": 3}}}),
    }
    halves = {f"lora_unet_input_blocks_{n}_1_proj_in": (4, 8) for n in (4, 5, 7)}
    tensors = {}
    for name, (rank, width) in halves.items():
        tensors[f"{name}.lora_down.weight"] = Tensor("F16", (rank, width), bytes(2 * rank * width))
        tensors[f"{name}.lora_up.weight"] = Tensor("F16", (width, rank), bytes(2 * rank * width))
        tensors[f"{name}.alpha"] = Tensor("F16", (), np.float16(4).tobytes())
    return to_bytes(tensors, metadata)


def _within_header(data: bytes, chance: random.Random) -> bytes:
    """A safetensors file whose header is a mutant and says its true length, mostly."""
    (length,) = struct.unpack("<Q", data[:8])
    header = mutant(data[8 : 8 + length], chance)
    if chance.random() < 0.1:
        return mutant(data, chance)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def _seeds_of_pictures() -> dict[str, list[bytes]]:
    small = scene(96, 80)
    with_place = encoded(small, "JPEG", exif=exif(6).tobytes(), icc_profile=None)
    drawing = svg(
        '<defs><linearGradient id="g"><stop offset="0" stop-color="#f00"/></linearGradient></defs>'
        '<g transform="scale(2)">'
        '<rect width="9" height="9" fill="url(#g)"/><path d="M0 0L9 9Z"/><text x="1" y="9">Ab</text>'
        '<use href="#g"/></g>',
        before='<?xml version="1.0" encoding="utf-8"?>',
    )
    return {
        "jpeg": [with_place, encoded(small, "JPEG", progressive=True), flat_cmyk((9, 80, 80, 9)).jpegsave_buffer()],
        "png": [encoded(small, "PNG"), encoded(small.convert("P"), "PNG")],
        "webp": [encoded(small, "WEBP"), encoded(small, "WEBP", lossless=True), hostile.webp_of_frames(3)],
        "avif": [encoded(small, "AVIF")],
        "heic": [HEIC.read_bytes()],
        "tiff": [encoded(small, "TIFF"), encoded(small, "TIFF", compression="tiff_lzw"), hostile.tiff(3)],
        "gif": [encoded(small, "GIF"), hostile.gif_of_frames(3)],
        "svg": [drawing],
    }


def fuzzed() -> dict[str, Fuzzed]:
    """Every reader by a name."""
    page = (
        '<!doctype html><html><head><meta charset="utf-8"><title>News &amp; more</title><style>p{}</style></head><body>'
        "<nav><a href='/'>Home</a></nav><h1>Winter</h1><p>The lamp is <b>lit</b>,<br>the tea &#228; hot.</p><hr>"
        "<ul><li>A"
        "</ul><!-- note --></body></html>"
    )
    markdown = (
        "---\ntitle: 'Our letters'\n---\n# Autumn\n\nThe **evenings** are _longer_, [see](https://x/y_(z)) ![a](b)\n\n"
        "```\ncode\n```\n<!-- a -->\n## Winter ##\n- wool\n> said\n\nOld\n===\nThe `last` one.\\*\n"
    )
    talks = "\n".join(
        json.dumps({"messages": [{"role": "user", "content": "Say"}, {"role": "assistant", "content": f"Lamp {n} ä"}]})
        for n in range(5)
    )
    objects = json.dumps([{"text": f"Lamp {n}", "tags": ["a", 1], "n": 1.5, "deep": {"a": [None]}} for n in range(5)])
    book = xlsx([["Text", "Titel"], ["Lampe", 3], [None, 1.5]], more={"B": [["x"]]})
    letter = docx([("Heading1", "Herbst"), ("", text_of(1)), ("", "Die Lampe &amp; der Tee.")])
    pictures = {
        name: Fuzzed(seeds, _picture, mutant_png if name == "png" else mutant)
        for name, seeds in _seeds_of_pictures().items()
    }
    mask = Image.new("L", (64, 64))
    mask.paste(255, (8, 8, 40, 40))
    packed = zipped({"a/b.png": encoded(scene(20, 20), "PNG"), "a/b.txt": "a lamp, ä", "c.jpg": b"\xff\xd8\xff x"})
    return pictures | {
        "csv": Fuzzed([many_rows(12, {}).encode(), b'sep=,\ntext,title\n"a, b",c\n' * 3], _texts("csv")),
        "xlsx": Fuzzed([book], _texts("xlsx"), mutant_inside),
        "json": Fuzzed([talks.encode(), objects.encode()], _texts("jsonl")),
        "md": Fuzzed([markdown.encode()], _texts("md")),
        "html": Fuzzed([page.encode(), page.replace("utf-8", "windows-1252").encode("cp1252")], _texts("html")),
        "docx": Fuzzed([letter], _texts("docx"), mutant_inside),
        "txt": Fuzzed([text_of(1).encode(), text_of(2).encode("utf-16")], _texts("txt")),
        "zip": Fuzzed([packed], _archive, mutant_inside),
        "caption": Fuzzed(["a lamp, ä\n".encode(), "a lamp".encode("utf-16")], _caption),
        "adapter": Fuzzed([_lora()], _adapter, _within_header),
        "logo": Fuzzed([LOGO, LOGO.replace(b"<rect", b"<style>g{fill:#fff}</style><g id='a'/><rect")], _of_kit("logo")),
        "logo_png": Fuzzed([png_logo((24, 12))], _of_kit("logo"), mutant_png),
        "font": Fuzzed([font_file()], _of_kit("font")),
        "woff2": Fuzzed([font_file(flavor="woff2")], _of_kit("font")),
        "guideline": Fuzzed([pdf(simple())], _of_kit("guideline")),
        "mask": Fuzzed([encoded(mask, "PNG"), encoded(mask.convert("RGBA"), "PNG")], _mask, mutant_png),
    }


CRASHES = ("reader ended SIGSEGV", "reader ended SIGABRT")
"""What a decoder in C does with some files. They cost one process and get a sentence, which is what the pool is for; a
process that was ended for its time or memory is a finding, as its reader ought to have refused."""


@dataclass
class Found:
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, str]] = field(default_factory=list)
    """The mutant's number, by which it can be made again, and what happened."""


class _Traces(logging.Handler):
    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = (
            f"{record.getMessage()} {vars(record).get('trace') or vars(record).get('status') or record.exc_info}"
        )


def run(name: str, mutants: int, seed: int = 1) -> Found:
    """What became of so many mutants of one reader's files; the same for the same seed."""
    kind, found = fuzzed()[name], Found()
    pool, traces = ReaderPool(1), _Traces()
    log = logging.getLogger("livery.reading")
    log.addHandler(traces)
    try:
        for data in kind.seeds:
            kind.read(pool, data)
        for number in range(mutants):
            data = made(kind, number, seed)
            try:
                kind.read(pool, data)
                found.outcomes["read"] += 1
            except Unreadable:
                if traces.last in CRASHES:
                    found.outcomes[traces.last] += 1
                else:
                    found.findings.append((number, traces.last[-1500:]))
            except AppError as refused:
                str(refused).encode()
                found.outcomes[type(refused).__name__] += 1
            except Exception as error:  # noqa: BLE001 - this is what is looked for
                found.findings.append((number, repr(error)[:1500]))
    finally:
        log.removeHandler(traces)
        pool.close()
    return found


def made(kind: Fuzzed, number: int, seed: int) -> bytes:
    chance = random.Random(f"{seed} {number}")
    return kind.change(chance.choice(kind.seeds), chance)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("readers", nargs="*", choices=[*fuzzed(), []])
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    count = 0
    for name in asked.readers or fuzzed():
        begin = time.monotonic()
        found = run(name, asked.mutants, asked.seed)
        print(
            f"{name}: {dict(found.outcomes)}, {len(found.findings)} findings, {time.monotonic() - begin:.0f} s",
            flush=True,
        )
        for number, what in found.findings[:5]:
            print(f"  mutant {number}: {what}", flush=True)
        count += len(found.findings)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
