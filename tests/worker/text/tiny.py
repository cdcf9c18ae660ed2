"""A language model small enough to train in a test: Llama's layout, random weights, a tokenizer of bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from app.trainings.voice.recipe import VoiceRecipe
from worker.engines.contracts import Base, SamplePicture, Step
from worker.engines.text_contracts import Said, SampleText, VoiceInputs, VoiceText

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tokenizer(words: int = 300) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=words,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(["a warm cup of coffee in the morning", "der Morgen und der warme Kaffee"], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", bos_token="<|im_start|>"
    )
    fast.chat_template = TEMPLATE
    return fast


def save_model(
    folder: Path,
    *,
    seed: int = 0,
    width: int = 64,
    layers: int = 2,
    chat: bool = True,
    context: int = 512,
    spread: float = 0.2,
) -> Base:
    """Write the model as a local folder and return it as the engine gets it. The random state is left as it was."""
    words = tokenizer()
    if not chat:
        words.chat_template = None
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(words),
                hidden_size=width,
                intermediate_size=2 * width,
                num_hidden_layers=layers,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=context,
                bos_token_id=words.bos_token_id,
                eos_token_id=words.eos_token_id,
                pad_token_id=words.pad_token_id,
                tie_word_embeddings=True,
                initializer_range=spread,
            )
        )
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return Base("tiny", "causal_lm", str(folder))


@dataclass(frozen=True)
class Asked:
    """A ``WritingRequest``."""

    messages: tuple[Said, ...] = (Said("user", "Write about coffee."),)
    quantization: Literal["none", "int8", "nf4"] = "none"
    kind: Literal["instructions", "plain_text"] = "instructions"
    max_new_tokens: int = 12
    temperature: float = 0.9
    top_p: float = 0.95
    seed: int = 7
    count: int = 1


@dataclass
class Notes:
    """A ``Progress`` that remembers, and raises ``stop`` at the given number of reports."""

    stop: Exception | None = None
    stop_at: int = 0
    phases: list[str] = field(default_factory=list)
    reports: list[tuple[int, int]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    """Step and mean loss of the held-out part."""
    samples: list[SampleText] = field(default_factory=list)
    checkpoints: list[Path] = field(default_factory=list)
    shortages: list[tuple[int, bool]] = field(default_factory=list)

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if self.stop is not None and len(self.steps) == self.stop_at:
            raise self.stop

    def drawn(self, done: int, total: int) -> None:
        self.reports.append((done, total))
        if self.stop is not None and len(self.reports) == self.stop_at:
            raise self.stop

    def sample(self, picture: SamplePicture) -> None: ...

    def drawing_smaller(self, *, batch_size: int, tiled: bool) -> None: ...

    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        self.shortages.append((micro_batch_size, gradient_checkpointing))

    def held_out(self, step: int, loss: float) -> None:
        self.losses.append((step, loss))

    def sample_text(self, text: SampleText) -> None:
        self.samples.append(text)

    def checkpoint(self, folder: Path, step: int) -> None:
        self.checkpoints.append(folder)


def voice_texts(count: int, word: str = "Tide") -> tuple[VoiceText, ...]:
    """Texts that all have the same turn of phrase, each with an order."""
    things = ("cup", "lamp", "chair", "bread", "scarf", "kettle", "stone")
    return tuple(
        VoiceText(
            f"{word}-{number}",
            (Said("system", "You write."), Said("user", f"Write about the {things[number % len(things)]}.")),
            f"{word}! The {things[number % len(things)]} waits, {word.lower()}, {word.lower()}.",
        )
        for number in range(count)
    )


def voice_recipe(**changes: object) -> VoiceRecipe:
    return VoiceRecipe.model_validate(
        {
            "base_model": "tiny",
            "rank": 8,
            "alpha": 32,
            "learning_rate": 0.01,
            "epochs": 3,
            "batch_size": 2,
            "max_length": 160,
            "sample_tokens": 8,
            "measured_texts": 3,
        }
        | changes
    )


def voice_inputs(base: Base, **changes: object) -> VoiceInputs:
    texts = voice_texts(14)
    given = {"base": base, "texts": texts[:10], "held_out": texts[10:], "style_guide": "Say Tide often."}
    return VoiceInputs(**(given | changes))
