"""Fetching from the internet without being sent where nobody wanted to go.

Only https, only to the hub's own hosts, each hop checked anew: the name is looked up once, the address must be a public
one, and the connection goes to that very address, so that a name cannot change its mind in between. A token goes to the
hub alone, never along with a redirect.
"""

import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

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


@dataclass(frozen=True)
class Hub:
    """A hub and where it may send us. ``address`` is its own, from the settings."""

    address: str
    others: tuple[str, ...] = ()
    """Endings of host names that its files lie on."""

    def allows(self, url: str) -> bool:
        """Whether we go there: to the hub's own address, or over https to one of its file hosts."""
        parts = urlsplit(url)
        if self.is_own(url):
            return True
        host = (parts.hostname or "").lower()
        inside = any(host == other or host.endswith(f".{other}") for other in self.others)
        return parts.scheme == "https" and parts.port in (None, 443) and inside and not parts.username

    def is_own(self, url: str) -> bool:
        own, parts = urlsplit(self.address), urlsplit(url)
        return (own.scheme, own.netloc) == (parts.scheme, parts.netloc)


def hugging_face(address: str) -> Hub:
    return Hub(address.rstrip("/"), ("huggingface.co", "hf.co"))


def civitai(address: str) -> Hub:
    return Hub(address.rstrip("/"), ("civitai.com", "r2.cloudflarestorage.com", "backblazeb2.com"))


def get_json(hub: Hub, path: str, *, token: str = "") -> Any:
    """The JSON at a path of the hub. Raises ``FetchError``."""
    with opened(hub, hub.address + path, token=token) as response:
        body = response.read(LONGEST_JSON + 1)
    try:
        return json.loads(body[:LONGEST_JSON])
    except (ValueError, RecursionError) as error:
        raise FetchError("hub_trouble", HUB_TROUBLE) from error


@contextmanager
def opened(hub: Hub, url: str, *, token: str = "") -> Iterator[http.client.HTTPResponse]:
    """The answer at ``url``, after at most five redirects. Raises ``FetchError``."""
    for _ in range(MOST_REDIRECTS + 1):
        if not hub.allows(url):
            raise FetchError("elsewhere", ELSEWHERE)
        connection = _connection(hub, url)
        try:
            parts = urlsplit(url)
            headers = {"user-agent": "livery", "accept": "*/*"}
            if token and hub.is_own(url):
                headers["authorization"] = f"Bearer {token}"
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            try:
                connection.request("GET", target, headers=headers)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise FetchError("hub_away", NOT_REACHED) from error
            if response.status in (301, 302, 303, 307, 308):
                url = urljoin(url, response.getheader("location", ""))
                continue
            if response.status in (401, 403):
                raise FetchError("hub_refuses", NOT_ALLOWED)
            if response.status in (404, 410):
                raise FetchError("hub_unknown", NOT_THERE)
            if response.status != 200:
                raise FetchError("hub_trouble", HUB_TROUBLE)
            yield response
            return
        finally:
            connection.close()
    raise FetchError("elsewhere", ELSEWHERE)


def _connection(hub: Hub, url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    # The hub's own address is what the person who runs this Livery has set; only there may it be a private one.
    address = _address_of(
        host, port, may_be_private=hub.is_own(url) and not host.endswith(("huggingface.co", "civitai.com"))
    )
    if parts.scheme == "https":
        return _PinnedHTTPS(host, port, address)
    return _Pinned(host, port, address)


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
