"""From the claimed order to its texts, with an engine that needs no model."""

from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.adapters.models import Adapter
from app.db import Database
from app.jobs import claims
from app.jobs.models import Job
from app.storage import Storage
from app.voice.analysis.style_guide import HEADS
from app.writings import service, spec
from app.writings.models import BlindPair, WritingVariant
from tests.fake_text_engine import FakeTextEngine
from tests.orders import make_workspace, worker_context
from tests.written import SAMPLES, Brand, make_brand
from worker.context import WorkerContext
from worker.engines import registry
from worker.engines.contracts import EngineError
from worker.engines.text_contracts import WritingRequest
from worker.handlers.writing import VOICE_FILE_GONE
from worker.run_job import run_next

QUEUES = ("generation",)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeTextEngine:
    fake = FakeTextEngine()
    monkeypatch.setattr(registry, "text_engine_for", lambda family: fake)
    return fake


@pytest.fixture
def context(database: Database, storage: Storage, tmp_path: Path) -> WorkerContext:
    context = worker_context(database, storage)
    context.cache_folder = tmp_path / "cache"
    return context


@pytest.fixture
def brand(database: Database, storage: Storage) -> Brand:
    return make_brand(database, storage, make_workspace(database))


def test_three_write_the_same_brief_and_seed(brand: Brand, context: WorkerContext, engine: FakeTextEngine) -> None:
    writing_id = brand.order()
    assert run_next(context, QUEUES)
    texts = brand.texts(writing_id)
    assert [(one.arm, one.position) for one in texts] == [
        (arm, position) for arm in ("adapter", "base", "prompted_base") for position in (0, 1)
    ]
    assert all(one.finished and one.text and one.tokens == 8 and one.seconds for one in texts)
    assert brand.job(writing_id).state == "done"
    (voice, voice_inputs), (guided, guided_inputs), (bare, bare_inputs) = engine.asked
    assert voice_inputs.adapter is not None and voice_inputs.adapter.path.read_bytes().startswith(b"voice 1")
    assert guided_inputs.adapter is None and bare_inputs.adapter is None
    assert {one.seed for one in (voice, guided, bare)} == {500}
    assert voice.messages == bare.messages and guided.messages[-1] == bare.messages[-1]
    assert len(guided.messages[0].content) > len(bare.messages[0].content) + 50
    assert "Regenjacke" in bare.messages[-1].content


def test_all_three_write_over_the_base_as_it_was_held_in_the_training(
    brand: Brand, context: WorkerContext, engine: FakeTextEngine
) -> None:
    with brand.database.write() as session:
        session.get_one(Adapter, brand.voice_id).facts = {"recipe": {"quantization": "nf4"}}
    brand.order(count=1)
    run_next(context, QUEUES)
    assert [recipe.quantization for recipe, _ in engine.asked] == ["nf4"] * 3
    brand.order(count=1, adapter_id=None)
    run_next(context, QUEUES)
    assert [recipe.quantization for recipe, _ in engine.asked[3:]] == ["none"] * 2


def test_with_a_voice_of_plain_texts_all_three_go_on_from_the_brief(
    brand: Brand, context: WorkerContext, engine: FakeTextEngine
) -> None:
    with brand.database.write() as session:
        session.get_one(Adapter, brand.voice_id).facts = {"recipe": {"kind": "plain_text"}}
    writing_id = brand.order("Regen? Nicht mit ", count=1, audience="Radler")
    run_next(context, QUEUES)
    (voice, guided, bare) = (recipe for recipe, _ in engine.asked)
    assert {one.kind for one in (voice, guided, bare)} == {"plain_text"}
    assert [turn.content for turn in voice.messages] == ["Regen? Nicht mit"] == [one.content for one in bare.messages]
    assert [turn.role for turn in guided.messages] == ["system", "user"] and guided.messages[1] == bare.messages[0]
    assert guided.messages[0].content.startswith(HEADS["de"])
    assert brand.job(writing_id).state == "done"
    brand.order(count=1, adapter_id=None)
    run_next(context, QUEUES)
    assert {recipe.kind for recipe, _ in engine.asked[3:]} == {"instructions"}


@pytest.mark.parametrize(
    ("voice", "samples", "arms"),
    [
        (False, True, ["base", "prompted_base"]),
        (True, False, ["adapter", "base"]),
        (False, False, ["base"]),
    ],
)
def test_who_writes_depends_on_what_the_brand_has(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeTextEngine,
    voice: bool,
    samples: bool,
    arms: list[str],
) -> None:
    brand = make_brand(database, storage, make_workspace(database), voice=voice, samples=samples)
    writing_id = brand.order(count=1)
    run_next(context, QUEUES)
    assert [one.arm for one in brand.texts(writing_id)] == arms
    assert brand.job(writing_id).state == "done"


def test_the_same_seed_gives_the_same_text(brand: Brand, context: WorkerContext, engine: FakeTextEngine) -> None:
    first, second, other = brand.order(), brand.order(), brand.order(seed=9)
    while run_next(context, QUEUES):
        pass
    words = {one: [row.text for row in brand.texts(one)] for one in (first, second, other)}
    assert words[first] == words[second] != words[other]


def test_a_text_can_be_read_while_it_grows(brand: Brand, context: WorkerContext, engine: FakeTextEngine) -> None:
    writing_id = brand.order(count=1)
    seen: list[tuple[str, bool]] = []

    def look(recipe: WritingRequest, word: int) -> None:
        if len(engine.asked) == 1 and word == 3:
            row = next(one for one in brand.texts(writing_id) if one.arm == "adapter")
            seen.append((row.text, row.finished))

    engine.before_word = look
    run_next(context, QUEUES)
    final = next(one for one in brand.texts(writing_id) if one.arm == "adapter").text
    assert len(seen) == 1
    text, was_finished = seen[0]
    assert text and final.startswith(text) and text != final and not was_finished


def test_progress_adds_up_over_the_arms(brand: Brand, context: WorkerContext, engine: FakeTextEngine) -> None:
    writing_id = brand.order(count=2)
    counts: list[int] = []
    original = claims.record_progress

    def note(session: object, held: object, *, done: int, **rest: object) -> bool:
        counts.append(done)
        return original(session, held, done=done, **rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.progress.WRITE_EVERY_SECONDS", 0.0)
        patch.setattr(claims, "record_progress", note)
        run_next(context, QUEUES)
    assert counts == sorted(counts) and brand.job(writing_id).progress_total == 6000


def test_cancelling_keeps_what_is_finished(brand: Brand, context: WorkerContext, engine: FakeTextEngine) -> None:
    writing_id = brand.order(count=2)

    def cancel(recipe: WritingRequest, word: int) -> None:
        if len(engine.asked) == 2 and word == 2:
            with brand.database.write() as session:
                service.cancel(session, workspace_id=brand.workspace_id, writing_id=writing_id)

    engine.before_word = cancel
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.progress.WRITE_EVERY_SECONDS", 0.0)
        run_next(context, QUEUES)
    assert brand.job(writing_id).state == "cancelled"
    assert [one.arm for one in brand.texts(writing_id) if one.finished] == ["adapter", "adapter"]
    assert len(engine.asked) == 2, "no other arm is begun after that"


def test_a_second_attempt_writes_only_what_is_missing(
    brand: Brand, context: WorkerContext, engine: FakeTextEngine
) -> None:
    class Died(BaseException):
        pass

    undisturbed = brand.order(count=2)
    run_next(context, QUEUES)
    writing_id = brand.order(count=2)
    engine.asked.clear()

    def die(recipe: WritingRequest, word: int) -> None:
        if len(engine.asked) == 2 and word == 5:
            raise Died

    engine.before_word = die
    with pytest.raises(Died):
        run_next(context, QUEUES)
    engine.before_word = lambda recipe, word: None
    with brand.database.write() as session:
        session.execute(update(Job).where(Job.subject_id == writing_id).values(state="queued", owner=None))
    before = {one.id: one.text for one in brand.texts(writing_id) if one.finished}
    assert len(before) == 2
    engine.asked.clear()
    run_next(context, QUEUES)
    assert [inputs.adapter for _, inputs in engine.asked] == [None, None], "the voice had finished"
    texts = brand.texts(writing_id)
    assert brand.job(writing_id).state == "done" and all(one.finished for one in texts)
    assert {one.id: one.text for one in texts if one.id in before} == before
    assert [one.text for one in texts] == [one.text for one in brand.texts(undisturbed)]


def test_the_rest_of_an_arm_goes_on_at_its_own_seed(
    brand: Brand, context: WorkerContext, engine: FakeTextEngine
) -> None:
    whole = brand.order(count=3)
    run_next(context, QUEUES)
    half = brand.order(count=3)
    with brand.database.write() as session:
        session.execute(
            update(WritingVariant)
            .where(WritingVariant.writing_id == half, WritingVariant.arm == "base", WritingVariant.position != 1)
            .values(finished=True, text="kept")
        )
    engine.asked.clear()
    run_next(context, QUEUES)
    asked = engine.asked[-1][0]
    assert (asked.seed, asked.count) == (501, 1)
    words = [one.text for one in brand.texts(half) if one.arm == "base"]
    assert words == ["kept", next(o.text for o in brand.texts(whole) if o.arm == "base" and o.position == 1), "kept"]


def test_a_late_attempt_changes_nothing(brand: Brand) -> None:
    writing_id = brand.order(count=1)
    with brand.database.write() as session:
        claim = claims.claim_next(session, queues=QUEUES, owner="one")
        assert claim is not None
        order = spec.writing_spec(session, writing_id)
        session.execute(update(Job).values(fence=Job.fence + 1))
    with pytest.raises(claims.LeaseLost), brand.database.write() as session:
        service.note_text(
            session, claim, order, arm="base", position=0, text="late", tokens=1, seconds=1, finished=True
        )
    with pytest.raises(claims.LeaseLost), brand.database.write() as session:
        service.complete(session, claim, order)
    assert [one.text for one in brand.texts(writing_id)] == ["", "", ""]


def test_a_passage_of_a_sample_is_noted(brand: Brand, context: WorkerContext, engine: FakeTextEngine) -> None:
    copied = "Kommt vorbei! " + SAMPLES[0]
    engine.says = lambda recipe, inputs, variant: copied if inputs.adapter else None
    writing_id = brand.order(count=1)
    run_next(context, QUEUES)
    found = {one.arm: one.copied for one in brand.texts(writing_id)}
    assert found["adapter"] is not None and found["base"] is not None
    assert copied[found["adapter"]["start"] : found["adapter"]["end"]] == SAMPLES[0].removesuffix(".")
    assert found["adapter"]["words"] == 11 > found["base"]["words"]


def test_pairs_for_the_vote_are_laid_out_once_and_sides_are_left_to_chance(
    brand: Brand, context: WorkerContext, engine: FakeTextEngine
) -> None:
    ids = [brand.order(count=4) for _ in range(3)]
    while run_next(context, QUEUES):
        pass
    with brand.database.read() as session:
        pairs = session.scalars(select(BlindPair)).all()
        arms = {row.id: row.arm for row in session.scalars(select(WritingVariant))}
    assert len(pairs) == len(ids) * 4 * 3
    sides = [(arms[pair.left_id], arms[pair.right_id]) for pair in pairs]
    assert all(left != right for left, right in sides)
    assert len(set(sides)) == 6, "each arm stands on either side; all on one would be chance of 1 in 2,000"


def test_texts_that_are_the_same_are_no_pair(brand: Brand, context: WorkerContext, engine: FakeTextEngine) -> None:
    engine.says = lambda recipe, inputs, variant: "Beide gleich."
    brand.order(count=1)
    run_next(context, QUEUES)
    with brand.database.read() as session:
        assert session.scalars(select(BlindPair)).all() == []


def test_without_its_file_a_voice_is_named(
    brand: Brand, context: WorkerContext, engine: FakeTextEngine, storage: Storage
) -> None:
    writing_id = brand.order(count=1)
    with brand.database.read() as session:
        voice = spec.writing_spec(session, writing_id).voice
    assert voice is not None
    storage.delete(voice.key)
    run_next(context, QUEUES)
    job = brand.job(writing_id)
    assert (job.state, job.error_code) == ("failed", "voice_file_gone")
    assert job.error_sentence == VOICE_FILE_GONE


def test_an_engines_error_is_its_sentence(brand: Brand, context: WorkerContext, engine: FakeTextEngine) -> None:
    def fail(recipe: WritingRequest, word: int) -> None:
        raise EngineError("too_long", "The brief is too long.")

    engine.before_word = fail
    writing_id = brand.order(count=1)
    run_next(context, QUEUES)
    assert brand.job(writing_id).error_sentence == "The brief is too long."
