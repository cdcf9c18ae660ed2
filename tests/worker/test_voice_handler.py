"""A training of a voice from the order to the adapter, with a tiny model in place of the one that comes along."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from app.adapters.models import Adapter
from app.adapters.voice import files as voice_files
from app.db import Database
from app.jobs import claims
from app.jobs import workers as job_workers
from app.jobs.models import Job
from app.storage import Storage
from app.trainings import attempts, service
from app.trainings.attempts import WrittenSample
from app.trainings.errors import TooFewTexts
from app.trainings.estimates import Estimate
from app.trainings.models import HeldOutPoint, LossPoint, Training, TrainingText
from app.trainings.views import view
from app.trainings.voice import queries as voice_queries
from app.trainings.voice.kind import VOICE
from app.trainings.voice.measures import Measures, verdict
from app.trainings.voice.overrides import VoiceOverrides
from app.trainings.voice.planner import SENTENCES
from tests.answers import tells
from tests.conftest import SignedIn
from tests.orders import make_brand
from tests.voices import add_texts
from tests.worker.text import tiny
from worker import run_job
from worker.context import WorkerContext
from worker.engines import registry
from worker.engines.contracts import Base, EngineError
from worker.engines.device import DeviceFacts
from worker.engines.text import base as bases
from worker.engines.text import causal_lm, files
from worker.engines.text_contracts import TrainedVoice, VoiceInputs

pytestmark = pytest.mark.slow

FELL_BACK = (SENTENCES.fell_back_to_8_bits, SENTENCES.fell_back_to_4_bits)
QUICK = VoiceOverrides(epochs=2, rank=4, learning_rate=0.01, max_length=384, batch_size=2)


@pytest.fixture(scope="module")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.save_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def small_engine(monkeypatch: pytest.MonkeyPatch, tiny_base: Base) -> SimpleNamespace:
    """The real engine on the tiny model; ``before`` is called with each step's number."""
    engine = SimpleNamespace(before=lambda step: None, resumed=[])

    def train(recipe: object, inputs: VoiceInputs, out: Path, progress: object) -> TrainedVoice:
        engine.resumed.append(inputs.resume_from)
        told = progress.step  # type: ignore[attr-defined]

        def step(one: object) -> None:
            engine.before(one.step)  # type: ignore[attr-defined]
            told(one)

        progress.step = step  # type: ignore[attr-defined]
        small = recipe.model_copy(update={"sample_tokens": 6, "measured_texts": 2})  # type: ignore[attr-defined]
        return causal_lm.train(small, replace(inputs, base=tiny_base), out, progress)  # type: ignore[arg-type]

    engine.train = train
    engine.gguf_adapter = lambda base, weights, out, cache: files.gguf_adapter(tiny_base, weights, out)
    monkeypatch.setattr(registry, "text_engine_for", lambda family: engine)
    return engine


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    bases.drop_loaded()


def order(context: WorkerContext, workspace_id: str, count: int = 24) -> str:
    project_id = make_brand(context.database, context.storage, workspace_id, pictures=0)
    add_texts(context.database, workspace_id, project_id, count)
    with context.database.write() as session:
        return service.start_training(
            session, VOICE, workspace_id=workspace_id, project_id=project_id, overrides=QUICK, created_by=None
        ).id


def test_a_voice_is_trained_measured_and_registered(context: WorkerContext, workspace_id: str) -> None:
    training_id = order(context, workspace_id)
    assert run_job.run_next(context, ("training",))
    with context.database.read() as session:
        given = session.get_one(Training, training_id)
        job = session.scalars(select(Job)).one()
        adapter = session.scalars(select(Adapter)).one()
        assert job.state == "done" and job.kind == "voice_training", job.error_sentence
        assert (adapter.modality, adapter.purpose, adapter.training_id) == ("text", "voice", training_id)
        assert {adapter.diffusers_key, adapter.gguf_key} <= set(context.storage.keys_under("projects"))
        measures = Measures.model_validate(given.measures)
        assert measures.held_out is not None and measures.steps == measures.planned_steps
        assert measures.held_out.adapter.loss < measures.held_out.base.loss
        assert measures.held_out.text_count == 2 and len(measures.held_out.originals) == 2
        assert "%(adapter)s" in verdict(measures.held_out).msgid
        points = session.scalars(select(HeldOutPoint).order_by(HeldOutPoint.step)).all()
        assert points[0].step == 0 and points[-1].step == measures.steps and points[-1].loss < points[0].loss
        assert len(session.scalars(select(LossPoint)).all()) == measures.steps
        rows = voice_queries.sample_rows(voice_queries.texts(session, training_id))
        assert len(rows) == 2 and all(row.base is not None and row.now is not None for row in rows)
        learned = {text["text"] for text in given.voice["texts"] if not text["held_out"]}  # type: ignore[index]
        kept_back = {text["text"] for text in given.voice["texts"] if text["held_out"]}  # type: ignore[index]
        assert set(measures.held_out.originals) == kept_back and not kept_back & learned
        assert not any(text in given.voice["style_guide"] for text in kept_back)  # type: ignore[index]
        assert voice_queries.paces(session, given.base_model)[0].seconds_per_character > 0
    assert not list(context.storage.keys_under(f"projects/{given.project_id}/trainings"))


def test_a_worker_that_is_stopped_gives_it_back_and_the_next_goes_on(
    context: WorkerContext, workspace_id: str, small_engine: SimpleNamespace
) -> None:
    training_id = order(context, workspace_id)

    def stop(step: int) -> None:
        if step == 3:
            context.stopping.set()

    small_engine.before = stop
    assert run_job.run_next(context, ("training",))
    with context.database.read() as session:
        assert session.scalars(select(Job)).one().state == "queued"
    context.stopping.clear()
    small_engine.before = lambda step: None
    assert run_job.run_next(context, ("training",))
    assert small_engine.resumed[0] is None and small_engine.resumed[1] is not None
    with context.database.read() as session:
        assert session.scalars(select(Job)).one().state == "done"
        texts = voice_queries.texts(session, training_id)
        assert len({(one.step, one.position) for one in texts}) == len(texts)


def test_a_cancelled_one_keeps_what_it_has_learned(
    context: WorkerContext, workspace_id: str, small_engine: SimpleNamespace, database: Database, storage: Storage
) -> None:
    training_id = order(context, workspace_id)

    def cancel(step: int) -> None:
        if step == 2:
            with database.write() as session:
                service.cancel_training(session, VOICE, workspace_id=workspace_id, training_id=training_id)

    small_engine.before = cancel
    run_job.run_next(context, ("training",))
    with database.read() as session:
        assert session.scalars(select(Job)).one().state == "cancelled"
        adapter = session.scalars(select(Adapter)).one()
        assert adapter.facts["steps"] < adapter.facts["planned_steps"] and not adapter.facts["finished"]
        assert Measures.model_validate(session.get_one(Training, training_id).measures).held_out is None
        assert adapter.diffusers_key in set(storage.keys_under("projects"))


def report_card(context: WorkerContext) -> None:
    with context.database.write() as session:
        card = {"device_kind": "cuda", "device_memory_bytes": 8_000_000_000}
        job_workers.report_worker(session, "w1", queues=("training",), device="A card", job_id=None, **card)


def test_a_smaller_card_plans_anew_or_says_that_it_cannot(
    context: WorkerContext, workspace_id: str, small_engine: SimpleNamespace
) -> None:
    report_card(context)
    training_id = order(context, workspace_id)
    context.device = DeviceFacts("A small card", "cuda", 1_000_000_000)
    assert run_job.run_next(context, ("training",))
    with context.database.read() as session:
        assert session.scalars(select(Job)).one().error_code == "device_too_small"
    another = order(context, workspace_id)
    context.device = DeviceFacts("A small card", "cuda", 2_000_000_000)
    assert run_job.run_next(context, ("training",))
    with context.database.read() as session:
        told = Estimate.model_validate(session.get_one(Training, another).estimate)
        first = Estimate.model_validate(session.get_one(Training, training_id).estimate)
        assert told.moved_from == first.plan and told.plan is not None and told.plan.device == "A small card"
        assert session.get_one(Training, another).recipe["gradient_checkpointing"], "computed again, and fine as it was"
        assert session.get_one(Training, another).recipe["quantization"] == "none"


def test_what_was_ordered_without_a_worker_is_planned_when_it_is_taken(
    context: WorkerContext, workspace_id: str, small_engine: SimpleNamespace
) -> None:
    training_id = order(context, workspace_id)
    context.device = DeviceFacts("A card", "cuda", 8_000_000_000)
    assert run_job.run_next(context, ("training",))
    with context.database.read() as session:
        told = Estimate.model_validate(session.get_one(Training, training_id).estimate)
    assert told.plan is not None and told.plan.device == "A card" and told.moved_from is None
    assert told.plan.decided == ("batch_size",), "two rows at a time were asked for"


def test_out_of_memory_goes_on_with_a_coarser_base_and_everything_says_so(
    context: WorkerContext, workspace_id: str, small_engine: SimpleNamespace, owner: SignedIn
) -> None:
    context.device = DeviceFacts("A card", "cuda", 8_000_000_000)
    report_card(context)
    training_id = order(context, owner.workspace_id)
    with context.database.read() as session:
        plan = Estimate.model_validate(session.get_one(Training, training_id).estimate).plan
    assert plan is not None and plan.fits and plan.quantization == "none"
    left = [3]

    def full(step: int) -> None:
        if left and step == left[0]:
            left.pop()
            raise EngineError("out_of_memory", "The card's memory ran out.")

    small_engine.before = full
    assert run_job.run_next(context, ("training",))
    with context.database.read() as session:
        assert session.scalars(select(Job)).one().state == "done"
        given, adapter = session.get_one(Training, training_id), session.scalars(select(Adapter)).one()
        told = Estimate.model_validate(given.estimate)
        assert told.fell_back_from == plan and told.plan is not None and told.plan.reason in FELL_BACK
        held = given.recipe["quantization"]
        assert held == told.plan.quantization == adapter.facts["recipe"]["quantization"] != "none"
        assert [grade.of for grade in view(session, VOICE, given).grades] == ["time", "memory", "file"], (
            "the first steps said how long it would take"
        )
    page = owner.client.get(f"/voice-trainings/{training_id}").text
    assert tells(page, told.plan.reason) and 'class="table grades"' in page
    card = voice_files.card(adapter, None, {})
    assert f" in {8 if held == 'int8' else 4} bits" in card


def test_too_few_texts_are_refused_with_the_number_that_would_do(context: WorkerContext, workspace_id: str) -> None:
    with pytest.raises(TooFewTexts) as refused:
        order(context, workspace_id, count=5)
    assert refused.value.params["enough"] == 100
    with context.database.read() as session:
        assert session.scalars(select(Job)).all() == []


def test_an_old_claim_changes_nothing(context: WorkerContext, workspace_id: str) -> None:
    order(context, workspace_id)
    with context.database.write() as session:
        claim = claims.claim_next(session, queues=("training",), owner="sleeper")
        assert claim is not None
    late = replace(claim, fence=claim.fence - 1)
    with pytest.raises(claims.LeaseLost), context.database.write() as session:
        attempts.note_sample(session, late, WrittenSample(0, 0, "a brief", 1, "a text"))
    with context.database.read() as session:
        assert session.scalars(select(TrainingText)).all() == []
