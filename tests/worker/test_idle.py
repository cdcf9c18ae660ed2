"""A worker without work gives its memory back, and draws the same afterwards."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.db import Database, new_id
from app.jobs import service
from app.storage import Storage
from tests.orders import make_workspace, worker_context
from worker import run_job
from worker.engines import registry
from worker.handlers.registry import HANDLERS
from worker.process import idle

ROOT = Path(__file__).parents[2]


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_models_go_once_when_no_job_came_for_some_minutes(
    database: Database, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, dropped, collected = Clock(), [], []
    monkeypatch.setattr(registry, "drop_kept", lambda: dropped.append(clock.seconds))
    monkeypatch.setattr(registry, "collect", lambda: collected.append(clock.seconds))
    context = worker_context(database, storage)
    context.idle = idle.Idle(clock)
    workspace_id = make_workspace(database)

    def order(kind: str) -> None:
        with database.write() as session:
            service.enqueue(
                session,
                workspace_id=workspace_id,
                project_id=None,
                kind=kind,
                subject_id=new_id(),
                title="",
                created_by=None,
            )

    def wait(seconds: float) -> None:
        clock.seconds += seconds
        assert not run_job.run_next(context, context.queues)

    monkeypatch.setitem(HANDLERS, "training", lambda *_: None)
    monkeypatch.setitem(HANDLERS, "generation", lambda *_: None)
    wait(10_000)
    assert dropped == [], "a worker that has done nothing holds nothing"
    order("training")
    assert run_job.run_next(context, context.queues)
    assert collected == [10_000], "a training gives back at its end what it held beside the base"
    wait(idle.KEPT_FOR_SECONDS - 1)
    assert dropped == []
    order("generation")
    clock.seconds += 100
    assert run_job.run_next(context, context.queues), "a late job finds the model still there"
    assert dropped == [] and len(collected) == 1
    wait(idle.KEPT_FOR_SECONDS - 1)
    assert dropped == []
    wait(1)
    assert dropped == [clock.seconds] and len(collected) == 2
    wait(10_000)
    assert len(dropped) == 1, "once is enough"


TRAIN_AND_REST = """
import json, sys
from pathlib import Path
from app.machine.memory import process_memory
from tests.worker.image import tiny as pictures
from tests.worker.text import tiny as texts
from worker.engines import registry
from worker.engines.contracts import Base, GenerationInputs, TrainingInputs
from worker.process.idle import Idle, KEPT_FOR_SECONDS
folder = Path(sys.argv[1])
pictures.pipeline().save_pretrained(folder / "base")
image, text = registry.engine_for("stable_diffusion"), registry.text_engine_for("causal_lm")
base = Base("tiny", "stable_diffusion", str(folder / "base"))
voice = texts.save_model(folder / "voice", width=1024, layers=8)
now, told = 0.0, []
idle = Idle(clock=lambda: now)
idle.after_job("training")
tell = lambda: told.append(process_memory())
tell()
def drawn(name):
    order = pictures.generation_recipe()
    made = image.generate(order, GenerationInputs(base), folder / name, pictures.Recorder())
    return [one.path.read_bytes().hex() for one in made]
inputs = TrainingInputs(base, pictures.pictures(folder / "pictures"))
image.train(pictures.training_recipe(), inputs, folder / "out", pictures.Recorder())
before = drawn("before")
recipe = texts.voice_recipe(epochs=1, sample_count=0)
learned = texts.voice_inputs(voice, texts=texts.voice_texts(2), held_out=())
text.train(recipe, learned, folder / "voiced", texts.Notes())
tell()
idle.after_job("voice_training")
tell()
now = KEPT_FOR_SECONDS
idle.look()
tell()
print(json.dumps({"memory": told, "same": drawn("after") == before and len(before) == 2}))
"""


@pytest.mark.slow
def test_after_a_real_training_the_memory_goes_back_and_the_next_picture_is_the_same(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TRAIN_AND_REST, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    start, trained, after_job, idle_now = (one / 1e6 for one in found["memory"])
    assert trained - start > 300, "the training held something worth giving back"
    assert after_job < trained, "what it held beside the base model goes at its end"
    assert idle_now - start < 0.25 * (trained - start), f"{start:.0f} → {trained:.0f} → {idle_now:.0f} MB"
    assert found["same"]
