"""A request's body on its way in: how much, how fast, how many at once, and whether the disk has room for it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from app.errors import N_, AppError
from app.machine.disk import DiskWatch, NoRoom
from app.web.gate.route_rules import MULTIPART, Rule


class TooLarge(AppError):
    status = 413
    sentence = N_("What you sent is larger than Livery accepts here.")


class WrongMediaType(AppError):
    status = 415
    sentence = N_("Livery cannot read this kind of content here. Send it as %(wanted)s.")


class TooSlow(AppError):
    status = 408
    sentence = N_("What you sent did not arrive in time. Nothing was changed; please send it again.")


class ManyUploads(AppError):
    status = 503
    sentence = N_("Livery is reading many files at the moment. Please try again in %(seconds)s seconds.")


class BodyRefused(HTTPException):
    """A refusal while the body is read: whoever parses it lets this kind through, and only this."""

    def __init__(self, error: AppError) -> None:
        super().__init__(error.status)
        self.error = error


@dataclass(frozen=True)
class Pace:
    """How slow a body may come. Only the time that is spent waiting for it counts, never that of our own work."""

    silent_seconds: float = 30.0
    """Without a byte."""
    grace_seconds: float = 60.0
    """Until the least pace counts."""
    least_bytes_per_second: int = 1000


@dataclass(frozen=True)
class UploadLimits:
    on_their_way: int = 64
    """Uploads that are received at once. Each takes a connection and a temporary file, no thread."""
    worked_on: int = 8
    """Uploads that are worked on at once, each in a thread: pages keep the others."""
    patience_seconds: float = 30.0
    """How long one that has arrived waits for its turn."""


def declared_length(headers: Headers) -> int | None:
    """Bytes that are announced, None where the request does not say (or lies in a way that no server would pass on)."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else None


def has_body(headers: Headers) -> bool:
    return bool(declared_length(headers)) or "transfer-encoding" in headers


def check(rule: Rule, headers: Headers) -> None:
    """Before a byte is read. Raises ``WrongMediaType``, ``TooLarge``."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body(headers) and (
        media_type not in rule.media_types or (media_type == MULTIPART and not _is_plainly_written(headers))
    ):
        raise WrongMediaType(wanted=rule.media_types[0])
    if (declared_length(headers) or 0) > rule.most_bytes:
        raise TooLarge()


def _is_plainly_written(headers: Headers) -> bool:
    """In the character set of the web, or in none that is named: a multipart body would be read by any codec of
    Python's that its sender likes, and some take minutes for a megabyte, or make what no database keeps."""
    _, options = parse_options_header(headers.get("content-type"))
    return options.get(b"charset", b"utf-8").lower() in (b"utf-8", b"utf8", b"us-ascii")


class Body:
    """Stands before the server's ``receive``: counts, and gives up what is too large or too slow."""

    def __init__(self, receive: Receive, most_bytes: int, pace: Pace) -> None:
        self._receive, self._pace = receive, pace
        self.most_bytes = most_bytes
        self.received_bytes = 0
        self._waited_seconds = 0.0
        self._has_ended = False
        self.is_answered = False
        """Set once an answer has begun: then a refusal would come too late, and the body just ends."""

    async def receive(self) -> Message:
        """Raises ``BodyRefused``."""
        if self._has_ended:
            return await self._receive()  # streams wait here for the browser to go away, as long as it stays
        started = time.monotonic()
        message: Message | None = None
        with anyio.move_on_after(self._pace.silent_seconds):
            message = await self._receive()
        self._waited_seconds += time.monotonic() - started
        if message is None or self._is_too_slow():
            return self._refuse(TooSlow())
        self.received_bytes += len(message.get("body", b""))
        self._has_ended = message["type"] != "http.request" or not message.get("more_body", False)
        if self.received_bytes > self.most_bytes:
            return self._refuse(TooLarge())
        return message

    def _is_too_slow(self) -> bool:
        expected = self._pace.least_bytes_per_second * (self._waited_seconds - self._pace.grace_seconds)
        return self.received_bytes < expected

    def _refuse(self, error: AppError) -> Message:
        if self.is_answered:
            return {"type": "http.disconnect"}
        raise BodyRefused(error)


class Uploads:
    """All uploads of this process: those that are on their way, and those that are worked on."""

    def __init__(self, disk: DiskWatch, limits: UploadLimits) -> None:
        self._disk, self._limits = disk, limits
        self._turns = anyio.Semaphore(limits.worked_on)
        self._bodies: dict[Body, int] = {}
        """With the bytes that each may still bring."""

    @asynccontextmanager
    async def coming(self, body: Body, expected_bytes: int) -> AsyncIterator[Receive]:
        """Inside, ``body`` is received and worked on. Raises ``NoRoom``, ``ManyUploads``; both before it is read.

        What comes without a length counts with the most that it may be: the web process puts it into a temporary file
        before anybody looks at it, and several at once must not fill the disk together.
        """
        if len(self._bodies) >= self._limits.on_their_way:
            raise ManyUploads(seconds=round(self._limits.patience_seconds))
        self._bodies[body] = expected_bytes
        has_turn = False

        async def receive() -> Message:
            nonlocal has_turn
            message = await body.receive()
            if message["type"] == "http.request" and not message.get("more_body", False) and not has_turn:
                has_turn = await self._take_turn()
            return message

        try:
            if not await anyio.to_thread.run_sync(self._has_room):
                raise NoRoom()
            yield receive
        finally:
            del self._bodies[body]
            if has_turn:
                self._turns.release()

    def _has_room(self) -> bool:
        outstanding = sum(max(0, expected - body.received_bytes) for body, expected in list(self._bodies.items()))
        return not self._disk.is_short() and self._disk.free() >= outstanding

    async def _take_turn(self) -> bool:
        with anyio.move_on_after(self._limits.patience_seconds):
            await self._turns.acquire()
            return True
        raise BodyRefused(ManyUploads(seconds=round(self._limits.patience_seconds)))
