"""Fetching from the internet without being sent where nobody wanted to go.

Only https, only to the hub's own hosts, each hop checked anew: the name is looked up once, all its addresses must be
public ones, and the connection goes to one of these very addresses, so that a name cannot change its mind in between.
A token goes to the hub alone, never along with a redirect. Behind a proxy (``HTTPS_PROXY``) it is the proxy that looks
names up.
"""

import base64
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from app.errors import N_
from worker.engines.contracts import EngineError
from worker.files.public_addresses import addresses_of, is_public

MOST_REDIRECTS = 5
TIMEOUT_SECONDS = 30.0
MOST_ADDRESSES = 4
"""Of one name that are tried."""
LONGEST_JSON = 8_000_000
NOT_REACHED = N_(
    "The model hub could not be reached. Check that the worker is connected to the internet. Nothing was changed."
)
ELSEWHERE = N_("The model hub redirected Livery to an address that Livery does not open. Nothing was fetched.")
NOT_ALLOWED = N_(
    "The model hub does not provide this file without a token, or not with this one. Accept the model's terms "
    "there, create a token with read access, and try again."
)
NOT_THERE = N_("The model hub has no such model or file. Please check the address.")
HUB_TROUBLE = N_("The model hub answered with an error. Please try again later.")
HOST_NAME = re.compile(r"(?!.{254})([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
"""In lower case and ASCII, as hubs name their hosts: no number, no final dot, nothing that a resolver would rewrite."""


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
        if self.is_own(url):
            return True
        parts = split(url)
        host = parts.hostname or "" if parts else ""
        if host not in self.trusted and not (HOST_NAME.fullmatch(host) and is_within(host, self.others)):
            return False
        return parts is not None and is_plain_https(parts)

    def is_own(self, url: str) -> bool:
        own, parts = split(self.address), split(url)
        return own is not None and parts is not None and (own.scheme, own.netloc) == (parts.scheme, parts.netloc)

    def addresses(self, url: str) -> list[str]:
        """The network addresses of its host, which may be connected to. Raises ``FetchError``."""
        parts = split(url)
        host = parts.hostname if parts else None
        if parts is None or not host:
            raise FetchError("elsewhere", ELSEWHERE)
        try:
            found = addresses_of(host, port_of(parts))
        except OSError as error:
            raise FetchError("hub_away", NOT_REACHED) from error
        # These hosts the person who runs this Livery has set; only there may an address be a private one.
        is_set = (self.is_own(url) or host in self.trusted) and not is_within(host, ("huggingface.co", "civitai.com"))
        if not found or not (is_set or all(is_public(address) for address in found)):
            raise FetchError("elsewhere", ELSEWHERE)
        return found


def split(url: str) -> SplitResult | None:
    """The parts of an address; None for what is none."""
    try:
        parts = urlsplit(url)
        return parts if port_of(parts) > 0 and parts.hostname else None
    except ValueError:
        return None


def port_of(parts: SplitResult) -> int:
    """Raises ``ValueError`` where it is no number of a port."""
    return (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port


def is_plain_https(parts: SplitResult) -> bool:
    return parts.scheme == "https" and port_of(parts) == 443 and "@" not in parts.netloc


def is_within(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


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
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise FetchError("hub_away", NOT_REACHED) from error
            if response.status in (301, 302, 303, 307, 308):
                url = _next(url, response)
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


def _next(url: str, response: http.client.HTTPResponse) -> str:
    """Where a redirect leads. Raises ``FetchError`` for what is no address."""
    told = response.getheader("location")
    if not told:
        raise FetchError("hub_trouble", HUB_TROUBLE, status=response.status)
    try:
        # Its bytes as they came, but for those that may not stand in an address.
        return urljoin(url, quote(told.encode("latin-1"), safe="%/:?#[]@!$&'()*+,;=~"))
    except ValueError as error:
        raise FetchError("elsewhere", ELSEWHERE, status=response.status) from error


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
    host, port = parts.hostname or "", port_of(parts)
    if parts.scheme == "https" and (proxy := proxy_for(host)):
        return _through(proxy, host, port)
    addresses = hub.addresses(url)
    if parts.scheme == "https":
        return _PinnedHTTPS(host, port, addresses)
    return _Pinned(host, port, addresses)


def proxy_for(host: str) -> str:
    """The proxy through which a host is asked over https; empty for none."""
    return "" if proxy_bypass(host) else getproxies().get("https", "")


def _through(proxy: str, host: str, port: int) -> http.client.HTTPConnection:
    way = split(proxy if "//" in proxy else f"http://{proxy}")
    if way is None:
        raise FetchError("hub_away", NOT_REACHED)
    headers = {}
    if way.username:
        login = f"{unquote(way.username)}:{unquote(way.password or '')}".encode()
        headers["proxy-authorization"] = f"Basic {base64.b64encode(login).decode()}"
    connection = http.client.HTTPSConnection(way.hostname or "", way.port or 8080, timeout=TIMEOUT_SECONDS)
    connection.set_tunnel(host, port, headers)
    return connection


class _Pinned(http.client.HTTPConnection):
    """Connects to one of the addresses that were checked, under the name that was asked for."""

    def __init__(self, host: str, port: int, addresses: Sequence[str]) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._addresses = addresses[:MOST_ADDRESSES]

    def connect(self) -> None:
        *others, last = self._addresses
        for address in others:  # a machine may have no way to the first, as of another version of IP
            try:
                self.sock = socket.create_connection((address, self.port), self.timeout)
                return
            except OSError:
                continue
        self.sock = socket.create_connection((last, self.port), self.timeout)


class _PinnedHTTPS(_Pinned):
    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
