"""A real server under the worst files that we can make: pages go on, and memory goes back."""

import io
import struct
import threading
import time
import zipfile
import zlib
from pathlib import Path

import psutil
import pytest

from app.reading.pool import SIZE
from tests.app.images import hostile
from tests.app.images.make_pictures import png_bomb, svg
from tests.benchmarks.upload import Browser, set_up, web_process
from tests.servers import Livery, running

MB = 1_000_000
THREADS = 40
MOST_GROWN_MB = 200
"""What forty large uploads may leave behind; before, they left several times as much."""


def deep_tiff(side: int) -> bytes:
    """Sixteen bits in four channels, packed to next to nothing, in one strip that must be held whole."""
    packed = zlib.compress(bytes(side * side * 8), 1)
    tags = [
        (256, side),
        (257, side),
        (258, 16),
        (259, 8),
        (262, 2),
        (273, 8),
        (277, 4),
        (278, side),
        (279, len(packed)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory


def turbulent_svg() -> bytes:
    """A small drawing whose every pixel takes hundreds of steps, so that it keeps a reader busy for seconds.

    One that took longer than it may would be ended, which tests of the pool show.
    """
    noise = '<filter id="f"><feTurbulence baseFrequency="0.9" numOctaves="16"/></filter>'
    return svg(noise + '<rect width="200" height="100" filter="url(#f)"/>')


def zip_of_large_pictures() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(6):
            archive.writestr(f"{number}.png", png_bomb(7000, 7000 + number))
    return packed.getvalue()


def worst() -> list[tuple[str, bytes]]:
    """Names and contents; each takes much of its reader's time or memory."""
    return [
        ("turbulent.svg", turbulent_svg()),
        ("deep.tif", deep_tiff(6000)),
        ("noise.png", hostile.png_of_noise(2500)),
        ("large.zip", zip_of_large_pictures()),
        ("frames.webp", hostile.webp_of_frames(20_000)),
        ("pages.tif", hostile.tiff(60_000)),
        ("scans.jpg", hostile.jpeg_of_scans(5_000)),
        ("unclosed.md", b"<!--" * 2 * MB),
        ("unclosed.html", b"<a " * 3 * MB),
        ("wide.csv", b"a," * 5 * MB),
    ]


def send(browser: Browser, brand: str, name: str, data: bytes) -> int:
    boundary = "b0undary"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    where = "voice/files" if name.endswith((".md", ".html", ".csv")) else "images"
    headers = {"content-type": f"multipart/form-data; boundary={boundary}", "accept": "application/json"}
    try:
        return browser.ask("POST", f"{brand}/{where}", body, headers)[0]
    except (ConnectionError, BrokenPipeError):
        return 503  # refused before the whole body was sent


def readers_of(web: psutil.Process) -> list[psutil.Process]:
    return [child for child in web.children() if any("child.py" in word for word in child.cmdline())]


@pytest.mark.slow
def test_pages_are_answered_and_memory_goes_back_while_forty_people_send_the_worst_files(tmp_path: Path) -> None:
    livery = Livery(tmp_path, EMBEDDED_WORKERS="none")
    with running(livery):
        web, browser, files = web_process(livery), Browser(livery.port), worst()
        brand = set_up(browser).removesuffix("/images")
        assert send(browser, brand, "noise.png", hostile.png_of_noise(600)) < 400
        before = web.memory_info().rss
        statuses: list[int] = []

        def upload(number: int) -> None:
            statuses.append(send(browser, brand, *files[number % len(files)]))

        threads = [threading.Thread(target=upload, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        answered, most_readers = 0, 0
        visitor = Browser(livery.port)
        while any(thread.is_alive() for thread in threads):
            assert visitor.ask("GET", "/sign-in")[0] == 200
            answered += 1
            most_readers = max(most_readers, len(readers_of(web)))
            time.sleep(0.1)
        assert answered > 20
        assert 0 < most_readers <= SIZE
        assert len(statuses) == THREADS
        assert {status for status in statuses if status >= 500} <= {503}, livery.tail()
        assert any(status < 500 for status in statuses)
        assert "internal error" not in livery.log.read_text()
        for number in range(THREADS):
            name, data = files[(2, 3, 2, 1)[number % 4]]
            assert send(browser, brand, f"{number}{name}", data) < 500
        grown = (web.memory_info().rss - before) / MB
        assert grown < MOST_GROWN_MB, f"{grown:.0f} MB more than before"
        assert len(readers_of(web)) <= SIZE
