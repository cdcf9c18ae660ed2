"""Keeps one worker process: starts it, kills it when it has fallen silent, and starts another when it has died.

The worker runs native code that the system may kill for want of memory, or that hangs without letting go of the
interpreter, so that no thread beside it could notice. This process is small, loads nothing but the standard library,
and knows by a pipe what the worker holds: whoever comes next gives that job back at once, with the reason.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

PULSE_SECONDS = 5.0
SILENT_SECONDS = 120.0
"""Longer than a lease: whatever a worker does that slept for so long is refused anyway."""
GRACE_SECONDS = 27.0
"""To save what is being done; less than whoever started this process waits."""
STEADY_AFTER_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0
WRONG_USAGE = 2
HUNG = 70
"""The exit code of a worker that has given its own job back because it got no further."""
LAST_WORDS = "--last-words"


class Pulse:
    """The worker's end of the pipe: says that it lives, and which job it holds."""

    def __init__(self, to: int) -> None:
        self._to = to
        os.set_blocking(to, False)
        _die_with_parent()
        self._holds: dict[str, object] = {}
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
        self._thread.start()

    def holds(self, **facts: object) -> None:
        """From now on this is what dies with the worker; nothing without ``facts``."""
        self._holds = facts
        self._say()

    def _say(self) -> None:
        try:
            os.write(self._to, json.dumps(self._holds).encode() + b"\n")
        except BrokenPipeError:
            os.kill(os.getpid(), signal.SIGTERM)  # the keeper is gone: save what is being done, and end
        except BlockingIOError:
            return  # the keeper is paused; the next one says it all

    def _beat(self) -> None:
        while True:
            self._say()
            time.sleep(PULSE_SECONDS)


def _die_with_parent() -> None:
    """A worker that hangs would outlive its keeper, as it hears no signal. Linux can end it all the same."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


@dataclass
class _Worker:
    """The process below, and what it last said."""

    process: subprocess.Popen[bytes]
    hears: int
    alive_file: Path | None
    said_at: float = field(default_factory=time.monotonic)
    holds: dict[str, object] = field(default_factory=dict)
    _rest: bytes = b""

    def listen(self, seconds: float) -> None:
        """Take in what it says within this time."""
        if not select.select([self.hears], [], [], seconds)[0]:
            return
        heard = os.read(self.hears, 65536)
        if not heard:  # It has ended, which is seen elsewhere.
            time.sleep(seconds)
            return
        self.said_at = time.monotonic()
        if self.alive_file is not None:
            self.alive_file.touch()
        *lines, self._rest = (self._rest + heard).split(b"\n")
        if lines:
            self.holds = json.loads(lines[-1])

    def end(self, patience: float) -> int:
        """SIGTERM, time to save what it does, then SIGKILL."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def keep(
    command: list[str],
    *,
    end_with_parent: bool,
    silent_seconds: float = SILENT_SECONDS,
    alive_file: Path | None = None,
) -> int:
    """Run ``command --kept FD`` until this process is asked to end; returns its exit code.

    ``alive_file`` is touched at every sign of life, for whoever looks after containers.
    """
    asked = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: asked.set())
    if end_with_parent:
        threading.Thread(target=_end_with_parent, args=(asked,), daemon=True).start()
    last_words, pause = "", 0.5
    while not asked.is_set():
        began = time.monotonic()
        worker = _start(command, last_words, alive_file)
        try:
            code, last_words = _watch(worker, asked, silent_seconds)
        finally:
            os.close(worker.hears)
        if asked.is_set() or code == WRONG_USAGE:
            return code
        pause = 0.5 if time.monotonic() - began > STEADY_AFTER_SECONDS else min(LONGEST_PAUSE_SECONDS, pause * 2)
        sys.stderr.write(f"livery: a worker ended with code {code}; another comes in {pause:.1f} s\n")
        asked.wait(pause)
    return 0


def _start(command: list[str], last_words: str, alive_file: Path | None) -> _Worker:
    hears, tells = os.pipe()
    more = ["--kept", str(tells), *([LAST_WORDS, last_words] if last_words else [])]
    # A session of its own: Ctrl+C in the terminal reaches us alone, and it is asked once.
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, *more], pass_fds=[tells], stdin=subprocess.DEVNULL, start_new_session=True
    )
    os.close(tells)
    return _Worker(process, hears, alive_file)


def _watch(worker: _Worker, asked: threading.Event, silent_seconds: float) -> tuple[int, str]:
    """Wait for its end; returns its exit code, and what the next one is to know."""
    how = ""
    while (code := worker.process.poll()) is None:
        if asked.is_set():
            return worker.end(GRACE_SECONDS), ""
        worker.listen(0.2)
        if time.monotonic() - worker.said_at > silent_seconds:
            how = "hung"
            worker.process.kill()
            worker.process.wait()
    worker.listen(0)
    how = how or {-signal.SIGKILL: "killed", HUNG: ""}.get(code, "ended")
    return code, json.dumps({**worker.holds, "how": how}) if worker.holds and how else ""


def _end_with_parent(asked: threading.Event) -> None:
    """The supervisor holds the other end of our standard input; when it is gone, so is our reason to run."""
    # Not through sys.stdin: its lock, held here when the process ends, would turn a clean end into a crash.
    while os.read(0, 1024):
        pass
    asked.set()
