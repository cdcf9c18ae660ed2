"""Programs in processes of their own that start at once: each is forked from one process that has imported torch and
diffusers, which takes six seconds of a core, and nothing of Livery."""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers import ROOT
from worker.engines.contracts import Base

# Answers every order with how the process ended: its exit status, or minus the signal.
PARENT = """
import json, os, sys, traceback
import torch, transformers.integrations.peft
from diffusers import FluxPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline

torch.set_num_threads(1)
for line in sys.stdin:
    code, said, sys.argv = json.loads(line)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.dup2(os.open(said, os.O_WRONLY), 1)
            os.dup2(1, 2)
            exec(code, {"__name__": "__main__"})
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

# Trains as ordered, until it kills itself in the middle of a step; its pictures lie where the other's did.
TRAINER = """
import json, os, signal, sys
from pathlib import Path

order = json.loads(sys.argv[1])
sys.path.insert(0, order["root"])
from tests.worker.image import tiny
from worker.engines import registry
from worker.engines.contracts import Base, TrainingInputs


class Killed(tiny.Recorder):
    def step(self, step):
        if step.step == order["at"]:
            os.kill(os.getpid(), signal.SIGKILL)


base = Base(order["key"], order["family"], order["source"])
inputs = TrainingInputs(base, tiny.pictures(Path(order["pictures"])))
registry.engine_for(base.family).train(tiny.training_recipe(**order["recipe"]), inputs, Path(order["out"]), Killed())
"""


class Elsewhere:
    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )

    def run(self, code: str, *arguments: str, ends_with: int = 0) -> str:
        """Run the program and wait for its end, which must be the one that is expected; returns what it has said."""
        assert self._parent.stdin is not None and self._parent.stdout is not None
        with tempfile.NamedTemporaryFile("r") as said:
            print(json.dumps([code, said.name, ["-c", *arguments]]), file=self._parent.stdin, flush=True)
            ended = self._parent.stdout.readline().strip()
            told = said.read()
        assert ended == str(ends_with), told
        return told

    def train_until_killed(self, base: Base, pictures: Path, out: Path, recipe: dict[str, object], *, at: int) -> None:
        """Begin a training with ``tiny.pictures(pictures)`` that is killed in the middle of step ``at``."""
        order = {
            "root": str(ROOT),
            "key": base.key,
            "family": base.family,
            "source": base.source,
            "pictures": str(pictures),
            "out": str(out),
            "recipe": recipe,
            "at": at,
        }
        self.run(TRAINER, json.dumps(order), ends_with=-signal.SIGKILL)

    def stop(self) -> None:
        self._parent.communicate()
