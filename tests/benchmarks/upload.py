"""``python -m tests.benchmarks.upload [megabytes]``: a large ZIP, streamed to a web process of its own.

Prints how much memory the web process had when idle, and how much more at most while it took the upload in. All
pictures of the ZIP are the same one, so that the upload is measured and not the decoding.
"""

import http.client
import io
import os
import re
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import psutil
from PIL import Image

from tests.servers import Livery, running

PICTURE_MB = 5
CHUNK = 1 << 20
BOUNDARY = "livery-benchmark"


def make_zip(path: Path, megabytes: int) -> None:
    """Stored, not packed: one picture again and again, padded behind its end."""
    picture = io.BytesIO()
    Image.new("RGB", (640, 480), "#336699").save(picture, "JPEG")
    content = picture.getvalue() + bytes(PICTURE_MB * 1_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(max(1, megabytes // PICTURE_MB)):
            archive.writestr(f"picture-{number:04d}.jpg", content)


class Watch(threading.Thread):
    """The most memory that a process has while this runs."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process, self.most, self.ended = process, 0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            self.most = max(self.most, self.process.memory_info().rss)


class Browser:
    def __init__(self, port: int) -> None:
        self.port, self.cookies, self.token = port, {}, ""

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        sent = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **(headers or {})}
        if self.token:
            sent["x-csrf-token"] = self.token
        connection.request(method, path, body, sent)  # type: ignore[arg-type]
        answer = connection.getresponse()
        text = answer.read().decode()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.split(";")[0]
        found = re.search(r'name="csrf_token" value="([^"]+)"', text)
        self.token = found.group(1) if found else self.token
        return answer.status, answer.headers.get("location") or text

    def post(self, path: str, body: str) -> tuple[int, str]:
        return self.ask("POST", path, body, {"content-type": "application/x-www-form-urlencoded"})


def web_process(livery: Livery) -> psutil.Process:
    return next(child for child in livery.family() if "app.web.serve" in child.cmdline())


def set_up(browser: Browser) -> str:
    """The first person and a brand; returns the brand's address."""
    browser.ask("GET", "/setup")
    secret = "a long enough password"
    status, told = browser.post(
        "/setup", f"name=Ada&email=ada@example.org&workspace_name=Muster&password={secret}&password_again={secret}"
    )
    assert status == 303, told
    browser.ask("GET", "/projects/new")
    status, address = browser.post("/projects", "name=Nordlicht&trigger_word=nordlicht")
    assert status == 303, address
    browser.ask("GET", address)
    return address


def main(megabytes: int = 2000) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_zip(folder / "pictures.zip", megabytes)
        size = (folder / "pictures.zip").stat().st_size
        livery = Livery(folder, EMBEDDED_WORKERS="none", MAX_ARCHIVE_MB=str(megabytes + 100))
        with running(livery):
            web = web_process(livery)
            print(f"web process, started:              {web.memory_info().rss / 1e6:7.1f} MB")
            browser = Browser(livery.port)
            address = set_up(browser)
            idle = web.memory_info().rss
            print(f"web process, idle after some pages:{idle / 1e6:7.1f} MB")
            one = folder / "one.zip"
            make_zip(one, PICTURE_MB)
            upload(browser, address, one)
            before = web.memory_info().rss
            print(f"web process, after one picture:    {before / 1e6:7.1f} MB")
            watch = Watch(web)
            watch.start()
            began = time.perf_counter()
            status, told = upload(browser, address, folder / "pictures.zip")
            seconds = time.perf_counter() - began
            watch.ended.set()
            print(
                f"a ZIP of {size / 1e9:.2f} GB: answer {status} after {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s"
            )
            print(f"at most {watch.most / 1e6:.1f} MB meanwhile: {(watch.most - before) / 1e6:.1f} MB more")
            if status >= 400:
                print(told[:300])


def upload(browser: Browser, address: str, path: Path) -> tuple[int, str]:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="pictures.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()

    def body() -> "object":
        yield head
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
        yield tail

    target = address.rstrip("/") if address.endswith("/images") else f"{address}/images"
    return browser.ask(
        "POST",
        target,
        body(),
        {
            "content-type": f"multipart/form-data; boundary={BOUNDARY}",
            "content-length": str(len(head) + path.stat().st_size + len(tail)),
            "accept": "application/json",
        },
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main(*(int(argument) for argument in sys.argv[1:]))
