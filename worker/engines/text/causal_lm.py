"""Language models that write one word after the other: learn a brand's voice, and write in it.

The training loop is our own: every step of it is in ``_train``. What this module does not know: whether what a model
writes is true; whether a text is good. On a CPU the same order
gives the same text again, with the same libraries; on a card up to its own rounding, which may now and then choose
another word.
"""

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from app.trainings.voice.recipe import VoiceRecipe
from worker.engines import checkpoints, memory
from worker.engines.contracts import (
    Cancelled,
    EngineError,
    GiveBack,
    Progress,
    SampleText,
    Step,
    TrainedVoice,
    VoiceInputs,
    VoiceMeasures,
    VoiceProgress,
    VoiceText,
    WritingInputs,
    WritingOrder,
    Written,
)
from worker.engines.loss_scaling import LossScaling, name_of
from worker.engines.text import base as bases
from worker.engines.text import dataset, evaluation, lora
from worker.engines.text.base import Loaded
from worker.engines.text.chat import prompt_tokens
from worker.engines.text.continuing import continue_text, continue_texts
from worker.engines.text.dataset import Example
from worker.engines.text.files import gguf_adapter as gguf_adapter
from worker.engines.text.merging import merged_folder as merged_folder
from worker.engines.text.merging import merged_gguf as merged_gguf

BUILTIN_ON_THE_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
CHECKPOINTS_KEPT = 2
PLAIN_BEGINNING = 8
"""Tokens of a held-out text that a voice of plain texts is given to go on from, when it writes a sample."""
SMALLER = "Choose a smaller language model, 4 bits, or a machine with more memory."
SMALLER_TO_WRITE = "Write with a smaller language model, or on a machine with more memory."


# Training ---------------------------------------------------------------------------------------------------------


def train(recipe: VoiceRecipe, inputs: VoiceInputs, out: Path, progress: VoiceProgress) -> TrainedVoice:
    """Train one adapter; writes ``adapter.safetensors`` and ``checkpoints/`` under ``out``.

    Several times an epoch the held-out part is measured, the sample briefs are written and a checkpoint is handed
    over. The adapter that measured best is kept, and the training ends early when it gets no better. On ``Cancelled``
    the adapter is saved as it is and returned with ``finished=False``; before the first step there is nothing to keep
    and ``Cancelled`` goes through. On ``GiveBack`` a checkpoint is handed over and the exception goes through.

    Raises ``EngineError``: ``diverged``, ``out_of_memory``, ``no_texts``, ``too_long``, ``no_chat_template``,
    ``bad_checkpoint``, ``disk_full``, ``model_unavailable``, ``model_unsupported``.
    """
    with memory.out_of_memory_in_words(bases.device_of_this_process(), SMALLER):
        return _train(recipe, inputs, out, progress)


def _train(recipe: VoiceRecipe, inputs: VoiceInputs, out: Path, progress: VoiceProgress) -> TrainedVoice:
    out.mkdir(parents=True, exist_ok=True)
    order = _order(recipe, inputs)
    resumed = _resumed(inputs, order)
    step = resumed.step if resumed else 0
    step_losses = list(resumed.losses) if resumed else []
    sampled = resumed.sampled if resumed else False
    notes = dict(resumed.notes) if resumed else {"best_step": 0, "best_loss": None, "without_better": 0, "ended": False}
    best: dict[str, torch.Tensor] = resumed.optimizer["best"] if resumed else {}
    if resumed and notes.get("quantization", recipe.quantization) != recipe.quantization:
        # What was measured over a finer base says nothing beside what will be measured over this one.
        notes |= {"best_loss": None, "without_better": 0, "ended": False, "measured_step": None}
        best, sampled = {}, False
    notes["quantization"] = recipe.quantization
    seconds: list[float] = []
    tokens_seen: list[int] = []
    parameters: dict[str, torch.nn.Parameter] = {}
    device = bases.device_of_this_process()
    memory.reset_peak_memory(device)
    scaling = LossScaling(bases.dtype_on(device), device, resumed.loss_scale if resumed else None)
    # The only source of random numbers of a training: it draws the adapter's start, and nothing after that.
    generator = torch.Generator("cpu").manual_seed(recipe.seed)

    def adapter_now() -> dict[str, torch.Tensor]:
        if parameters:
            return lora.state(loaded.model)
        assert resumed is not None
        return resumed.adapter

    def checkpoint() -> None:
        folder = checkpoints.folder_of(out / "checkpoints", step)
        checkpoints.write(
            folder,
            checkpoints.Checkpoint(
                step=step,
                order=order,
                losses=step_losses,
                sampled=sampled,
                adapter=adapter_now(),
                optimizer={"adamw": optimizer.state_dict(), "best": best},
                random_state=generator.get_state(),
                notes=notes,
                loss_scale=scaling.state(),
            ),
        )
        progress.checkpoint(folder, step)
        checkpoints.keep_latest(out / "checkpoints", CHECKPOINTS_KEPT)

    def evaluate() -> None:
        """Measure the held-out part and write the samples with the adapter as it is now."""
        nonlocal best, sampled
        # Given back while the samples were written, the same measurement must not count twice: an equal loss is not a
        # better one, and would end the training early.
        if held_out and notes.get("measured_step") != step:
            progress.phase("measuring")
            loss = evaluation.mean_loss(loaded, held_out, lambda: progress.phase("measuring"))
            progress.held_out(step, loss)
            if step and (notes["best_loss"] is None or loss < notes["best_loss"]):
                best = lora.state(loaded.model)
                notes.update(best_loss=loss, best_step=step, without_better=0)
            elif step:
                notes["without_better"] += 1
            notes["ended"] = 0 < recipe.early_stop_patience <= notes["without_better"]
            notes["measured_step"] = step
        if sample_prompts:
            progress.phase("sampling")
            written = continue_texts(
                loaded,
                [prompt for _, prompt in sample_prompts],
                sample_tokens,
                recipe.sample_temperature,
                1.0,
                [recipe.sample_seed] * len(sample_prompts),
                lambda: progress.phase("sampling"),
            )
            for index, (brief, _) in enumerate(sample_prompts):
                progress.sample_text(SampleText(step, index, brief, recipe.sample_seed, written[index].strip()))
        sampled = True

    def trained(finished: bool, measures: VoiceMeasures | None = None) -> TrainedVoice:
        path = out / "adapter.safetensors"
        kept = best if finished and best else adapter_now()
        lora.save(kept, lora.configuration(recipe, _name(inputs)), path)
        last_tenth = step_losses[-math.ceil(len(step_losses) / 10) :] if step_losses else []
        return TrainedVoice(
            weights=path,
            rank=recipe.rank,
            alpha=recipe.alpha,
            steps=step,
            planned_steps=notes["steps"],
            finished=finished,
            best_step=notes["best_step"] if finished and best else step,
            final_loss=sum(last_tenth) / len(last_tenth) if last_tenth else None,
            seconds_per_step=sum(seconds) / len(seconds) if seconds else None,
            tokens_per_step=sum(tokens_seen) / len(tokens_seen) if tokens_seen else None,
            peak_memory_bytes=memory.peak_memory_bytes(device),
            base_bytes=bases.weight_bytes(loaded.model) if loaded is not None else 0,
            device=bases.device_name(device),
            precision=name_of(loaded.dtype if loaded is not None else bases.dtype_on(device)),
            skipped_steps=scaling.skipped,
            cut_texts=notes.get("cut_texts", 0),
            measures=measures,
        )

    loaded: Loaded | None = None
    try:
        progress.phase("loading")
        loaded = bases.load(inputs.base, recipe.quantization, inputs.cache)
        bases.forget_adapters(loaded)
        scaling = LossScaling(loaded.dtype, device, scaling.state())
        padding = loaded.tokenizer.pad_token_id

        progress.phase("caching")
        examples = _examples(loaded, recipe, inputs.texts)
        held_out = _examples(loaded, recipe, inputs.held_out)
        notes["cut_texts"] = _count_cut(loaded, recipe, [*examples, *held_out])
        sample_prompts = _sample_prompts(loaded, recipe, inputs)
        # No text of the brand is longer, and a base that was taught nothing would go on to the very end each time.
        sample_tokens = min(recipe.sample_tokens, max(sum(one.counted) for one in (*examples, *held_out)))
        epochs = [
            dataset.batches_of_epoch(
                dataset.rows_of_epoch(examples, recipe.max_length, recipe.packing, recipe.seed, epoch),
                recipe.batch_size * recipe.gradient_accumulation_steps,
            )
            for epoch in range(recipe.epochs)
        ]
        batches = [batch for epoch in epochs for batch in epoch]
        steps = notes["steps"] = len(batches)
        due = evaluation_steps([len(epoch) for epoch in epochs], recipe.evaluations_per_epoch)

        if resumed is None:
            evaluate()  # the base alone
        parameters = lora.inject(loaded.model, recipe, generator)
        optimizer = torch.optim.AdamW(
            list(parameters.values()), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        if resumed is not None:
            lora.restore(loaded.model, resumed.adapter)
            optimizer.load_state_dict(resumed.optimizer["adamw"])
            generator.set_state(resumed.random_state)
        if recipe.gradient_checkpointing:
            _compute_twice(loaded)
        at_once = recipe.batch_size  # rows in one pass; fewer after the memory ran out

        if resumed is not None and not sampled and step in due:
            evaluate()  # given back between the step and its measurement

        progress.phase("training")
        while step < steps and not notes["ended"]:
            began = time.perf_counter()
            learning_rate = learning_rate_at(recipe, step, steps)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate

            rows = batches[step]
            counted = sum(sum(examples[index].counted[1:]) for row in rows for index in row)
            loss = None
            while loss is None:
                try:
                    loss = 0.0
                    for at in range(0, len(rows), at_once):
                        batch = dataset.collate(examples, rows[at : at + at_once], padding)
                        with _autocast(loaded):
                            part_loss, _ = evaluation.token_losses(loaded, batch)
                        # Every counted token weighs the same, whatever text and part it is in.
                        part_loss = part_loss / max(1, counted)
                        scaling.scaled(part_loss).backward()
                        loss += part_loss.item()
                except torch.OutOfMemoryError:
                    if at_once == 1 and loaded.model.is_activation_checkpointing:
                        raise
                    loss = part_loss = None
                    optimizer.zero_grad(set_to_none=True)
                    # Smaller parts cost a little time, computing twice a third of it; neither changes the sum.
                    if at_once > 1:
                        at_once = -(-at_once // 2)
                    else:
                        _compute_twice(loaded)
                    progress.short_of_memory(
                        micro_batch_size=at_once,
                        gradient_checkpointing=bool(loaded.model.is_activation_checkpointing),
                    )
            scaling.unscale(optimizer)
            length = torch.nn.utils.clip_grad_norm_(parameters.values(), recipe.max_grad_norm).item()
            if scaling.is_lost(loss, length):
                raise EngineError("diverged", _diverged(step + 1, learning_rate))
            scaling.step(optimizer)
            optimizer.zero_grad(set_to_none=True)

            step += 1
            sampled = False
            measured = loss if math.isfinite(loss) else None
            step_losses += [] if measured is None else [measured]
            seconds.append(time.perf_counter() - began)
            tokens_seen.append(sum(len(examples[index].tokens) for row in rows for index in row))
            progress.step(Step(step, steps, measured, learning_rate, seconds[-1]))

            if step in due:
                evaluate()
                progress.phase("saving")
                checkpoint()
                if step < steps and not notes["ended"]:
                    progress.phase("training")
        return trained(finished=True, measures=_measured(loaded, recipe, inputs, held_out, best, progress))
    except Cancelled:
        if step == 0:
            raise
        return trained(finished=step == notes["steps"] or notes["ended"])
    except GiveBack:
        if step > (resumed.step if resumed else 0) and parameters:
            checkpoint()
        raise
    finally:
        if loaded is not None:
            loaded.model.activation_checkpointing_disable()
            loaded.model.eval()
            bases.forget_adapters(loaded)


def learning_rate_at(recipe: VoiceRecipe, step: int, steps: int) -> float:
    """Learning rate of the step with index ``step`` (from 0) of ``steps``: a linear rise over ``warmup_share`` of them,
    then constant, or half a cosine down to zero at the last step."""
    warmup = math.ceil(recipe.warmup_share * steps)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    if recipe.lr_scheduler == "constant":
        return recipe.learning_rate
    share = (step - warmup) / max(1, steps - warmup)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def evaluation_steps(epoch_lengths: Sequence[int], per_epoch: int) -> set[int]:
    """After which steps (from 1) to measure: evenly within each epoch, always at its end."""
    due: set[int] = set()
    begin = 0
    for length in epoch_lengths:
        due |= {begin + math.ceil(length * part / per_epoch) for part in range(1, per_epoch + 1)}
        begin += length
    return due - {0}


def _examples(loaded: Loaded, recipe: VoiceRecipe, texts: Sequence[VoiceText]) -> list[Example]:
    """Each text as what counts and what leads to it. Raises ``EngineError`` (``no_chat_template``, ``too_long``)."""
    if recipe.kind == "plain_text":
        return [
            dataset.example(f"{text.key}/{number}", [], piece)
            for text in texts
            for number, piece in enumerate(dataset.plain_pieces(loaded.tokenizer, text, recipe.max_length))
        ]
    examples = []
    for text in texts:
        prompt = prompt_tokens(loaded, text.order)
        told = dataset.answer(loaded.tokenizer, text, prompt, recipe.max_length)
        examples.append(dataset.example(text.key, prompt, told))
    return examples


def _count_cut(loaded: Loaded, recipe: VoiceRecipe, examples: Sequence[Example]) -> int:
    """How many do not end as their text does; plain texts go on in the next row."""
    if recipe.kind == "plain_text":
        return 0
    return sum(one.tokens[-1] != loaded.tokenizer.eos_token_id for one in examples)


def _guided(loaded: Loaded, recipe: VoiceRecipe, inputs: VoiceInputs) -> list[Example]:
    """The held-out texts with the style guide before them; what counts is the same as without."""
    if recipe.kind == "plain_text":
        guide = _above(loaded, inputs.style_guide)
        # The first token of a text is told nothing without a guide, so it must not count with one either.
        return [
            Example(one.key, (*guide, *one.tokens), (False,) * (len(guide) + 1) + one.counted[1:])
            for one in _examples(loaded, recipe, inputs.held_out)
        ]
    guided = []
    for text in inputs.held_out:
        bare = prompt_tokens(loaded, text.order)
        told = dataset.answer(loaded.tokenizer, text, bare, recipe.max_length)
        prompt = prompt_tokens(loaded, evaluation.with_guide(text.order, inputs.style_guide))
        guided.append(dataset.example(text.key, prompt, told))
    return guided


def _prompt(loaded: Loaded, recipe: VoiceRecipe, text: VoiceText, guide: str = "") -> tuple[str, list[int]]:
    """What a model is given to write a text like this one: as people read it, and as tokens."""
    if recipe.kind == "plain_text":
        beginning = dataset.plain_pieces(loaded.tokenizer, text, recipe.max_length)[0][:PLAIN_BEGINNING]
        return loaded.tokenizer.decode(beginning, skip_special_tokens=True), [*_above(loaded, guide), *beginning]
    return text.order[-1].content, prompt_tokens(loaded, evaluation.with_guide(text.order, guide))


def _sample_prompts(loaded: Loaded, recipe: VoiceRecipe, inputs: VoiceInputs) -> list[tuple[str, list[int]]]:
    """Of held-out texts where there are some: what was never learned shows most."""
    chosen = (inputs.held_out or inputs.texts)[: recipe.sample_count]
    return [_prompt(loaded, recipe, text) for text in chosen]


def _measured(
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
    progress.phase("measuring")

    def told() -> None:
        progress.phase("measuring")

    places = evaluation.spread(len(inputs.held_out), recipe.measured_texts)
    asked = [inputs.held_out[place] for place in places]
    length = max((len(dataset.answer(loaded.tokenizer, text, [], recipe.max_length)) for text in asked), default=1)
    losses: dict[str, float] = {}
    texts: dict[str, list[str]] = {}
    guided = _guided(loaded, recipe, inputs)
    lora.restore(loaded.model, best)
    for name, examples, guide in (
        ("adapter", held_out, ""),
        ("base", held_out, ""),
        ("prompted", guided, inputs.style_guide),
    ):
        if name == "base":
            bases.use_adapter(loaded, None)
        losses[name] = evaluation.mean_loss(loaded, examples, told)
        prompts = [_prompt(loaded, recipe, text, guide)[1] for text in asked]
        seeds = [recipe.sample_seed + number for number in range(len(prompts))]
        texts[name] = continue_texts(loaded, prompts, length, recipe.sample_temperature, 1.0, seeds, told)
    brand = evaluation.mean_state(loaded, [text.text for text in asked])
    tokens = sum(sum(one.counted[1:]) for one in held_out)
    arms = {
        name: evaluation.arm(losses[name], [text.strip() for text in texts[name]], loaded, brand) for name in losses
    }
    return VoiceMeasures(tokens, arms["base"], arms["prompted"], arms["adapter"], places)


def _order(recipe: VoiceRecipe, inputs: VoiceInputs) -> str:
    """What a checkpoint must have been made for, as text: recipe, base and every text."""
    if not inputs.texts:
        raise EngineError("no_texts", "There are no texts to learn from.")
    texts = [
        [text.key, [[turn.role, turn.content] for turn in text.order], text.text]
        for text in (*inputs.texts, *inputs.held_out)
    ]
    # What a plan may change leaves what is learned as it is, but for the base's fineness, and then it goes on too.
    rows = recipe.batch_size * recipe.gradient_accumulation_steps
    asked = recipe.model_dump(
        mode="json", exclude={"quantization", "gradient_checkpointing", "batch_size", "gradient_accumulation_steps"}
    )
    facts = [asked, rows, inputs.base.key, inputs.base.revision, len(inputs.texts), texts]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _resumed(inputs: VoiceInputs, order: str) -> checkpoints.Checkpoint | None:
    if inputs.resume_from is None:
        return None
    checkpoint = checkpoints.read(inputs.resume_from)
    if checkpoint.order != order:
        raise EngineError(
            "bad_checkpoint",
            "The checkpoint was made with other texts, another base model or another recipe. Start anew.",
        )
    return checkpoint


def _compute_twice(loaded: Loaded) -> None:
    loaded.model.activation_checkpointing_enable({"use_reentrant": False})
    loaded.model.train()  # the libraries compute twice only then; there is no dropout that it would switch on


def _autocast(loaded: Loaded) -> Any:
    """The base's own precision; plain float32 on a CPU."""
    if loaded.dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(loaded.device.type, dtype=loaded.dtype)


def _name(inputs: VoiceInputs) -> str:
    """What PEFT's configuration calls the base: its name on the hub, also for the one that comes along.

    Of a local folder the last name alone, as paths of this machine are nobody's business.
    """
    if inputs.base.source == "builtin":
        return BUILTIN_ON_THE_HUB
    return inputs.base.origin


def _diverged(step: int, learning_rate: float) -> str:
    return (
        f"The training diverged at step {step}: its loss is no longer a number. The last checkpoint is kept. "
        f"Start again with a lower learning rate than {learning_rate:g}."
    )


# Writing ----------------------------------------------------------------------------------------------------------


def write(recipe: WritingOrder, inputs: WritingInputs, progress: Progress) -> Iterator[Written]:
    """Write ``count`` variants one after the other; yields each after every word and once more when it is finished. A
    plain text comes with the beginning that was given.

    Variant i draws its words with ``seed + i``, whatever was written before it. On ``Cancelled`` the iterator ends
    after what has been yielded; ``GiveBack`` goes through. Raises ``EngineError``: ``model_unavailable``,
    ``no_chat_template``, ``too_long``, ``adapter_mismatch``, ``adapter_unreadable``, ``out_of_memory``.
    """
    device = bases.device_of_this_process()
    with memory.out_of_memory_in_words(device, SMALLER_TO_WRITE), contextlib.suppress(Cancelled):
        progress.phase("loading")
        loaded = bases.load(inputs.base, recipe.quantization, inputs.cache)
        bases.use_adapter(loaded, inputs.adapter)
        prompt, begun = _asked(loaded, recipe)
        room = _room(loaded)
        if room is not None and len(prompt) + recipe.max_new_tokens > room:
            raise EngineError(
                "too_long",
                f"The brief is too long for this language model: it can look back on {room} word pieces, the brief "
                f"takes {len(prompt)}. Shorten it.",
            )
        progress.phase("writing")
        total = recipe.count * recipe.max_new_tokens
        for variant in range(recipe.count):
            began, tokens = time.perf_counter(), 0
            text = loaded.tokenizer.decode(begun, skip_special_tokens=True)
            generator = torch.Generator("cpu").manual_seed(recipe.seed + variant)
            for tokens, text in continue_text(
                loaded, prompt, recipe.max_new_tokens, recipe.temperature, recipe.top_p, generator, begun
            ):
                progress.drawn(variant * recipe.max_new_tokens + tokens, total)
                yield Written(variant, text, False, tokens, time.perf_counter() - began)
            # Ended early: what it did not need counts as done.
            progress.drawn((variant + 1) * recipe.max_new_tokens, total)
            yield Written(variant, text.strip(), True, tokens, time.perf_counter() - began)


def _asked(loaded: Loaded, recipe: WritingOrder) -> tuple[list[int], list[int]]:
    """The tokens that a model goes on from, and those of them that belong to its text."""
    if recipe.kind == "instructions":
        return prompt_tokens(loaded, recipe.messages), []
    *above, beginning = recipe.messages
    begun = dataset.plain_beginning(loaded.tokenizer, beginning.content)
    return [*_above(loaded, "\n\n".join(turn.content for turn in above)), *begun], begun


def _above(loaded: Loaded, guide: str) -> list[int]:
    """A style guide as it stands above a plain text."""
    return dataset.plain_beginning(loaded.tokenizer, guide + "\n\n") if guide else []


def _room(loaded: Loaded) -> int | None:
    room = getattr(loaded.model.config, "max_position_embeddings", None)
    return int(room) if room else None
