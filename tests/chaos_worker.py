"""``python -m tests.chaos_worker``: a worker process as it is, but with tiny weights, a short lease and slow steps.

With ``--without-fence`` it writes whether or not its attempt is still the current one: the mutant that the tests must
catch. Nothing of this is reachable from the product.
"""

import argparse
import sys
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Update
from sqlalchemy.orm import Session

import worker.__main__
from app.jobs import claims
from app.jobs.claims import Claim
from app.jobs.models import Job
from worker import celery_app, progress
from worker.engines.contracts import Step
from worker.process import upkeep
from worker.process.supervisor import CRASH_REPORT, SUPERVISED, supervise
from worker.progress import JobProgress


def _write_regardless(session: Session, claim: Claim, statement: Update) -> None:
    session.execute(statement.where(Job.id == claim.job_id).execution_options(synchronize_session=False))


def _slow_down(seconds: float) -> None:
    step, drawn = JobProgress.step, JobProgress.drawn

    def slow_step(self: JobProgress, done: Step) -> None:
        time.sleep(seconds)
        step(self, done)

    def slow_drawn(self: JobProgress, done: int, total: int) -> None:
        time.sleep(seconds)
        drawn(self, done, total)

    JobProgress.step, JobProgress.drawn = slow_step, slow_drawn  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queues", default="training+generation")
    parser.add_argument(
        "--model", type=Path, required=True, help="folder of a pipeline that stands for the built-in one"
    )
    parser.add_argument("--lease", type=float, default=60.0, help="seconds")
    parser.add_argument("--step-seconds", type=float, default=0.0, help="added to every step")
    parser.add_argument("--without-fence", action="store_true")
    parser.add_argument(SUPERVISED)
    parser.add_argument(CRASH_REPORT, default="")
    arguments = parser.parse_args()
    if arguments.supervised is None:
        # Silent for as long as a test pauses it, which here is not the supervisor's business.
        command = [sys.executable, "-m", "tests.chaos_worker", *sys.argv[1:]]
        raise SystemExit(supervise(command, end_with_parent=False, silent_seconds=3600))

    import torch  # not above: the supervisor needs none of it

    from worker.engines.image.families import stable_diffusion
    from worker.handlers import rendering

    torch.set_num_threads(1)
    stable_diffusion.BUILTIN_MODEL = arguments.model
    claims.LEASE = timedelta(seconds=arguments.lease)
    progress.HEARTBEAT_SECONDS = arguments.lease / 4
    upkeep.TICK_SECONDS = celery_app.POLL_EVERY_SECONDS = arguments.lease / 4
    # A photograph's network takes minutes for the noise that tiny weights draw.
    rendering.times_needed = lambda picture, spec: 1
    _slow_down(arguments.step_seconds)
    if arguments.without_fence:
        claims.update_claimed = _write_regardless
    told = [SUPERVISED, arguments.supervised, CRASH_REPORT, arguments.crash_report]
    sys.argv = ["worker", "--queues", arguments.queues, *told]
    worker.__main__.main()


if __name__ == "__main__":
    main()
