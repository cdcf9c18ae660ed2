"""Fetching from the internet without being sent where nobody wanted to go.

Only https, only to the hub's own hosts, each hop checked anew: the name is looked up once, the address must be a public
one, and the connection goes to that very address, so that a name cannot change its mind in between. A token goes to the
hub alone, never along with a redirect. Behind a proxy (``HTTPS_PROXY``) it is the proxy that looks names up.
"""

import base64
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from app.errors import N_
from worker.engines.contracts import EngineError

MOST_REDIRECTS = 5
TIMEOUT_SECONDS = 30.0
LONGEST_JSON = 8_000_000
NOT_REACHED = N_("The model hub could not be reached. Is the worker connected to the internet? Nothing was changed.")
ELSEWHERE = N_("The model hub sent us to another place, and Livery does not go there. Nothing was fetched.")
NOT_ALLOWED = N_(
    "The model hub does not give this file without a token, or not with this one. Accept the model's terms there, "
    "make a token that may read, and try again."
)
NOT_THERE = N_("The model hub has no such model or file. Please check the address.")
HUB_TROUBLE = N_("The model hub answered with an error. Please try again later.")


class FetchError(EngineError):
    """An error meant for people, by code and sentence."""

    def __init__(self, code: str, sentence: str, *, status: int = 0, says: str = "") -> None:
        super().__init__(code, sentence)
        self.status = status
        """Of the answer; 0 where there was none."""
        self.says = says
        """The hub's own name for what is wrong, if it gave one."""


@dataclass(frozen=True)
class Hub:
    """A hub and where it may send us. ``address`` is its own, from the settings."""

    address: str
    others: tuple[str, ...] = ()
    """Endings of host names that its files lie on."""
    trusted: tuple[str, ...] = ()
    """Further host names, from the settings; only there may an address be a private one."""

    def allows(self, url: str) -> bool:
        """Whether we go there: to the hub's own address, or over https to one of its file hosts."""
        parts = urlsplit(url)
        if self.is_own(url):
            return True
        host = (parts.hostname or "").lower()
        inside = host in self.trusted or any(host == other or host.endswith(f".{other}") for other in self.others)
        return parts.scheme == "https" and parts.port in (None, 443) and inside and not parts.username

    def is_own(self, url: str) -> bool:
        own, parts = urlsplit(self.address), urlsplit(url)
        return (own.scheme, own.netloc) == (parts.scheme, parts.netloc)


def hugging_face(address: str, trusted: tuple[str, ...] = ()) -> Hub:
    return Hub(address.rstrip("/"), ("huggingface.co", "hf.co"), trusted)


def civitai(address: str) -> Hub:
    return Hub(address.rstrip("/"), ("civitai.com", "r2.cloudflarestorage.com", "backblazeb2.com"))


def get_json(hub: Hub, path: str, *, token: str = "") -> Any:
    """The JSON at a path of the hub. Raises ``FetchError``."""
    body = b""
    with opened(hub, hub.address + path, token=token) as response:
        while len(body) <= LONGEST_JSON and (piece := read(response, LONGEST_JSON)):
            body += piece
    try:
        return json.loads(body[:LONGEST_JSON])
    except (ValueError, RecursionError) as error:
        raise FetchError("hub_trouble", HUB_TROUBLE) from error


@contextmanager
def opened(
    hub: Hub, url: str, *, token: str = "", start: int = 0, count: int | None = None
) -> Iterator[http.client.HTTPResponse]:
    """The answer at ``url``, after at most five redirects; from byte ``start`` on, ``count`` bytes of it.

    Who knows no ranges sends everything, with status 200 in place of 206. Raises ``FetchError``.
    """
    for _ in range(MOST_REDIRECTS + 1):
        if not hub.allows(url):
            raise FetchError("elsewhere", ELSEWHERE)
        connection = _connection(hub, url)
        try:
            parts = urlsplit(url)
            headers = {"user-agent": "livery", "accept": "*/*"}
            if token and hub.is_own(url):
                headers["authorization"] = f"Bearer {token}"
            if start or count:
                headers["range"] = f"bytes={start}-" + (str(start + count - 1) if count else "")
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            try:
                connection.request("GET", target, headers=headers)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise FetchError("hub_away", NOT_REACHED) from error
            if response.status in (301, 302, 303, 307, 308):
                url = urljoin(url, response.getheader("location", ""))
                continue
            if response.status != 200 and not (response.status == 206 and "range" in headers):
                raise _refusal(response)
            yield response
            return
        finally:
            connection.close()
    raise FetchError("elsewhere", ELSEWHERE)


def read(response: http.client.HTTPResponse, count: int) -> bytes:
    """At most so many bytes more; none at the end, or where the line broke off. Raises ``FetchError``."""
    try:
        return response.read(count)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError("hub_away", NOT_REACHED) from error


def length_of(response: http.client.HTTPResponse) -> int | None:
    """How many bytes the answer promises."""
    told = response.getheader("content-length", "")
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 16 else None


def _refusal(response: http.client.HTTPResponse) -> FetchError:
    says = response.getheader("x-error-code") or response.getheader("x-error-message") or ""
    code, sentence = "hub_trouble", HUB_TROUBLE
    if response.status in (401, 403):
        code, sentence = "hub_refuses", NOT_ALLOWED
    elif response.status in (404, 410):
        code, sentence = "hub_unknown", NOT_THERE
    return FetchError(code, sentence, status=response.status, says=says)


def _connection(hub: Hub, url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    proxy = getproxies().get("https", "") if parts.scheme == "https" and not proxy_bypass(host) else ""
    if proxy:
        return _through(proxy, host, port)
    # These addresses the person who runs this Livery has set; only there may one be private.
    is_set = hub.is_own(url) or host in hub.trusted
    address = _address_of(host, port, may_be_private=is_set and not host.endswith(("huggingface.co", "civitai.com")))
    if parts.scheme == "https":
        return _PinnedHTTPS(host, port, address)
    return _Pinned(host, port, address)


def _through(proxy: str, host: str, port: int) -> http.client.HTTPConnection:
    way = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    headers = {}
    if way.username:
        login = f"{unquote(way.username)}:{unquote(way.password or '')}".encode()
        headers["proxy-authorization"] = f"Basic {base64.b64encode(login).decode()}"
    connection = http.client.HTTPSConnection(way.hostname or "", way.port or 8080, timeout=TIMEOUT_SECONDS)
    connection.set_tunnel(host, port, headers)
    return connection


def _address_of(host: str, port: int, *, may_be_private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise FetchError("hub_away", NOT_REACHED) from error
    addresses = [str(entry[4][0]) for entry in found]
    if not may_be_private and not all(ipaddress.ip_address(one.split("%")[0]).is_global for one in addresses):
        raise FetchError("elsewhere", ELSEWHERE)
    return addresses[0]


class _Pinned(http.client.HTTPConnection):
    """Connects to an address that was checked, under the name that was asked for."""

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _PinnedHTTPS(_Pinned):
    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
