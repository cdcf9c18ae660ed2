"""How a voice is trained: what is read, what a step is fed, what is measured and written. The steps themselves are in
``training_loop``."""

import contextlib
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from app.trainings.voice.recipe import VoiceRecipe
from worker.engines import memory, optimizers, training_loop
from worker.engines.contracts import EngineError
from worker.engines.loss_scaling import name_of
from worker.engines.text import base as bases
from worker.engines.text import dataset, evaluation, examples, lora
from worker.engines.text.base import Loaded
from worker.engines.text.continuing import continue_texts
from worker.engines.text.dataset import Example
from worker.engines.text.trained_model import TrainedModel
from worker.engines.text_contracts import SampleText, TrainedVoice, VoiceInputs, VoiceMeasures, VoiceProgress
from worker.engines.training_state import Settings, TrainingState, checkpoint_for, learning_rate_at

BUILTIN_ON_THE_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
TRAIN_SMALLER = "Choose a smaller language model, 4 bits, or a machine with more memory."


@dataclass(frozen=True)
class Material:
    """The texts as the model reads them."""

    trained: list[Example]
    held_out: list[Example]
    sample_prompts: list[tuple[str, list[int]]]
    """Each as people read it, and as tokens."""
    sample_tokens: int
    """The most of a sample."""
    batches: list[list[tuple[int, ...]]]
    """Rows of every step, each of indexes of ``trained``."""
    due: set[int]
    """Steps (from 1) after which is measured."""


@dataclass(frozen=True)
class Rows:
    """The rows of one step."""

    rows: list[tuple[int, ...]]
    counted_tokens: int
    """Tokens whose loss counts, in all of them."""

    @property
    def count(self) -> int:
        return len(self.rows)


def train(recipe: VoiceRecipe, inputs: VoiceInputs, out: Path, progress: VoiceProgress) -> TrainedVoice:
    """``contracts.TextEngine.train``."""
    device = bases.device_of_this_process()
    with memory.out_of_memory_in_words(device, TRAIN_SMALLER):
        state = new_state(recipe, inputs, out, progress)
        memory.reset_peak_memory(device)
        loaded: Loaded | None = None
        measures: VoiceMeasures | None = None
        tokens_seen: list[int] = []

        def prepare() -> training_loop.Task[Rows]:
            nonlocal loaded
            progress.phase("loading")
            loaded = bases.load(inputs.base, recipe.quantization, inputs.cache)
            bases.forget_adapters(loaded)
            progress.phase("caching")
            material = read(loaded, recipe, inputs, state)

            def conclude() -> None:
                nonlocal measures
                measures = measure(loaded, recipe, inputs, material.held_out, state.best, progress)

            def batches() -> list[Rows]:
                rows = material.batches[state.step]
                tokens_seen.append(sum(len(material.trained[index].tokens) for row in rows for index in row))
                counted = sum(sum(material.trained[index].counted[1:]) for row in rows for index in row)
                return [Rows(rows, counted)]

            return training_loop.Task(
                begin=partial(begin, loaded, recipe, state),
                batches=batches,
                loss=partial(loss, loaded, material.trained),
                is_due=material.due.__contains__,
                evaluate=partial(evaluate, loaded, recipe, state, material, progress),
                conclude=conclude,
            )

        def result(finished: bool) -> TrainedVoice:
            return trained_voice(loaded, recipe, inputs, state, out, finished, tokens_seen, measures)

        def release() -> None:
            if loaded is not None:
                bases.forget_adapters(loaded)

        return training_loop.run(state, progress, prepare=prepare, result=result, release=release)


def new_state(recipe: VoiceRecipe, inputs: VoiceInputs, out: Path, progress: VoiceProgress) -> TrainingState:
    """Raises ``EngineError``: ``no_texts``, ``bad_checkpoint``."""
    device, order = bases.device_of_this_process(), identity(recipe, inputs)
    resumed = checkpoint_for(order, inputs.resume_from, "texts")
    state = TrainingState(
        Settings(
            seed=recipe.seed,
            micro_batch_size=recipe.batch_size,
            max_grad_norm=recipe.max_grad_norm,
            gradient_checkpointing=recipe.gradient_checkpointing,
            keeps_best=True,
        ),
        order,
        resumed,
        out,
        progress,
        device,
        bases.dtype_on(device),
        total_steps=resumed.notes.get("steps", 0) if resumed else 0,
    )
    if resumed is None:
        state.notes = {"best_step": 0, "best_loss": None, "without_better": 0, "ended": False}
    elif state.notes.get("quantization", recipe.quantization) != recipe.quantization:
        # What was measured over a base in more bits says nothing beside what will be measured over this one.
        state.notes |= {"best_loss": None, "without_better": 0, "ended": False, "measured_step": None}
        state.best, state.sampled = {}, False
    state.notes["quantization"] = recipe.quantization
    return state


def identity(recipe: VoiceRecipe, inputs: VoiceInputs) -> str:
    """What a checkpoint must have been made for, as text: recipe, base model and every text."""
    if not inputs.texts:
        raise EngineError("no_texts", "There are no texts to learn from.")
    texts = [
        [text.key, [[turn.role, turn.content] for turn in text.order], text.text]
        for text in (*inputs.texts, *inputs.held_out)
    ]
    # What a plan may change leaves what is learned as it is, but for the base's precision, and then it goes on too.
    rows = recipe.batch_size * recipe.gradient_accumulation_steps
    asked = recipe.model_dump(
        mode="json", exclude={"quantization", "gradient_checkpointing", "batch_size", "gradient_accumulation_steps"}
    )
    facts = [asked, rows, inputs.base.key, inputs.base.revision, len(inputs.texts), texts]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read(loaded: Loaded, recipe: VoiceRecipe, inputs: VoiceInputs, state: TrainingState) -> Material:
    """The texts as tokens, and the rows of every step; notes how many steps there are. Raises ``EngineError``
    (``no_chat_template``, ``too_long``)."""
    trained = examples.examples_of(loaded, recipe, inputs.texts)
    held_out = examples.examples_of(loaded, recipe, inputs.held_out)
    state.notes["cut_texts"] = examples.count_cut(loaded, recipe, [*trained, *held_out])
    epochs = [
        dataset.batches_of_epoch(
            dataset.rows_of_epoch(trained, recipe.max_length, recipe.packing, recipe.seed, epoch),
            recipe.batch_size * recipe.gradient_accumulation_steps,
        )
        for epoch in range(recipe.epochs)
    ]
    batches = [batch for epoch in epochs for batch in epoch]
    state.total_steps = state.notes["steps"] = len(batches)
    return Material(
        trained=trained,
        held_out=held_out,
        sample_prompts=examples.sample_prompts(loaded, recipe, inputs),
        # No text of the brand is longer, and a base that was taught nothing would go on to the very end each time.
        sample_tokens=min(recipe.sample_tokens, max(sum(one.counted) for one in (*trained, *held_out))),
        batches=batches,
        due=evaluation_steps([len(epoch) for epoch in epochs], recipe.evaluations_per_epoch),
    )


def evaluation_steps(epoch_lengths: Sequence[int], per_epoch: int) -> set[int]:
    """After which steps (from 1) to measure: evenly within each epoch, always at its end."""
    due: set[int] = set()
    begin = 0
    for length in epoch_lengths:
        due |= {begin + math.ceil(length * part / per_epoch) for part in range(1, per_epoch + 1)}
        begin += length
    return due - {0}


def learning_rate(recipe: VoiceRecipe, step: int, steps: int) -> float:
    """Learning rate of the step with index ``step`` (from 0) of ``steps``; it rises over ``warmup_share`` of them."""
    warmup_steps = math.ceil(recipe.warmup_share * steps)
    return learning_rate_at(recipe.learning_rate, step, warmup_steps, steps, recipe.lr_scheduler)


def begin(loaded: Loaded, recipe: VoiceRecipe, state: TrainingState) -> None:
    trainable = TrainedModel(loaded, recipe, state.generator)
    optimizer = optimizers.make(
        "adamw",
        [list(trainable.parameters.values())],
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=False,
    )
    state.begin(trainable, optimizer, lambda step: (learning_rate(recipe, step, state.total_steps),), loaded.dtype)


def loss(loaded: Loaded, trained: list[Example], rows: Rows, part: slice) -> torch.Tensor:
    """The share of the step's loss that these rows contribute: every counted token weighs the same, whatever text and
    row it is in. In float64, because a step adds up many parts."""
    batch = dataset.collate(trained, rows.rows[part], loaded.tokenizer.pad_token_id)
    with _autocast(loaded):
        total, _ = evaluation.token_losses(loaded, batch)
    return (total / max(1, rows.counted_tokens)).double()


def evaluate(
    loaded: Loaded, recipe: VoiceRecipe, state: TrainingState, material: Material, progress: VoiceProgress
) -> None:
    """Measure the held-out part, remember the best adapter, and write the samples with the adapter as it is now."""
    notes = state.notes
    # Given back while the samples were written, the same measurement must not count twice: an equal loss is not a
    # better one, and would end the training early.
    if material.held_out and notes.get("measured_step") != state.step:
        progress.phase("measuring")
        held_out_loss = evaluation.mean_loss(loaded, material.held_out, lambda: progress.phase("measuring"))
        progress.held_out(state.step, held_out_loss)
        if state.step and (notes["best_loss"] is None or held_out_loss < notes["best_loss"]):
            state.best = state.adapter()
            notes.update(best_loss=held_out_loss, best_step=state.step, without_better=0)
        elif state.step:
            notes["without_better"] += 1
        notes["ended"] = 0 < recipe.early_stop_patience <= notes["without_better"]
        notes["measured_step"] = state.step
    if material.sample_prompts:
        progress.phase("sampling")
        written = continue_texts(
            loaded,
            [prompt for _, prompt in material.sample_prompts],
            material.sample_tokens,
            recipe.sample_temperature,
            1.0,
            [recipe.sample_seed] * len(material.sample_prompts),
            lambda: progress.phase("sampling"),
        )
        for index, (brief, _) in enumerate(material.sample_prompts):
            text = written[index].strip()
            progress.sample_text(SampleText(state.step, index, brief, recipe.sample_seed, text))
    state.sampled = True


def measure(
    loaded: Loaded,
    recipe: VoiceRecipe,
    inputs: VoiceInputs,
    held_out: list[Example],
    best: dict[str, torch.Tensor],
    progress: VoiceProgress,
) -> VoiceMeasures | None:
    """Base, base with the style guide, and the best adapter on the held-out part; None without one."""
    if not held_out:
        return None
    told = partial(progress.phase, "measuring")
    told()
    places = evaluation.spread(len(inputs.held_out), recipe.measured_texts)
    asked = [inputs.held_out[place] for place in places]
    length = max((len(dataset.answer(loaded.tokenizer, text, [], recipe.max_length)) for text in asked), default=1)
    losses: dict[str, float] = {}
    texts: dict[str, list[str]] = {}
    guided = examples.guided(loaded, recipe, inputs)
    lora.restore(loaded.model, best)
    for name, measured, guide in (
        ("adapter", held_out, ""),
        ("base", held_out, ""),
        ("prompted", guided, inputs.style_guide),
    ):
        if name == "base":
            bases.use_adapter(loaded, None)
        losses[name] = evaluation.mean_loss(loaded, measured, told)
        prompts = [examples.prompt_for(loaded, recipe, text, guide)[1] for text in asked]
        seeds = [recipe.sample_seed + number for number in range(len(prompts))]
        texts[name] = continue_texts(loaded, prompts, length, recipe.sample_temperature, 1.0, seeds, told)
    brand = evaluation.mean_state(loaded, [text.text for text in asked])
    tokens = sum(sum(one.counted[1:]) for one in held_out)
    found = {
        name: evaluation.variant_measures(losses[name], [text.strip() for text in texts[name]], loaded, brand)
        for name in losses
    }
    return VoiceMeasures(tokens, found["base"], found["prompted"], found["adapter"], places)


def trained_voice(
    loaded: Loaded | None,
    recipe: VoiceRecipe,
    inputs: VoiceInputs,
    state: TrainingState,
    out: Path,
    finished: bool,
    tokens_seen: list[int],
    measures: VoiceMeasures | None,
) -> TrainedVoice:
    """Write ``adapter.safetensors``: the best adapter of a finished training, the last of one that was stopped."""
    path = out / "adapter.safetensors"
    takes_best = finished and bool(state.best)
    lora.save(state.best if takes_best else state.adapter(), lora.configuration(recipe, _name(inputs)), path)
    return TrainedVoice(
        weights=path,
        rank=recipe.rank,
        alpha=recipe.alpha,
        steps=state.step,
        planned_steps=state.notes["steps"],
        finished=finished,
        best_step=state.notes["best_step"] if takes_best else state.step,
        final_loss=state.final_loss,
        seconds_per_step=state.seconds_per_step,
        tokens_per_step=sum(tokens_seen) / len(tokens_seen) if tokens_seen else None,
        peak_memory_bytes=memory.peak_memory_bytes(state.device),
        base_bytes=bases.weight_bytes(loaded.model) if loaded is not None else 0,
        device=bases.device_name(state.device),
        precision=name_of(loaded.dtype if loaded is not None else bases.dtype_on(state.device)),
        skipped_steps=state.skipped_steps,
        cut_texts=state.notes.get("cut_texts", 0),
        measures=measures,
    )


def _autocast(loaded: Loaded) -> Any:
    """The base's own precision; plain float32 on a CPU."""
    if loaded.dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(loaded.device.type, dtype=loaded.dtype)


def _name(inputs: VoiceInputs) -> str:
    """The base's name in PEFT's configuration: its name on the hub, also for the one that comes along.

    Of a local folder the last name alone, as paths of this machine are nobody's business.
    """
    if inputs.base.source == "builtin":
        return BUILTIN_ON_THE_HUB
    return inputs.base.origin
