"""Fetching goes to the hub's own hosts on the internet and nowhere else, whatever a hub or a resolver answers."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from worker.files import fetching
from worker.files.fetching import FetchError, Hub
from worker.files.public_addresses import addresses_of, is_public
from worker.files.uploading import client_for

NOT_PUBLIC = [
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.168.1.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",  # compatible
    "::8.8.8.8",
    "::ffff:127.0.0.1",  # mapped
    "::ffff:8.8.8.8",
    "::ffff:0:7f00:1",  # translated
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::a00:1",
    "64:ff9b:1:ffff::a00:1",
    "100::1",
    "2001::1",  # Teredo
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4
    "2002:a00:1::1",
    "2002:808:808::1",
    "3ffe::1",
    "3fff::1",
    "2606:4700::5efe:a00:1",  # ISATAP
    "2606:4700::200:5efe:a00:1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%lo",
    "2606:4700::1111%lo",
    "fec0::1",
    "ff02::1",
    "no address",
    "",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_no_address_of_the_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "193.99.144.80", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e"])
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [one for one in NOT_PUBLIC if one and " " not in one])
def test_a_name_that_means_one_of_them_is_not_followed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, and hidden behind a public one."""
    hub = fetching.hugging_face("https://huggingface.co")
    for answers in ([address], ["8.8.8.8", address]):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, at=answers, **__: [_answer(one) for one in at])
        with pytest.raises(FetchError) as raised, fetching.opened(hub, "https://huggingface.co/api"):
            pass
        assert raised.value.code == "elsewhere"


def _answer(address: str) -> tuple[Any, ...]:
    return (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means something else at the second question is not asked for a second time."""
    asked, connected = [], []

    def resolve(host: str, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [_answer("2606:4700::1111"), _answer("8.8.8.8")] if len(asked) == 1 else [_answer("127.0.0.1")]

    def connect(address: tuple[str, int], *_: Any) -> socket.socket:
        connected.append(address)
        raise OSError("no way there")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(FetchError) as raised:
        fetching.get_json(fetching.hugging_face("https://huggingface.co"), "/api")
    assert raised.value.code == "hub_away"
    assert asked == ["huggingface.co"]
    assert connected == [("2606:4700::1111", 443), ("8.8.8.8", 443)], "each is tried, under no other name"


def test_the_certificate_must_be_the_named_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Connected to by its address, a host must show the certificate of its name, which a stranger does not have."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path, "huggingface.co"))
    context.sni_callback = lambda _socket, name, _context: names.append(name)  # type: ignore[assignment]
    monkeypatch.setattr("worker.files.fetching.is_public", lambda _: True)
    connect = socket.create_connection
    with socket.create_server(("127.0.0.1", 0)) as listening:
        here = listening.getsockname()
        monkeypatch.setattr(socket, "create_connection", lambda _, *rest, **more: connect(here, *rest, **more))

        def greet() -> None:
            for _ in range(2):
                with listening.accept()[0] as arrived, contextlib.suppress(ssl.SSLError, OSError):
                    context.wrap_socket(arrived, server_side=True)

        thread = threading.Thread(target=greet, daemon=True)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", here)])
        thread.start()
        hub = fetching.hugging_face("https://huggingface.co")
        with pytest.raises(FetchError) as raised:
            fetching.get_json(hub, "/api")
        assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)
        with client_for(hub) as client, pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            client.put("https://storage.example/x", content=b"x")
        thread.join(10)
    assert names == ["huggingface.co", "storage.example"]


def _certificate(folder: Path, name: str) -> Path:
    """A key and a certificate for a name, vouched for by nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1))
        .not_valid_after(datetime(2126, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def sending_to(*locations: str | None) -> Iterator[tuple[Hub, list[str]]]:
    """A hub that sends round by these places one after the other, then answers; and what it was asked."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            count = len(asked) - 1
            self.send_response(302 if count < len(locations) else 200)
            if count < len(locations) and (place := locations[count]) is not None:
                self._headers_buffer.append(b"location: " + place.encode() + b"\r\n")  # type: ignore[attr-defined]
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        yield Hub(address, ("huggingface.co", "hf.co"), ("files.example",)), asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "place",
    [
        "http://[",
        "https://[::1",
        "https://[v1.x]/",
        "https://[::1%25lo]/",
        "//[",
        "https://",
        "https:///path",
        "https://huggingface.co:99999/",
        "https://huggingface.co:-1/",
        "https://huggingface.co:0/",
        "https://huggingface.co:abc/",
        "https://huggingface.co:8443/",
        "https://ada@huggingface.co/",
        "https://@huggingface.co/",
        "https://ada:secret@huggingface.co/",
        "https://huggingface.co@evil.example/",
        "https://huggingface.co\\@evil.example/",
        "https://evil.example\\.huggingface.co/",
        "https://evil.example#.huggingface.co/",
        "https://evil.example?.huggingface.co/",
        "https://evil.example%2f.huggingface.co/",
        "https://evilhuggingface.co/",
        "https://huggingface.co.evil.example/",
        "https://huggingface.co./",
        "https://.huggingface.co/",
        "https://a..huggingface.co/",
        f"https://{'a' * 64}.huggingface.co/",
        f"https://{'a.' * 130}huggingface.co/",
        "https://huggingfaⅽe.co/",
        "https://ⓗuggingface.co/",
        "https://bücher.huggingface.co/",
        "https://x。huggingface.co/",
        "https://-x.huggingface.co/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::ffff:127.0.0.1]/",
        "http://huggingface.co/",
        "http://files.example/",
        "ftp://huggingface.co/",
        "file:///etc/passwd",
        "file://huggingface.co/etc/passwd",
        "data:application/json,{}",
        "javascript:alert(1)",
        "gopher://huggingface.co/",
        "//evil.example/",
        "///evil.example/../../..//evil.example",
    ],
)
def test_a_redirect_to_an_odd_place_is_refused_in_a_sentence(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        resolved.append(host)
        return real("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with sending_to(place) as (hub, asked):
        if place.startswith("///"):  # on the hub itself, read as a path
            assert fetching.get_json(hub, "/first") == {} and len(asked) == 2
        else:
            with pytest.raises(FetchError) as raised:
                fetching.get_json(hub, "/first")
            assert (raised.value.code, asked) == ("elsewhere", ["/first"])
    assert set(resolved) <= {"127.0.0.1"}, "nobody else is so much as looked up"


def test_redirects_within_the_hub_are_followed_as_they_were_written() -> None:
    with sending_to("/zweites?a=1", "drittes/Größe 1?q=é&x=%2F#part") as (hub, asked):
        assert fetching.get_json(hub, "/first") == {}
    assert asked == ["/first", "/zweites?a=1", "/drittes/Gr%C3%B6%C3%9Fe%201?q=%C3%A9&x=%2F"]


def test_a_circle_of_redirects_ends() -> None:
    with sending_to(*["/again"] * 20) as (hub, asked), pytest.raises(FetchError) as raised:
        fetching.get_json(hub, "/first")
    assert raised.value.code == "elsewhere"
    assert len(asked) == 1 + fetching.MOST_REDIRECTS


@pytest.mark.parametrize("nowhere", [None, ""])
def test_a_redirect_to_nowhere_is_the_hubs_fault(nowhere: str | None) -> None:
    with sending_to(nowhere) as (hub, _), pytest.raises(FetchError) as raised:
        fetching.get_json(hub, "/first")
    assert raised.value.code == "hub_trouble"


@pytest.mark.parametrize("address", ["http://[", "https://hub.example:99999", "hub.example", "file:///etc", ""])
def test_a_setting_that_is_no_address_fails_in_a_sentence(address: str) -> None:
    with pytest.raises(FetchError):
        fetching.get_json(fetching.hugging_face(address), "/api")


@pytest.mark.parametrize("proxy", ["http://[", "proxy.example:99999"])
def test_a_proxy_that_is_no_address_fails_in_a_sentence(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(FetchError):
        fetching.get_json(fetching.hugging_face("https://huggingface.co"), "/api")


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", ".example"])
def test_what_cannot_be_looked_up_is_not_reached(host: str) -> None:
    with pytest.raises(OSError):
        addresses_of(host, 443)
