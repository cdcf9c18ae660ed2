"""``python -m worker --queues training+generation``: one worker, in a process of its own beneath its supervisor."""

import argparse
import os
import sys
from pathlib import Path

from worker.process.supervisor import CRASH_REPORT, SUPERVISED, Pulse, supervise


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    # The second name is the old one, for the next release to drop.
    parser.add_argument("--queues", "--lanes", default="", help="queues to serve, joined by + (default: all)")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when standard input closes")
    parser.add_argument("--alive-file", type=Path, help="touched every few seconds while the worker lives")
    # The file descriptor of the pipe to the supervisor: this is the worker.
    parser.add_argument(SUPERVISED, type=int, help=argparse.SUPPRESS)
    parser.add_argument(CRASH_REPORT, default="", help=argparse.SUPPRESS)  # about the process before this one
    arguments = parser.parse_args()
    if arguments.supervised is None:
        command = [sys.executable, "-m", "worker", "--queues", arguments.queues]
        raise SystemExit(supervise(command, end_with_parent=arguments.end_with_parent, alive_file=arguments.alive_file))
    pulse = Pulse(arguments.supervised)
    # Two workers share one processor on the embedded default: threads that wait must sleep, not spin, or both crawl.
    # Read by the model libraries when they are loaded, which happens below.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from worker import serve

    serve.main(arguments.queues, pulse, arguments.crash_report)


if __name__ == "__main__":
    main()
