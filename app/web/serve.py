"""``python -m app.web.serve``: one web process. With ``--end-with-parent`` it ends when its standard input closes."""

import contextlib
import ipaddress
import logging
import os
import resource
import signal
import socket
import sys
import threading

import uvicorn
from fastapi import FastAPI

from app.logs import start_logging
from app.main import create_app
from app.reading import pool
from app.settings import Settings
from app.startup import keep_private, warn_of_old_python
from app.web.gate.protocol import TimedProtocol

log = logging.getLogger("livery.web")
MOST_OPEN_FILES = 65_536


def _end_with_parent() -> None:
    # Not through sys.stdin: its lock, held here when the process ends, would turn a clean end into a crash.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class Server(uvicorn.Server):
    """Says where it is once it answers there. Waits for requests that are being answered, but not for live pages: they
    would never end by themselves."""

    def __init__(self, config: uvicorn.Config, address: str = "") -> None:
        super().__init__(config)
        self.address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.address:
            print(f"\n  Livery is at {self.address}\n", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.streams.close()  # type: ignore[union-attr]
        await super().shutdown(sockets)
        pool.close()


def configured(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How the web process listens."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        http=TimedProtocol,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies.split(),
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def warn_of_host(settings: Settings) -> None:
    """Links in invitations are made from the ``Host`` that a request names, where nothing better is known."""
    if settings.public_url or settings.host == "localhost":
        return
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(settings.host).is_loopback:
            return
    log.warning(
        "others can reach this address, and PUBLIC_URL is empty: links that people pass on lead to whatever "
        "name they used themselves. Set PUBLIC_URL to the address that they should lead to"
    )


def allow_connections() -> None:
    """Each is an open file, and many systems begin with 1,024: who opens so many would stop it for all for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MOST_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    settings = Settings()
    start_logging(settings.log_level)
    keep_private(settings)
    warn_of_old_python()
    warn_of_host(settings)
    allow_connections()
    if "--end-with-parent" in sys.argv[1:]:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    config = configured(create_app(settings), settings)
    server = Server(config, settings.public_url or f"http://{settings.host}:{settings.port}")
    with contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn once it has ended cleanly
        server.run()
    if not server.started:
        sys.exit(1)  # it has said why


if __name__ == "__main__":
    main()
