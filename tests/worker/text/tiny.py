"""A language model small enough to train in a test: Llama's layout, random weights, a tokenizer of bytes."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from worker.engines.contracts import Base, SamplePicture, Step

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


def save_model(folder: Path, *, seed: int = 0, width: int = 32, layers: int = 2, chat: bool = True) -> Base:
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
                max_position_embeddings=512,
                bos_token_id=words.bos_token_id,
                eos_token_id=words.eos_token_id,
                pad_token_id=words.pad_token_id,
                tie_word_embeddings=True,
            )
        )
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return Base("tiny", "causal_lm", str(folder))


@dataclass(frozen=True)
class Said:
    """A turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class Asked:
    """A ``WritingOrder``."""

    messages: tuple[Said, ...] = (Said("user", "Write about coffee."),)
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

    def checkpoint(self, folder: Path, step: int) -> None: ...
