"""What is refused is refused before it costs anything: by who asks, by the kind of body, by its size."""

import json
from collections.abc import Iterator
from itertools import repeat

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.models import ApiToken
from app.accounts.service import TOKEN_START, sha256
from app.machine.disk import MB
from app.web.gate.csrf import FORM_COOKIE
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn, SignUp
from tests.sockets import request_head, served, talk

CHUNK = b"x" * 50_000
FORM, FILES, JSON = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json"
ANY_ID = "0" * 32


def token_of(app: FastAPI, person: SignedIn, *, read_only: bool = False) -> str:
    secret = f"{TOKEN_START}{person.user_id}{'r' if read_only else 'w'}".ljust(47, "x")
    with app.state.database.write() as session:
        session.add(
            ApiToken(
                workspace_id=person.workspace_id,
                user_id=person.user_id,
                name="program",
                prefix=secret[:10],
                token_hash=sha256(secret),
                read_only=read_only,
            )
        )
    return secret


@pytest.fixture
def port(app: FastAPI) -> Iterator[int]:
    with served(app) as port:
        talk(port, request_head("POST", "/nothing"))  # what the routes ask for is worked out with the first of them
        yield port


@pytest.fixture
def cookies(app: FastAPI, owner: SignedIn, sign_up: SignUp) -> dict[str, str]:
    """The headers by which people and programs of one workspace are known."""
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    found = {"stranger": f"Cookie: {FORM_COOKIE}=form"}
    for name, person in (("owner", owner), ("viewer", viewer)):
        found[name] = f"Cookie: {SESSION_COOKIE}={person.client.cookies[SESSION_COOKIE]}"
        found[f"{name}'s token"] = f"Authorization: Bearer {token_of(app, person)}"
    found["read-only token"] = f"Authorization: Bearer {token_of(app, owner, read_only=True)}"
    return found


REFUSED = [
    ("stranger", "POST", "/sign-in", FILES, 415),
    ("stranger", "POST", "/sign-in", FORM, 413),
    ("stranger", "POST", "/sign-in", JSON, 415),
    ("stranger", "POST", "/setup", FILES, 415),
    ("stranger", "POST", "/preferences", FILES, 415),
    ("stranger", "POST", "/preferences", FORM, 413),
    ("stranger", "POST", "/invitations/accept", FILES, 415),
    ("stranger", "POST", "/invitations/accept", FORM, 413),
    ("stranger", "POST", "/projects", FORM, 401),
    ("stranger", "POST", "/api/v1/projects", JSON, 401),
    ("stranger", "POST", "/setup/nothing", FORM, 404),
    ("viewer", "POST", f"/projects/{ANY_ID}/images", FILES, 403),
    ("viewer", "POST", f"/projects/{ANY_ID}/voice/files", FILES, 403),
    ("viewer", "POST", "/members/invitations", FORM, 403),
    ("viewer", "POST", "/adapter-files/passport", FILES, 413),
    ("viewer's token", "POST", "/api/v1/projects", JSON, 403),
    ("viewer's token", "POST", f"/api/v1/projects/{ANY_ID}/trainings/plan", JSON, 413),
    ("viewer's token", "POST", f"/api/v1/projects/{ANY_ID}/images", FILES, 403),
    ("read-only token", "POST", "/api/v1/projects", JSON, 403),
    ("read-only token", "PATCH", "/api/v1/workspace", JSON, 403),
    ("read-only token", "DELETE", f"/api/v1/projects/{ANY_ID}", JSON, 403),
    ("owner", "POST", "/projects", FORM, 413),
    ("owner", "POST", "/projects", FILES, 415),
    ("owner", "POST", f"/projects/{ANY_ID}/archive", FILES, 415),
    ("owner", "POST", f"/projects/{ANY_ID}/archive", FORM, 413),
    ("owner", "POST", f"/projects/{ANY_ID}/images", FORM, 415),
    ("owner", "POST", f"/projects/{ANY_ID}/images", FILES, 413),
    ("owner", "POST", f"/projects/{ANY_ID}/voice/paste", FORM, 413),
    ("owner's token", "POST", "/api/v1/projects", JSON, 413),
    ("owner's token", "POST", "/api/v1/projects", FORM, 415),
    ("owner's token", "PATCH", "/api/v1/me", "text/plain", 415),
    ("owner's token", "POST", f"/api/v1/projects/{ANY_ID}/voice/texts", JSON, 413),
    ("owner's token", "POST", "/api/v1/adapter-files", FILES, 413),
    ("owner's token", "POST", "/api/v1/nothing", JSON, 404),
    ("owner's token", "PUT", "/api/v1/projects", JSON, 405),
]


@pytest.mark.parametrize("length", ["announced", "in chunks"])
def test_half_a_body_is_refused_before_a_megabyte_of_it_has_come(
    app: FastAPI, port: int, cookies: dict[str, str], length: str
) -> None:
    """No more than 750 kB is sent of 3 GB; in chunks, what only its size can refuse is read up to its limit."""
    for who, method, path, kind, status in REFUSED:
        chunked = length == "in chunks"
        if chunked and status == 413 and ("adapter-files" in path or path.endswith("/images")):
            continue  # these may be as large as an adapter: counted in a test of its own
        size = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {3_000 * MB}"
        head = request_head(method, path, cookies[who], f"Content-Type: {kind}", size, "Sec-Fetch-Site: same-origin")
        counted = chunked and status == 413
        piece = f"{len(CHUNK):x}\r\n".encode() + CHUNK + b"\r\n" if chunked else CHUNK
        answer = talk(port, head, repeat(piece, 100 if counted else 15))
        told = f"{who}: {method} {path} as {kind}, {length}"
        assert answer.status == status, (told, answer)
        assert b"<html" in answer.body or json.loads(answer.body)["sentence"], told


def test_what_comes_without_a_length_is_counted(app: FastAPI, port: int, cookies: dict[str, str]) -> None:
    kind = "Content-Type: application/x-www-form-urlencoded"
    head = request_head("POST", "/sign-in", cookies["stranger"], kind, "Transfer-Encoding: chunked")
    answer = talk(port, head, repeat(b"3e8\r\n" + b"a" * 1000 + b"\r\n", 1000))
    assert answer.status == 413
    assert answer.sent_bytes < 1 * MB


ODD_COOKIES = [
    "a@b=1",
    "a,b=1",
    "a(b=1",
    'a="b',
    "a[0]=1",
    "{}=1",
    "=1",
    "a",
    "a=b=c",
    "ä=ö",
    "a=\x01",
    'a="\\999"',
    'a="\\0"',
    "$Version=1; $Path=/",
    "expires=Wed, 21 Oct 2026 07:28:00 GMT",
    "livery_theme=<script>",
    "livery_locale=../../etc/passwd",
    "livery_flash=nonsense",
    "livery_device=[1]",
    ";" * 500,
    "; ".join(f"c{number}=1" for number in range(400)),
]


@pytest.mark.parametrize("odd", ODD_COOKIES, ids=range(len(ODD_COOKIES)))
def test_a_cookie_of_another_program_harms_nobody(app: FastAPI, owner: SignedIn, odd: str) -> None:
    session = f"{SESSION_COOKIE}={owner.client.cookies[SESSION_COOKIE]}"
    client = TestClient(app, follow_redirects=False)
    for cookie in (f"{odd}; {session}", f"{session}; {odd}"):
        answer = client.get("/projects", headers={"cookie": cookie.encode("latin-1", "replace")})
        assert answer.status_code == 200, cookie
    assert client.get("/sign-in", headers={"cookie": odd.encode("latin-1", "replace")}).status_code == 200
    assert client.get("/nothing", headers=[(b"cookie", b"a@b=1"), (b"cookie", session.encode())]).status_code == 404


def test_an_error_of_the_gate_itself_has_its_number(
    app: FastAPI, owner: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("app.web.gate.middleware.queries.entrance_by_cookie", fail)
    client = TestClient(app, raise_server_exceptions=False, cookies=owner.client.cookies)
    answer = client.get("/projects")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert "content-security-policy" in answer.headers


def test_an_error_of_the_error_page_is_still_a_sentence(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("app.web.templating.environment", fail)
    answer = TestClient(app, raise_server_exceptions=False).get("/sign-in")
    assert answer.status_code in (303, 500)
    answer = TestClient(app, raise_server_exceptions=False, follow_redirects=False).get("/setup")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text


@pytest.mark.parametrize("origin", ["http://[", "http://testserver]", "null", "//", "http://testserver:99999999"])
def test_an_origin_that_is_no_address_is_foreign(app: FastAPI, origin: str) -> None:
    assert TestClient(app).post("/sign-in", headers={"origin": origin}).status_code == 403


def test_a_script_is_led_to_every_address_that_a_page_is(app: FastAPI, owner: SignedIn) -> None:
    for headers, name in (({}, "location"), ({"hx-request": "true"}, "hx-redirect")):
        answer = owner.client.post("/preferences", data={"next": "/projects?q=10 €"}, headers=headers)
        assert answer.headers[name] == "/projects?q=10%20%E2%82%AC"


@pytest.mark.parametrize(
    ("charset", "status"),
    [("utf-8", 422), ('"UTF-8"', 422), ("punycode", 415), ("idna", 415), ("unicode_escape", 415), ("utf-7", 415)],
)
def test_files_come_in_the_character_set_of_the_web(owner: SignedIn, charset: str, status: int) -> None:
    """Python's own codecs take minutes for some megabytes, and whoever sends could choose one."""
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    answer = owner.client.post("/adapter-files", content=b"--x--\r\n", headers={"content-type": kind})
    assert answer.status_code == status


def test_a_page_gives_a_signed_out_browser_its_form_cookie_and_a_script_none(app: FastAPI) -> None:
    with TestClient(app) as browser:
        script = browser.get("/static/js/passkey.js")
        assert script.status_code == 200 and "set-cookie" not in script.headers
        refused = browser.get("/jobs", headers={"hx-request": "true", "sec-fetch-mode": "cors"})
        assert refused.status_code == 401 and "set-cookie" not in refused.headers
        assert list(browser.get("/setup", headers={"sec-fetch-mode": "cors"}).cookies) == [FORM_COOKIE]
