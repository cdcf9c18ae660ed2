"""``python -m app``: brings the database up to date, then looks after the web process and the workers.

A small parent without web or model code: it starts its children, restarts what dies, and ends all of them on a signal.
uvicorn cannot be that parent: after SIGTERM it raises the signal again and nothing behind it runs.
"""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from app.logs import start_logging
from app.settings import Settings
from app.startup import keep_private

GRACE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 30.0
STEADY_AFTER_SECONDS = 60.0


@dataclass
class Child:
    """One process to keep alive. Its standard input is a pipe from here: when we are killed, it notices and ends."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = 0.5
    start_at: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        # A session of its own: Ctrl+C in the terminal reaches us alone, and we end the children in order.
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603
        self.started_at = time.monotonic()

    def look_after(self) -> None:
        """Start it when it is due; when it has died, make it due after a pause that grows while it keeps dying."""
        moment = time.monotonic()
        if self.process is None:
            if moment >= self.start_at:
                self.start()
        elif (code := self.process.poll()) is not None:
            steady = moment - self.started_at > STEADY_AFTER_SECONDS
            self.pause = 0.5 if steady else min(LONGEST_PAUSE_SECONDS, self.pause * 2)
            print(
                f"livery: {self.name} ended with code {code}; starting it again in {self.pause:.1f} s", file=sys.stderr
            )
            self.process, self.start_at = None, moment + self.pause


def children(settings: Settings) -> list[Child]:
    """The processes that these settings ask for."""
    wanted = [Child("web", [sys.executable, "-m", "app.web.serve", "--end-with-parent"])]
    if settings.embedded_workers.strip() != "none":
        wanted += [
            Child(f"worker ({queues})", [sys.executable, "-m", "worker", "--queues", queues, "--end-with-parent"])
            for queues in settings.embedded_workers.split()
        ]
    return wanted


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM to all, time to save what they are doing, then SIGKILL."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        try:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    settings = Settings()
    start_logging(settings.log_level)
    keep_private(settings)
    # In a process of its own: what speaks to the database would otherwise stay here for ever, 40 MB of it.
    migrated = subprocess.run([sys.executable, "-m", "app.migrate"], check=False).returncode
    if migrated:
        raise SystemExit(migrated)  # it has said why
    asked_to_end = False

    def ask(*_: object) -> None:
        nonlocal asked_to_end
        asked_to_end = True

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    family = children(settings)
    while not asked_to_end:
        for child in family:
            child.look_after()
        time.sleep(0.2)
    end([child.process for child in family if child.process is not None])


if __name__ == "__main__":
    main()
