"""Files from outside are read by a few disposable processes and never by this one.

A decoder has had faults before and will have more: what breaks it, what makes it work for hours or fill the memory
then costs one process, and one sentence about one file. ``ask`` is all that features use; processes are started when
they are first needed, and anew after a crash, after many files, or when they have grown.
"""

import atexit
import contextlib
import logging
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import AppError
from app.reading import wire
from app.reading.errors import ReadersBusy, Unreadable
from app.reading.registry import MB, READERS, Reader

log = logging.getLogger("livery.reading")
SIZE = 2 if (os.cpu_count() or 2) <= 2 else 3
MOST_WAITING = 12
"""Threads that may wait for a process; pages need the others."""
WAIT_SECONDS = 10.0
FILES_EACH = 200
GROWN_BYTES = 400 * MB
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("child.py")
PIECE = 2**20
KEPT_ENVIRONMENT = ("SYSTEMROOT", "LD_LIBRARY_PATH", "TZ")
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "VIPS_CONCURRENCY": "2"}


@dataclass(frozen=True)
class Answer:
    """``value`` is JSON; ``seconds`` is the processor time that it took."""

    value: Any
    blobs: list[bytes] = field(repr=False)
    seconds: float


class _Gone(Exception):
    """The process ended, was ended, or answered nonsense."""


class _Child:
    """One process and its pipes."""

    def __init__(self) -> None:
        life, self._life = os.pipe()
        command = [sys.executable, "-I", str(PROGRAM), str(ROOT), str(life)]
        self.process = subprocess.Popen(  # noqa: S603 - our own program; files come in as data, not as arguments
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=(life,),
            env={key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ} | ENVIRONMENT,
            start_new_session=True,
        )
        os.close(life)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self.files = 0
        self.has_grown = False

    def ask(self, reader: Reader, head: dict[str, Any], blobs: Sequence[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """Raises ``_Gone``."""
        self.files += 1
        deadline = time.monotonic() + 3 * reader.seconds + 10
        try:
            for piece in wire.packed(head, blobs):
                self._write(piece, deadline)
            answer, found = wire.read(lambda count: self._exactly(count, deadline), reader.most_answer_mb * MB)
        except (OSError, EOFError, TimeoutError, wire.BadMessage) as error:
            raise _Gone(type(error).__name__) from error
        self.has_grown = int(answer.get("memory", 0)) > GROWN_BYTES
        return answer, found

    def _write(self, piece: bytes, deadline: float) -> None:
        rest = memoryview(piece)
        while rest:
            self._ready(self._in, select.POLLOUT, deadline)
            rest = rest[os.write(self._in, rest[:PIECE]) :]

    def _exactly(self, count: int, deadline: float) -> bytes:
        pieces = list[bytes]()
        while count:
            self._ready(self._out, select.POLLIN, deadline)
            piece = os.read(self._out, min(count, PIECE))
            if not piece:
                raise EOFError
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def _ready(self, file: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(file, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError

    def end(self) -> int:
        """Kill it if it still runs; its exit status."""
        with contextlib.suppress(OSError):
            self.process.kill()
        code = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(OSError):
            os.close(self._life)
        return code


class ReaderPool:
    """At most ``size`` processes. May be used from any thread."""

    def __init__(self, size: int = SIZE, *, wait_seconds: float = WAIT_SECONDS, most_waiting: int = MOST_WAITING):
        self.size = size
        self.wait_seconds = wait_seconds
        self._most_waiting = most_waiting
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._waiting = 0

    def ask(
        self,
        reader: str,
        question: Any,
        blobs: Sequence[bytes] = (),
        *,
        name: str,
        wait_seconds: float | None = None,
    ) -> Answer:
        """What the reader of that name answers about ``blobs``; ``name`` is the file's, for sentences.

        It waits for a process as long as the pool says, or ``wait_seconds``: whoever has read half an archive has more
        to lose than somebody who begins.

        Raises what the reader raises of ``AppError``; ``Unreadable`` where it failed or had to be ended;
        ``ReadersBusy`` where too many others wait or none gets free in time.
        """
        known = READERS[reader]
        with self._place(self.wait_seconds if wait_seconds is None else wait_seconds):
            answer, found = self._asked(known, {"reader": reader, "question": question}, blobs, name)
        if "refused" in answer:
            raise _error_of(answer) or Unreadable(name=name)
        if "answer" not in answer:
            log.error("reader failed", extra={"reader": reader, "trace": str(answer.get("failed"))})
            raise Unreadable(name=name)
        return Answer(answer["answer"], found, float(answer.get("seconds", 0.0)))

    def _asked(
        self, reader: Reader, head: dict[str, Any], blobs: Sequence[bytes], name: str
    ) -> tuple[dict[str, Any], list[bytes]]:
        while True:
            child = self._take()
            was_used = child.files > 0
            try:
                found = child.ask(reader, head, blobs)
            except BaseException as error:
                code = self._drop(child)
                if isinstance(error, _Gone) and was_used and code == 0:
                    continue  # it had ended by itself, as nothing was asked for a while
                if not isinstance(error, _Gone):
                    raise
                log.error("reader ended", extra={"reader": head["reader"], "status": _status(code), "why": str(error)})
                raise Unreadable(name=name) from error
            self._put_back(child)
            return found

    @contextlib.contextmanager
    def _place(self, wait_seconds: float) -> Iterator[None]:
        """Hold one of the places. Raises ``ReadersBusy``."""
        if not self._free.acquire(blocking=False):
            with self._lock:
                if self._waiting >= self._most_waiting:
                    raise ReadersBusy(seconds=max(1, math.ceil(self.wait_seconds)))
                self._waiting += 1
            try:
                if not self._free.acquire(timeout=wait_seconds):
                    raise ReadersBusy(seconds=max(1, math.ceil(self.wait_seconds)))
            finally:
                with self._lock:
                    self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    def _take(self) -> _Child:
        with self._lock:
            child = self._idle.pop() if self._idle else None
        if child is not None and child.process.poll() is not None:
            child.end()
            child = None
        child = child or _Child()
        with self._lock:
            self._busy.add(child)
        return child

    def _put_back(self, child: _Child) -> None:
        with self._lock:
            self._busy.discard(child)
            if child.files < FILES_EACH and not child.has_grown:
                self._idle.append(child)
                return
        child.end()

    def _drop(self, child: _Child) -> int:
        with self._lock:
            self._busy.discard(child)
        return child.end()

    def processes(self) -> list[int]:
        """The ids of those that run."""
        with self._lock:
            return [child.process.pid for child in (*self._idle, *self._busy)]

    def close(self) -> None:
        """End all of them; whoever waits for an answer is told that the file could not be read."""
        with self._lock:
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for child in idle:
            child.end()
        for child in busy:
            with contextlib.suppress(OSError):
                child.process.kill()


def _status(code: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return str(code)


def _error_of(answer: dict[str, Any]) -> AppError | None:
    """The refusal that a reader named, if it is one of those that this process knows."""
    known = [AppError]
    for kind in known:
        known += kind.__subclasses__()
    params = answer.get("params")
    found = next((kind for kind in known if f"{kind.__module__}:{kind.__qualname__}" == answer["refused"]), None)
    return found(**params) if found is not None and isinstance(params, dict) else None


_shared: ReaderPool | None = None
_sharing = threading.Lock()


def shared() -> ReaderPool:
    """The pool of this process."""
    global _shared
    with _sharing:
        if _shared is None:
            _shared = ReaderPool()
        return _shared


def ask(
    reader: str, question: Any, blobs: Sequence[bytes] = (), *, name: str = "", wait_seconds: float | None = None
) -> Answer:
    """``ReaderPool.ask`` of this process's pool."""
    return shared().ask(reader, question, blobs, name=name, wait_seconds=wait_seconds)


def close() -> None:
    """End this process's readers; they are started anew when one is needed."""
    global _shared
    with _sharing:
        pool, _shared = _shared, None
    if pool is not None:
        pool.close()


def _forget() -> None:
    # A forked process has the pipes of its parent's readers, which are not its own.
    global _shared, _sharing
    _shared, _sharing = None, threading.Lock()


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
