"""uvicorn's HTTP connection with an end to what never comes: a request's head, the rest of a body nobody reads, and a
browser that takes its answer.

uvicorn has a time-out between requests alone. Bodies that are read have theirs in ``incoming.Body``.
"""

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


class TimedProtocol(H11Protocol):
    head_seconds: ClassVar[float] = 20.0
    """How long a request's head may take, counted from the connection's start or from the request's first byte."""
    linger_seconds: ClassVar[float] = 10.0
    """So long the rest of a refused body is read away, or browsers would lose the answer while they still send."""

    taking_seconds: ClassVar[float] = 60.0
    """After so long whoever takes an answer must have taken as much as by ``least_bytes_per_second``, or all that is
    left."""
    least_bytes_per_second: ClassVar[int] = 500

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head_timer: asyncio.TimerHandle | None = None
        self._taking_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        self._stop_watching_taking()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        self._stop_watching_taking()
        super().resume_writing()
        if self.cycle is not None and self.cycle.response_complete:
            self._watch_taking()  # the last of it

    def on_response_complete(self) -> None:
        self._watch_taking()
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(self.linger_seconds, self._give_up_body, self.cycle)

    def _watch_head(self) -> None:
        """Started once for a head, so that a byte now and then does not put the end off."""
        is_waiting = self.conn.their_state is h11.IDLE and not self.transport.is_closing()
        if not is_waiting:
            self._stop_watching()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_watching(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _watch_taking(self) -> None:
        """Also a connection that is closed stays until its answer is taken, and for ever where nobody takes it."""
        self._stop_watching_taking()
        waiting_bytes = self.transport.get_write_buffer_size()
        if waiting_bytes:
            self._taking_timer = self.loop.call_later(
                self.taking_seconds, self._look_at_taking, self.cycle, waiting_bytes
            )

    def _look_at_taking(self, cycle: RequestResponseCycle, waiting_bytes: int) -> None:
        self._taking_timer = None
        if self.cycle is not cycle:
            return  # an answer later, which is watched by itself
        enough = waiting_bytes - self.taking_seconds * self.least_bytes_per_second
        if self.transport.get_write_buffer_size() > max(0, enough):
            self.transport.abort()
        else:
            self._watch_taking()

    def _stop_watching_taking(self) -> None:
        if self._taking_timer is not None:
            self._taking_timer.cancel()
            self._taking_timer = None

    def _give_up_body(self, cycle: RequestResponseCycle) -> None:
        if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY:
            self.transport.close()
