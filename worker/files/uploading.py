"""The client with which the hub's library sends files: it too goes only where a hub's files may lie.

A hub names the storage that a large file is sent to, and nobody knows its hosts beforehand. So any host will do that is
asked over https at addresses of the internet, and the hub itself.
"""

import httpx2

from worker.files import fetching
from worker.files.fetching import FetchError, Hub

WRITE_SECONDS = 300.0


def client_for(hub: Hub) -> httpx2.Client:
    """For ``huggingface_hub.set_client_factory``. It raises ``FetchError`` (``elsewhere``, ``hub_away``)."""
    timeout = httpx2.Timeout(fetching.TIMEOUT_SECONDS, read=WRITE_SECONDS, write=WRITE_SECONDS)
    return httpx2.Client(transport=_Checked(hub), follow_redirects=True, timeout=timeout)


def may_be_sent_to(hub: Hub, url: str) -> bool:
    """Whether the form of an address is one that files may go to."""
    parts = fetching.split(url)
    if parts is None:
        return False
    is_plain = fetching.is_plain_https(parts) and fetching.HOST_NAME.fullmatch(parts.hostname or "") is not None
    return is_plain or hub.is_own(url)


class _Checked(httpx2.BaseTransport):
    """Connects to an address that was checked, under the name that was asked for."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        # No connection is kept: two names may lie at one address, and each must show its own certificate.
        self._limits = httpx2.Limits(max_keepalive_connections=0)
        self._straight = httpx2.HTTPTransport(limits=self._limits)
        self._through: dict[str, httpx2.HTTPTransport] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url, host = str(request.url), request.url.host
        if not may_be_sent_to(self._hub, url):
            raise FetchError("elsewhere", fetching.ELSEWHERE)
        if request.url.scheme == "https" and (proxy := fetching.proxy_for(host)):
            if proxy not in self._through:
                self._through[proxy] = httpx2.HTTPTransport(limits=self._limits, proxy=proxy)
            return self._through[proxy].handle_request(request)
        *others, last = self._hub.addresses(url)[: fetching.MOST_ADDRESSES]
        for address in others:  # nothing was sent yet where there is no way to one of them
            try:
                return self._straight.handle_request(_pinned(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return self._straight.handle_request(_pinned(request, last))

    def close(self) -> None:
        for transport in (self._straight, *self._through.values()):
            transport.close()


def _pinned(request: httpx2.Request, address: str) -> httpx2.Request:
    """The same request, to be sent to this address; its header goes on naming the host."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
