"""``python -m worker --lanes training+generation``: one worker, in a process of its own beneath one that keeps it."""

import argparse
import os
import sys
from pathlib import Path

from worker.process.supervisor import LAST_WORDS, Pulse, keep


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--lanes", default="", help="lanes to serve, joined by + (default: all)")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when standard input closes")
    parser.add_argument("--alive-file", type=Path, help="touched every few seconds while the worker lives")
    parser.add_argument("--kept", type=int, help=argparse.SUPPRESS)  # the keeper's end of a pipe: this is the worker
    parser.add_argument(LAST_WORDS, default="", help=argparse.SUPPRESS)  # of the process before this one
    arguments = parser.parse_args()
    if arguments.kept is None:
        command = [sys.executable, "-m", "worker", "--lanes", arguments.lanes]
        raise SystemExit(keep(command, end_with_parent=arguments.end_with_parent, alive_file=arguments.alive_file))
    pulse = Pulse(arguments.kept)
    # Two workers share one processor on the embedded default: threads that wait must sleep, not spin, or both crawl.
    # Read by the model libraries when they are loaded, which happens below.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from worker import serve

    serve.main(arguments.lanes, pulse, arguments.last_words)


if __name__ == "__main__":
    main()
