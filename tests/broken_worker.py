"""``python -m tests.broken_worker``: a worker whose engine breaks at a step, the first times that it gets there.

The engine is the one without a model, or with ``--text-base`` the language models' own on the model of that folder;
process, supervisor and lease are as they are.
"""

import argparse
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import worker.__main__
from worker.process.supervisor import CRASH_REPORT, SUPERVISED, supervise
from worker.process.supervisor import SILENT_SECONDS as USUAL_SILENT_SECONDS

SILENT_SECONDS = 8.0
BREAKS: dict[str, Callable[[], object]] = {
    "hangs": lambda: time.sleep(3600),
    # As native code does that never lets go of the interpreter: no thread of this process runs any more.
    "hangs with the interpreter": lambda: ctypes.PyDLL(None).sleep(3600),
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "crashes": lambda: os.abort(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--how", choices=BREAKS, required=True)
    parser.add_argument("--at", type=int, required=True, help="the step")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--marks", type=Path, required=True, help="an empty folder, to count the times in")
    parser.add_argument("--text-base", type=Path)
    parser.add_argument(SUPERVISED)
    parser.add_argument(CRASH_REPORT, default="")
    arguments = parser.parse_args()
    if arguments.supervised is None:
        command = [sys.executable, "-m", "tests.broken_worker", *sys.argv[1:]]
        alive = arguments.marks.with_name("alive")
        silent = SILENT_SECONDS if arguments.text_base is None else USUAL_SILENT_SECONDS
        raise SystemExit(supervise(command, end_with_parent=False, silent_seconds=silent, alive_file=alive))

    from tests.fake_engine import FakeEngine
    from worker import progress, serve
    from worker.engines import registry
    from worker.engines.device import DeviceFacts

    def perhaps_break(step: int) -> None:
        broken = len(list(arguments.marks.iterdir()))
        if step == arguments.at and broken < arguments.times:
            (arguments.marks / str(broken)).touch()
            BREAKS[arguments.how]()

    if arguments.text_base is None:
        engine = FakeEngine(before_step=perhaps_break)
        registry.engine_for = lambda family: engine  # type: ignore[assignment, return-value]
        progress.HEARTBEAT_SECONDS = 0.5
        # Told and not measured, as an engine without a model needs no torch.
        serve.measure_device = lambda: DeviceFacts("a processor", "cpu", 8_000_000_000, 1.0, "float32")
    else:
        _learn_on(arguments.text_base, perhaps_break)
    told = [SUPERVISED, arguments.supervised, CRASH_REPORT, arguments.crash_report]
    sys.argv = ["worker", "--queues", "training", *told]
    worker.__main__.main()


def _learn_on(folder: Path, before_step: Callable[[int], None]) -> None:
    from worker.engines.contracts import Step
    from worker.files import base_models
    from worker.progress import JobProgress

    ready, told = base_models.ready, JobProgress.step

    def step(self: JobProgress, done: Step) -> None:
        before_step(done.step)
        told(self, done)

    JobProgress.step = step  # type: ignore[method-assign]
    base_models.ready = lambda *given: replace(ready(*given), source=str(folder))


if __name__ == "__main__":
    main()
