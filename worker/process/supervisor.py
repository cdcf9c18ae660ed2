"""Supervises one worker process: starts it, kills it when it has gone silent, and starts another when it has died.

The worker runs native code that the system may kill for want of memory, or that hangs without letting go of the
interpreter, so that no thread beside it could notice. This process is small, loads nothing but the standard library,
and knows by a pipe which claim the worker holds: the next worker reports the crash and gives that job back at once.
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
SUPERVISED, CRASH_REPORT = "--supervised", "--crash-report"


class Pulse:
    """The worker's end of the pipe: says that it lives, and which claim it holds."""

    def __init__(self, to: int) -> None:
        self._to = to
        os.set_blocking(to, False)
        _die_with_parent()
        self._claim: dict[str, object] = {}
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
        self._thread.start()

    def holds(self, **claim: object) -> None:
        """From now on the worker holds this claim; none without ``claim``."""
        self._claim = claim
        self._say()

    def _say(self) -> None:
        try:
            os.write(self._to, json.dumps(self._claim).encode() + b"\n")
        except BrokenPipeError:
            os.kill(os.getpid(), signal.SIGTERM)  # the supervisor is gone: save what is being done, and end
        except BlockingIOError:
            return  # the supervisor is paused; the next one says it all

    def _beat(self) -> None:
        while True:
            self._say()
            time.sleep(PULSE_SECONDS)


def _die_with_parent() -> None:
    """A worker that hangs would outlive its supervisor, as it hears no signal. Linux can end it all the same."""
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
    claim: dict[str, object] = field(default_factory=dict)
    _rest: bytes = b""

    def listen(self, seconds: float) -> None:
        """Read what it says within this time."""
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
            self.claim = json.loads(lines[-1])

    def end(self, patience: float) -> int:
        """SIGTERM, time to save what it does, then SIGKILL."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def supervise(
    command: list[str],
    *,
    end_with_parent: bool,
    silent_seconds: float = SILENT_SECONDS,
    alive_file: Path | None = None,
) -> int:
    """Run ``command --supervised FD`` until this process is asked to end; returns its exit code.

    ``alive_file`` is touched at every sign of life, for whoever looks after containers.
    """
    asked = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: asked.set())
    if end_with_parent:
        threading.Thread(target=_end_with_parent, args=(asked,), daemon=True).start()
    crash_report, pause = "", 0.5
    while not asked.is_set():
        began = time.monotonic()
        worker = _start(command, crash_report, alive_file)
        try:
            code, crash_report = _watch(worker, asked, silent_seconds)
        finally:
            os.close(worker.hears)
        if asked.is_set() or code == WRONG_USAGE:
            return code
        pause = 0.5 if time.monotonic() - began > STEADY_AFTER_SECONDS else min(LONGEST_PAUSE_SECONDS, pause * 2)
        sys.stderr.write(f"livery: a worker ended with code {code}; another comes in {pause:.1f} s\n")
        asked.wait(pause)
    return 0


def _start(command: list[str], crash_report: str, alive_file: Path | None) -> _Worker:
    hears, tells = os.pipe()
    more = [SUPERVISED, str(tells), *([CRASH_REPORT, crash_report] if crash_report else [])]
    # A session of its own: Ctrl+C in the terminal reaches us alone, and it is asked once.
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, *more], pass_fds=[tells], stdin=subprocess.DEVNULL, start_new_session=True
    )
    os.close(tells)
    return _Worker(process, hears, alive_file)


def _watch(worker: _Worker, asked: threading.Event, silent_seconds: float) -> tuple[int, str]:
    """Wait for its end; returns its exit code, and the crash report for the next one (JSON; empty where no claim was
    lost)."""
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
    return code, json.dumps({**worker.claim, "how": how}) if worker.claim and how else ""


def _end_with_parent(asked: threading.Event) -> None:
    """Our parent holds the other end of our standard input; when it is gone, so is our reason to run."""
    # Not through sys.stdin: its lock, held here when the process ends, would turn a clean end into a crash.
    while os.read(0, 1024):
        pass
    asked.set()
