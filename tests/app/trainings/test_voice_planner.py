"""Plans for voices: the fastest that fits, coarser only where it must be, in agreement with what trainers publish."""

from dataclasses import dataclass
from typing import Any

import pytest

from app.base_models import catalogue
from app.base_models.catalogue import Layout, TextModelEntry
from app.jobs.models import Job
from app.machine.devices import GIGA, Device
from app.trainings.estimates import Circumstances
from app.trainings.models import Training
from app.trainings.plans import Stage, planned, stages, suits, unplanned
from app.trainings.voice import planner, retry
from app.trainings.voice.estimate import voice_estimate
from app.trainings.voice.freeze import FrozenText, FrozenVoice
from app.trainings.voice.planner import fallback_for, plan_for
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.recipe import VoiceRecipe

CARDS = (8, 12, 16, 24, 48, 80)


def voice(characters: int = 200, count: int = 100) -> FrozenVoice:
    texts = tuple(
        FrozenText(
            sample_id=str(number),
            order=(("user", "Write."),),
            text="a" * characters,
            language="en",
            channel="post",
            held_out=False,
        )
        for number in range(count)
    )
    return FrozenVoice(texts=texts, language="en", style_guide="")


def card(gigabytes: int) -> Device:
    return Device(f"{gigabytes} GB", "cuda", gigabytes * GIGA)


def recipe(base: TextModelEntry, **changes: Any) -> VoiceRecipe:
    return voice_recipe_for(base, 100, changes, longest=planner.longest(voice()))


@dataclass(frozen=True)
class Published:
    """From LLaMA-Factory's table of hardware: LoRA over 16 bits, QLoRA over 8 and 4, estimated there."""

    parameters: float
    quantization: str
    gigabytes: float


PUBLISHED = [
    Published(*one)
    for one in ((7, "none", 16), (14, "none", 32), (7, "int8", 10), (14, "int8", 20), (7, "nf4", 6), (14, "nf4", 12))
]
ALIKE = {7: "mistral-7b-instruct-v0-3", 14: "qwen3-14b"}


@pytest.mark.parametrize("run", PUBLISHED, ids=lambda run: f"{run.parameters}-{run.quantization}")
def test_predictions_agree_with_published_needs_within_a_quarter(run: Published) -> None:
    base = catalogue.text_model(ALIKE[int(run.parameters)])
    order = recipe(base, quantization=run.quantization, gradient_checkpointing=True)
    plan = plan_for(order, base, voice(), card(80), frozenset({"quantization", "gradient_checkpointing"}))
    assert plan.memory_bytes / GIGA == pytest.approx(run.gigabytes, rel=0.25)


def test_larger_cards_never_get_slower_or_coarser_plans_and_each_says_why() -> None:
    for base in catalogue.text_models():
        order = recipe(base, batch_size=4)
        listed = list(stages(order))
        plans = [plan_for(order, base, voice(), card(size)) for size in CARDS]
        places = [
            listed.index(Stage(p.quantization, p.gradient_checkpointing, p.micro_batch_size)) for p in plans if p.fits
        ]
        assert places == sorted(places, reverse=True), base.key
        for size, plan in zip(CARDS, plans, strict=True):
            sentence = plan.reason % plan.facts
            assert "GB" in sentence and sentence.endswith(".")
            assert not plan.fits or plan.memory_bytes < size * GIGA * 0.95
            assert plan.fits or (plan.quantization, plan.micro_batch_size) == ("nf4", 1)
    assert plan_for(recipe(base), base, voice(), card(80)).quantization == "none"
    assert plan_for(recipe(base), base, voice(), card(16)).quantization == "nf4"


def test_a_coarser_base_is_held_against_the_smallest_form_of_the_finer_one() -> None:
    base = catalogue.text_model("smollm3-3b")
    order = recipe(base)
    plan = plan_for(order, base, voice(), card(8))
    finest = order.model_copy(update={"gradient_checkpointing": True})
    smallest = planner.as_plan(finest, base, voice(), card(8))
    assert (plan.quantization, plan.gradient_checkpointing) == ("int8", True)
    assert plan.facts["before"] == f"{smallest.memory_bytes / GIGA:.1f} GB"


def test_rows_and_ranks_and_what_is_kept_count() -> None:
    base = catalogue.text_model("qwen3-1-7b")

    def needs(text: FrozenVoice | None = None, **changes: Any) -> int:
        order = recipe(base, **changes)
        return planner.as_plan(order, base, text or voice(), card(80)).memory_bytes

    usual = needs()
    assert needs(batch_size=4) > usual + 3 * 512 * base.layout.vocabulary
    assert needs(gradient_checkpointing=True) < usual
    assert needs(rank=64) - usual == base.parameters_per_rank["attention_and_feed_forward"] * (64 - 8) * 16 + (
        28 * (64 - 8) * base.layout.layers * 512
    )
    assert needs(max_length=4096) == usual, "no text is longer than a row that short ones share"
    assert needs(voice(6000), max_length=4096) > 2 * usual
    assert needs(quantization="nf4") < needs(quantization="int8") < usual


def test_what_a_person_chose_is_kept_and_rows_of_a_step_stay_as_many() -> None:
    base = catalogue.text_model("qwen3-4b-instruct-2507")
    order = recipe(base, batch_size=8)
    plan = plan_for(order, base, voice(), card(16))
    given = planned(order, plan)
    assert given.batch_size * given.gradient_accumulation_steps == 8 and given.batch_size < 8
    assert unplanned(given, plan).batch_size == 8 and unplanned(given, plan).gradient_accumulation_steps == 1
    kept = plan_for(order, base, voice(), card(16), frozenset({"batch_size", "quantization"}))
    assert (kept.micro_batch_size, kept.quantization, kept.decided) == (8, "none", ("batch_size", "quantization"))


def test_short_of_memory_the_next_stage_is_clearly_smaller_until_there_is_none() -> None:
    base, order = catalogue.text_model("qwen3-8b"), recipe(catalogue.text_model("qwen3-8b"))
    plan = plan_for(order, base, voice(), card(80))
    fell_back = (planner.SENTENCES.fell_back_to_8_bits, planner.SENTENCES.fell_back_to_4_bits)
    seen = [plan]
    while (coarser := fallback_for(order, base, voice(), card(80), seen[-1])) is not None:
        assert coarser.memory_bytes < seen[-1].memory_bytes and coarser.reason in fell_back
        seen.append(coarser)
    assert [one.quantization for one in seen] == ["none", "int8", "nf4"]


def test_a_processor_counts_in_four_bytes() -> None:
    base = catalogue.text_models()[0]
    plan = plan_for(recipe(base), base, voice(), Device("CPU", "cpu", 8 * GIGA))
    assert plan.precision == "float32" and plan.fits and plan.memory_bytes > base.parameters * 4


def test_a_card_without_bfloat16_counts_in_float16_where_that_can_hold_the_base() -> None:
    base = catalogue.text_model("qwen3-1-7b")
    turing = Device("Tesla T4", "cuda", 16 * GIGA, computes_in="float16")
    half = plan_for(recipe(base), base, voice(), turing)
    assert (
        half.precision == "float16"
        and half.memory_bytes == plan_for(recipe(base), base, voice(), card(16)).memory_bytes
    )
    gemma = base.model_copy(update={"is_beyond_float16": True})
    whole = plan_for(recipe(gemma), gemma, voice(), turing, frozenset({"batch_size", "gradient_checkpointing"}))
    assert whole.precision == "float32" and whole.memory_bytes > half.memory_bytes + base.parameters * 2
    assert suits(half, base, turing) and not suits(half, gemma, turing)


def _given(base: TextModelEntry, order: VoiceRecipe, texts: FrozenVoice, **estimate: Any) -> Training:
    said = voice_estimate(order, base, texts, [], Circumstances([], None, "EUR"), **estimate)
    return Training(
        base_model=base.key,
        recipe=order.model_dump(mode="json"),
        voice=texts.model_dump(mode="json"),
        estimate=said.model_dump(mode="json"),
    )


def test_trying_again_asks_for_what_a_person_chose_alone() -> None:
    base, texts = catalogue.text_model("qwen3-8b"), voice(3000, count=400)
    order = voice_recipe_for(base, 400, {"rank": 4}, longest=planner.longest(texts))
    assert order.max_length > 512, "the texts ask for longer rows"
    plan = plan_for(order, base, texts, card(16))
    given = _given(base, planned(order, plan), texts, plan=plan)
    assert plan.quantization != "none"
    assert retry.decided(given, base) == {"base_model": base.key, "rank": 4, "alpha": 8.0}
    decided = plan_for(
        order.model_copy(update={"quantization": "int8"}), base, texts, card(16), frozenset({"quantization"})
    )
    coarser = fallback_for(order, base, texts, card(16), decided)
    assert coarser is not None
    estimate = {"plan": coarser}
    fallen = _given(base, planned(order, coarser), texts, **estimate)
    fallen.estimate |= {"fell_back_from": decided.model_dump(mode="json")}
    assert retry.decided(fallen, base)["quantization"] == "int8"
    assert retry.decided(given, None) == {}
    first = retry.retries(given, base, Job(error_code="diverged"))[0]
    assert first.fields["rank"] == 4 and first.fields["learning_rate"] < order.learning_rate


def test_plain_texts_are_tried_again_as_plain_texts() -> None:
    base, texts = catalogue.text_models()[0], voice(3000)
    order = voice_recipe_for(base, 100, {"kind": "plain_text"}, longest=planner.longest(texts))
    assert retry.decided(_given(base, order, texts), base) == {"base_model": base.key, "kind": "plain_text"}


def test_a_layout_knows_its_adapters() -> None:
    layout = Layout(layers=2, width=64, query=64, key_value=32, feed_forward=128, vocabulary=300)
    assert layout.parameters_per_rank() == {"attention": 896, "attention_and_feed_forward": 2048}
