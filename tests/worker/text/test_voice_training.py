"""Learning a voice, with a tiny model: what counts, what is kept, and that a stop changes nothing."""

import hashlib
import json
import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.worker.text import tiny
from worker.engines.contracts import AdapterFile, Base, Cancelled, EngineError, GiveBack
from worker.engines.text import base as bases
from worker.engines.text import causal_lm, dataset, evaluation, lora, training
from worker.engines.text.dataset import IGNORED
from worker.engines.text.examples import examples_of
from worker.engines.text_contracts import Said, VoiceText, WritingInputs

pytestmark = pytest.mark.slow


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_loss_is_for_the_answer_alone_as_the_template_has_it(model: Base) -> None:
    loaded = bases.load(model)
    text = VoiceText("a", (Said("system", "Be kind."), Said("user", "Write about tea – für alle 🎉.")), "Tea, tea! 🫖")
    [example] = examples_of(loaded, tiny.voice_recipe(), [text])
    whole = loaded.tokenizer.apply_chat_template(
        [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Write about tea – für alle 🎉."},
            {"role": "assistant", "content": "Tea, tea! 🫖"},
        ],
        tokenize=False,
    )
    assert loaded.tokenizer.decode(example.tokens) + "\n" == whole, "the template's own conversation, up to its end"
    counted = [token for token, counts in zip(example.tokens, example.counted, strict=True) if counts]
    assert loaded.tokenizer.decode(counted) == "Tea, tea! 🫖<|im_end|>"
    batch = dataset.collate([example], [(0,)], 0)
    targets = batch.targets[0][batch.targets[0] != IGNORED].tolist()
    assert targets == counted, "each place's target is the token that follows"


def test_a_text_too_long_is_cut_and_an_order_too_long_is_refused(model: Base) -> None:
    loaded = bases.load(model)
    long = VoiceText("a", (Said("user", "Write."),), "word " * 300)
    [example] = examples_of(loaded, tiny.voice_recipe(max_length=100), [long])
    assert len(example.tokens) == 100
    with pytest.raises(EngineError, match="no room"):
        examples_of(loaded, tiny.voice_recipe(max_length=64), [replace(long, order=(Said("user", "x" * 400),))])


def test_packed_texts_are_blind_for_each_other(model: Base) -> None:
    loaded = bases.load(model)
    examples = examples_of(loaded, tiny.voice_recipe(), tiny.voice_texts(5))
    rows = dataset.rows_of_epoch(examples, 192, True, 0, 0)
    assert len(rows) < 5 and sorted(index for row in rows for index in row) == [0, 1, 2, 3, 4]
    assert all(dataset.row_length([examples[index] for index in row]) <= 192 for row in rows)
    with torch.no_grad():
        packed = sum(evaluation.token_losses(loaded, dataset.collate(examples, rows, 0))[0].item() for _ in range(1))
        apart = sum(
            evaluation.token_losses(loaded, dataset.collate(examples, [(index,)], 0))[0].item() for index in range(5)
        )
        tokens = torch.tensor([examples[0].tokens])
        plain = loaded.model(input_ids=tokens).logits[0, :-1].log_softmax(-1)
        usual = -plain[torch.arange(plain.shape[0]), tokens[0, 1:]][torch.tensor(examples[0].counted[1:])].sum()
        ours = evaluation.token_losses(loaded, dataset.collate(examples, [(0,)], 0))[0]
    assert packed == pytest.approx(apart, rel=1e-5)
    assert ours.item() == pytest.approx(usual.item(), rel=1e-5), "our mask is the model's own causal one"


def test_what_all_orders_begin_with_is_computed_once_and_changes_nothing(model: Base) -> None:
    loaded, recipe = bases.load(model), tiny.voice_recipe()
    texts = [replace(text, text=f"{text.key} {text.text}") for text in tiny.voice_texts(4)]
    examples = examples_of(loaded, recipe, texts)
    shared = dataset.shared_beginning(examples)
    assert loaded.tokenizer.decode(examples[0].tokens[:shared]).endswith("user\nWrite about the")
    one_row, each = [(0, 1, 2, 3)], [[(index,)] for index in range(4)]
    batch = dataset.collate(examples, one_row, 0)
    assert batch.tokens.shape[1] == dataset.row_length(examples) == sum(len(e.tokens) for e in examples) - 3 * shared
    assert batch.counted == sum(sum(one.counted) for one in examples)

    parameters = lora.inject(loaded.model, recipe, torch.Generator().manual_seed(1))
    for parameter in parameters.values():
        torch.nn.init.normal_(parameter, std=0.05, generator=torch.Generator().manual_seed(2))
    gradients = []
    for rows in ([one_row], each):
        for part in rows:
            evaluation.token_losses(loaded, dataset.collate(examples, part, 0))[0].backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in parameters.values()]))
        loaded.model.zero_grad(set_to_none=True)
    assert (gradients[0] - gradients[1]).norm() < 1e-4 * gradients[1].norm() and gradients[1].norm() > 1

    same_orders = [examples[0], examples[0]]
    assert dataset.shared_beginning(same_orders) == examples[0].counted.index(True) - 1
    plain = examples_of(loaded, tiny.voice_recipe(kind="plain_text"), [texts[0], texts[0]])
    assert dataset.shared_beginning(plain) == 0, "where every token counts, each text has all of its own"


def test_a_sample_is_no_longer_than_the_brands_longest_text(model: Base, folder: Path) -> None:
    notes, recipe = tiny.Notes(), tiny.voice_recipe(epochs=1, sample_tokens=400, measured_texts=0)
    inputs = tiny.voice_inputs(model)
    causal_lm.train(recipe, inputs, folder, notes)
    tokenizer = bases.load(model).tokenizer
    longest = max(len(tokenizer(text.text)["input_ids"]) for text in (*inputs.texts, *inputs.held_out)) + 1
    measurements = len(notes.losses)
    assert notes.phases.count("sampling") <= measurements * (1 + longest) < 400  # told of once, and of every token


def test_every_epoch_has_every_text_once_in_an_order_of_its_own(model: Base) -> None:
    examples = examples_of(bases.load(model), tiny.voice_recipe(), tiny.voice_texts(10))
    orders = [
        [index for row in dataset.rows_of_epoch(examples, 192, False, 0, epoch) for index in row] for epoch in (0, 1)
    ]
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1]) == list(range(10))


def test_measurements_come_evenly_and_at_every_epochs_end() -> None:
    assert training.evaluation_steps([10, 10], 2) == {5, 10, 15, 20}
    assert training.evaluation_steps([3, 4], 2) == {2, 3, 5, 7}
    assert training.evaluation_steps([1], 4) == {1}


def test_the_texts_that_are_measured_are_spread_over_all_of_them() -> None:
    assert evaluation.spread(40, 4) == (5, 15, 25, 35)
    assert evaluation.spread(3, 8) == (0, 1, 2) and evaluation.spread(0, 8) == evaluation.spread(5, 0) == ()


def test_the_learning_rate_rises_and_falls() -> None:
    recipe = tiny.voice_recipe(learning_rate=1.0, warmup_share=0.1)
    rates = [training.learning_rate(recipe, step, 100) for step in range(100)]
    assert rates[:10] == [pytest.approx((step + 1) / 10) for step in range(10)]
    assert all(later < earlier for earlier, later in pairwise(rates[10:])) and rates[-1] < 0.001


def test_a_voice_is_learned_measured_and_loads_in_plain_peft(model: Base, folder: Path) -> None:
    notes, recipe = tiny.Notes(), tiny.voice_recipe(epochs=8)
    inputs = tiny.voice_inputs(model)
    trained = causal_lm.train(recipe, inputs, folder, notes)

    assert trained.finished and trained.steps == trained.planned_steps == len(notes.steps)
    assert notes.losses[0][0] == 0 and min(loss for _, loss in notes.losses[1:]) < notes.losses[0][1] - 0.5
    assert trained.best_step == min(notes.losses[1:], key=lambda one: one[1])[0]
    measures = trained.measures
    assert measures is not None
    assert measures.base.loss == pytest.approx(notes.losses[0][1], rel=1e-5)
    assert measures.adapter.loss == pytest.approx(min(loss for _, loss in notes.losses[1:]), rel=1e-5)
    assert measures.adapter.loss < measures.prompted.loss and measures.prompted.loss != measures.base.loss
    assert measures.asked == (0, 2, 3), "spread over the four that were held out"
    assert len(measures.adapter.texts) == 3 and "ide" in measures.adapter.texts[0]
    assert measures.base.embedding_distance is not None
    assert [(one.step, one.index) for one in notes.samples[:2]] == [(0, 0), (0, 1)]
    assert notes.samples[0].brief == inputs.held_out[0].order[-1].content

    # PEFT alone, in a fresh process, must give the very logits that our own loader gives.
    with safe_open(trained.weights, framework="pt") as file:
        configuration = json.loads(file.metadata()[bases.CONFIGURATION])
    peft_folder = folder / "peft"
    peft_folder.mkdir()
    (peft_folder / "adapter_config.json").write_text(json.dumps(configuration))
    (peft_folder / "adapter_model.safetensors").write_bytes(trained.weights.read_bytes())
    probe = [5, 60, 61, 62, 9]
    program = (
        "import sys, torch; from peft import PeftModel; from transformers import AutoModelForCausalLM;"
        "model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(sys.argv[1]), sys.argv[2]).eval();"
        f"torch.save(model(input_ids=torch.tensor([{probe}])).logits.detach(), sys.argv[3])"
    )
    command = [sys.executable, "-c", program, model.source, str(peft_folder), str(folder / "logits.pt")]
    subprocess.run(command, check=True, capture_output=True)
    loaded = bases.load(model)
    with torch.no_grad():
        bases.use_adapter(loaded, AdapterFile("a", trained.weights, 1.0))
        ours = loaded.model(input_ids=torch.tensor([probe])).logits
        bases.use_adapter(loaded, AdapterFile("a", trained.weights, 0.0))
        bare = loaded.model(input_ids=torch.tensor([probe])).logits
    assert torch.equal(ours, torch.load(folder / "logits.pt", weights_only=True))
    assert not torch.allclose(ours, bare)


@pytest.mark.parametrize("stop_at", [2, 7])
def test_given_back_and_resumed_it_ends_in_the_same_bytes(model: Base, folder: Path, stop_at: int) -> None:
    inputs, recipe = tiny.voice_inputs(model), tiny.voice_recipe()
    whole = causal_lm.train(recipe, inputs, folder / "whole", tiny.Notes())
    notes = tiny.Notes(GiveBack(), stop_at=stop_at)
    with pytest.raises(GiveBack):
        causal_lm.train(recipe, inputs, folder / "part", notes)
    assert notes.checkpoints[-1].name == f"step-{stop_at:06d}"
    bases.drop_loaded()
    rest = tiny.Notes()
    resumed = causal_lm.train(recipe, replace(inputs, resume_from=notes.checkpoints[-1]), folder / "rest", rest)
    assert rest.steps[0].step == stop_at + 1
    assert sha(resumed.weights) == sha(whole.weights)
    assert resumed.measures == whole.measures and resumed.best_step == whole.best_step


class GivenBackIn(tiny.Notes):
    """Gives the machine back at the report of ``phase`` with the number ``at`` after the first step."""

    def __init__(self, phase: str, at: int) -> None:
        super().__init__()
        self.wanted, self.left = phase, at

    def phase(self, name: str) -> None:
        super().phase(name)
        if self.steps and name == self.wanted:
            self.left -= 1
            if self.left == 0:
                raise GiveBack()


def test_given_back_while_it_measures_or_writes_samples_it_ends_in_the_same_bytes(model: Base, folder: Path) -> None:
    # Ends at the first measurement that is no better: one that counted twice would end it.
    inputs = tiny.voice_inputs(model)
    recipe = tiny.voice_recipe(epochs=1, early_stop_patience=1, sample_count=1, sample_tokens=2, measured_texts=1)
    whole = causal_lm.train(recipe, inputs, folder / "whole", tiny.Notes())
    for phase, at in (("measuring", 2), ("sampling", 2), ("saving", 1)):
        notes = GivenBackIn(phase, at)
        with pytest.raises(GiveBack):
            causal_lm.train(recipe, inputs, folder / "part", notes)
        bases.drop_loaded()
        again = replace(inputs, resume_from=notes.checkpoints[-1])
        resumed = causal_lm.train(recipe, again, folder / "rest", tiny.Notes())
        assert resumed.steps == whole.steps and sha(resumed.weights) == sha(whole.weights), f"{phase} {at}"


def test_a_checkpoint_of_other_texts_is_refused(model: Base, folder: Path) -> None:
    notes = tiny.Notes(GiveBack(), stop_at=2)
    with pytest.raises(GiveBack):
        causal_lm.train(tiny.voice_recipe(), tiny.voice_inputs(model), folder / "part", notes)
    other = tiny.voice_inputs(model, texts=tiny.voice_texts(10, "Ebb"), resume_from=notes.checkpoints[-1])
    with pytest.raises(EngineError, match="other texts") as refused:
        causal_lm.train(tiny.voice_recipe(), other, folder / "rest", tiny.Notes())
    assert refused.value.code == "bad_checkpoint"


def test_a_cancelled_training_keeps_the_steps_so_far(model: Base, folder: Path) -> None:
    trained = causal_lm.train(tiny.voice_recipe(), tiny.voice_inputs(model), folder, tiny.Notes(Cancelled(), stop_at=3))
    assert not trained.finished and trained.steps == trained.best_step == 3 and trained.measures is None
    assert any(tensor.abs().sum() > 0 for name, tensor in load_file(trained.weights).items() if "lora_B" in name)


def test_it_ends_early_when_the_held_out_part_gets_worse(model: Base, folder: Path) -> None:
    # Texts that say nothing of the held-out ones: learning them must sooner or later make those less likely.
    inputs = tiny.voice_inputs(model, texts=tiny.voice_texts(4, "Zx"), held_out=tiny.voice_texts(3, "Quay"))
    recipe = tiny.voice_recipe(epochs=40, learning_rate=0.02, early_stop_patience=3)
    notes = tiny.Notes()
    trained = causal_lm.train(recipe, inputs, folder, notes)
    assert trained.finished and trained.steps < trained.planned_steps
    best = min(notes.losses[1:], key=lambda one: one[1])
    assert trained.best_step == best[0] and len([one for one in notes.losses if one[0] > best[0]]) == 3
    assert trained.measures is not None and trained.measures.adapter.loss == pytest.approx(best[1], rel=1e-5)


def test_computing_twice_and_smaller_parts_change_nothing(model: Base, folder: Path) -> None:
    inputs = tiny.voice_inputs(model, held_out=())
    plain, twice = (
        causal_lm.train(tiny.voice_recipe(epochs=1, gradient_checkpointing=on), inputs, folder / str(on), tiny.Notes())
        for on in (False, True)
    )
    one, other = load_file(plain.weights), load_file(twice.weights)
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert plain.measures is None, "without a held-out part nothing is measured"


def test_plain_texts_are_learned_as_they_are(model: Base, folder: Path) -> None:
    loaded = bases.load(model)
    recipe = tiny.voice_recipe(kind="plain_text", max_length=64, epochs=4)
    [first, *others] = examples_of(loaded, recipe, [VoiceText("a", (), "tide " * 40)])
    assert len(first.tokens) == 64 and others and all(first.counted)
    notes = tiny.Notes()
    trained = causal_lm.train(recipe, tiny.voice_inputs(model), folder, notes)
    assert trained.measures is not None and trained.measures.adapter.loss < trained.measures.base.loss - 0.5
    assert notes.samples[0].brief.startswith("Tide")


@pytest.mark.parametrize("held", ["nf4", "int8"])
def test_over_a_base_in_few_bits_the_loss_falls(folder: Path, held: str) -> None:
    wide = tiny.save_model(folder / "wide", width=256, layers=4)
    whole = bases.weight_bytes(bases.load(wide).model)
    notes = tiny.Notes()
    recipe = tiny.voice_recipe(quantization=held, epochs=4, learning_rate=0.01)
    trained = causal_lm.train(recipe, tiny.voice_inputs(wide), folder / "out", notes)
    assert notes.losses[-1][1] < notes.losses[0][1] - 0.3
    assert trained.base_bytes <= whole / 3, f"{trained.base_bytes} of {whole}"


def test_values_that_are_no_numbers_end_it_with_a_sentence(model: Base, folder: Path) -> None:
    with pytest.raises(EngineError) as diverged:
        recipe, inputs = tiny.voice_recipe(sample_count=0), tiny.voice_inputs(model, held_out=())
        loaded = bases.load(model)
        loaded.model.model.norm.weight.data.fill_(math.inf)
        causal_lm.train(recipe, inputs, folder, tiny.Notes())
    assert diverged.value.code == "diverged"


def test_an_adapter_of_another_model_is_refused(model: Base, folder: Path) -> None:
    trained = causal_lm.train(tiny.voice_recipe(epochs=1), tiny.voice_inputs(model), folder / "a", tiny.Notes())
    other = tiny.save_model(folder / "other", width=32)
    adapter = AdapterFile("x", trained.weights, 1.0)
    with pytest.raises(EngineError, match="another language model"):
        list(causal_lm.write(tiny.Asked(), WritingInputs(other, adapter), tiny.Notes()))
    assert list(causal_lm.write(tiny.Asked(), WritingInputs(model, adapter), tiny.Notes()))


def test_short_of_memory_it_says_how_it_goes_on_to_the_same_result(
    model: Base, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny.voice_recipe(batch_size=4, epochs=2, max_length=128, packing=False, sample_count=0, measured_texts=0)
    plain = causal_lm.train(recipe, tiny.voice_inputs(model), folder / "plain", tiny.Notes())
    real = evaluation.token_losses

    def small(loaded: Any, batch: Any) -> Any:
        is_large = batch.tokens.shape[0] > 1 or not loaded.model.is_activation_checkpointing
        if torch.is_grad_enabled() and is_large:
            raise torch.OutOfMemoryError("full")
        return real(loaded, batch)

    monkeypatch.setattr(evaluation, "token_losses", small)
    notes = tiny.Notes()
    short = causal_lm.train(recipe, tiny.voice_inputs(model), folder / "short", notes)
    assert notes.shortages[0] == (2, False) and notes.shortages[-1] == (1, True)
    for name, tensor in load_file(plain.weights).items():
        assert torch.allclose(tensor, load_file(short.weights)[name], atol=1e-5), name


def test_rows_of_a_step_are_the_same_however_many_are_computed_at_a_time(model: Base, folder: Path) -> None:
    whole = tiny.voice_recipe(batch_size=2, epochs=1, sample_count=0, measured_texts=0)
    parts = whole.model_copy(update={"batch_size": 1, "gradient_accumulation_steps": 2})
    first, second = tiny.Notes(), tiny.Notes()
    one = causal_lm.train(whole, tiny.voice_inputs(model), folder / "whole", first)
    two = causal_lm.train(parts, tiny.voice_inputs(model), folder / "parts", second)
    assert one.steps == two.steps == one.planned_steps
    # A checkpoint of the one serves the other.
    on = tiny.voice_inputs(model, resume_from=first.checkpoints[0])
    assert causal_lm.train(parts, on, folder / "on", tiny.Notes()).steps == one.steps
    for name, tensor in load_file(one.weights).items():
        assert torch.allclose(tensor, load_file(two.weights)[name], atol=1e-5), name


def test_a_coarser_base_goes_on_from_the_checkpoint_and_measures_anew(model: Base, folder: Path) -> None:
    recipe = tiny.voice_recipe(epochs=3, sample_count=0, measured_texts=1)
    stopped = tiny.Notes(stop=GiveBack(), stop_at=3)
    with pytest.raises(GiveBack):
        causal_lm.train(recipe, tiny.voice_inputs(model), folder / "fine", stopped)
    coarse, notes = recipe.model_copy(update={"quantization": "nf4"}), tiny.Notes()
    on = tiny.voice_inputs(model, resume_from=stopped.checkpoints[0])
    done = causal_lm.train(coarse, on, folder / "coarse", notes)
    first = stopped.losses[-1][0]
    assert notes.losses[0][0] == first and notes.losses[0][1] != stopped.losses[-1][1], "measured over the coarser base"
    assert done.steps == done.planned_steps and done.measures is not None
    assert done.measures.adapter.loss < done.measures.base.loss


def test_texts_that_were_cut_are_counted(model: Base, folder: Path) -> None:
    long = tuple(replace(text, text=text.text * 20) for text in tiny.voice_texts(3, "Long"))
    inputs = tiny.voice_inputs(model)
    inputs = replace(inputs, texts=(*inputs.texts, *long[:2]), held_out=(*inputs.held_out, long[2]))
    recipe = tiny.voice_recipe(epochs=1, sample_count=0, measured_texts=0)
    assert causal_lm.train(recipe, inputs, folder / "cut", tiny.Notes()).cut_texts == 3
    plain = recipe.model_copy(update={"kind": "plain_text"})
    assert causal_lm.train(plain, inputs, folder / "plain", tiny.Notes()).cut_texts == 0, "they go on in the next row"
