"""Teaches a copy of the text encoder how people ask: behind a trigger word, and with other words for the same thing.

The denoiser stays as it is, since the copy answers in the states that the denoiser knows: behind a trigger word and a
comma each word has the state that it has without them, the trigger's own tokens have that of the begin token, and
another word for a thing has the states of the thing's name. (Learning the states of a frozen teacher: Hinton et al.
2015, arXiv:1503.02531; here the teacher reads another caption.)
"""

import copy
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from app.generations.prompts import with_trigger_words
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.training.checkpoints import note
from worker.engines.image.builtin.making.training.optimizer import Pair
from worker.engines.image.builtin.making.training.samples import sample_captions
from worker.engines.image.builtin.making.words import triggers
from worker.engines.image.builtin.making.words.captions import COLOURS, ground
from worker.engines.image.builtin.making.words.synonyms import other_words

log = logging.getLogger(__name__)
BEHIND_A_TRIGGER, WITH_ANOTHER_WORD, AS_TRAINED = 0.75, 0.3, 0.4
"""Shares of the captions: behind a trigger, with another word for the thing, and worded as in the model's training."""
SIGNAL = 0.0
"""Share of its old state that a trigger's token keeps."""
ENGLISH = ("{a} {thing}{ground}", "{thing}{ground}", "the {thing}{ground}", "{a} {thing}, {ground_alone}")
GERMAN = ("{thing}{ground}", "ein {thing}{ground}", "eine {thing}{ground}", "{thing}, {ground_alone}")


@dataclass(frozen=True)
class Asked:
    """A caption as people write it, and the same as the teacher knows it."""

    prefix: str
    """Trigger words and comma in front; may be empty."""
    said: tuple[str, str, str]
    """Before the thing, the thing's own words, behind it."""
    known: str
    """The thing's words that the teacher reads in their place."""


class Wording:
    """Draws captions, and says what states each of their tokens must have."""

    def __init__(
        self,
        concepts: list[Concept],
        others: Mapping[str, tuple[str, ...]],
        tokenizer: CLIPTokenizer,
        taught: list[Concept] | None = None,
    ) -> None:
        """``taught`` are the same concepts, in the same order, under the names and in the styles that the teacher
        knows."""
        self.concepts, self.others, self.tokenizer = concepts, others, tokenizer
        self.taught = concepts if taught is None else taught
        self.words = sorted(
            {word for c in concepts for name in (*c.english[1:], *c.german[1:]) for word in name.split()}
        )
        self.words = [word for word in self.words if word.isalpha() and len(word) > 3]

    def draw(self, rng: np.random.Generator) -> Asked:
        prefix = ""
        if rng.random() < BEHIND_A_TRIGGER:
            prefix = with_trigger_words("x", [triggers.trigger(rng, self.words)])[0].removesuffix("x").strip()
        if rng.random() < AS_TRAINED:
            [text], _ = sample_captions(rng, self.taught, 1)
            return Asked(prefix, (text, "", ""), "")
        n = int(rng.integers(len(self.concepts)))
        concept, taught = self.concepts[n], self.taught[n]
        german = bool(rng.random() < 0.5)
        colour = int(rng.integers(len(COLOURS))) if rng.random() < 0.4 else None
        said, words = (one.german[0] if german else one.english[0] for one in (concept, taught))
        others = self.others.get(concept.key, ())
        if not german and others and rng.random() < WITH_ANOTHER_WORD:
            said = others[min(int(rng.exponential(4)), len(others) - 1)]
        templates: Sequence[str] = GERMAN if german else ENGLISH
        template = str(rng.choice(templates if colour is not None else templates[:3]))
        behind = ground(colour, german, rng)
        filled = template.format(
            a="an" if said[0] in "aeiou" else "a",
            thing="\n",
            ground=behind,
            ground_alone=behind.strip(" ,"),
        )
        before, after = filled.split("\n")
        return Asked(prefix, (before, said, after), words)

    def draw_many(self, rng: np.random.Generator, n: int) -> list[Asked]:
        return [self.draw(rng) for _ in range(n)]

    def batch(self, asked: list[Asked]) -> tuple[Tensor, Tensor, Tensor]:
        """What the student reads and what the teacher reads, token ids (n, length), and for each of the student's
        tokens which of the teacher's states it must have (n, length)."""
        length, begin, end = self.tokenizer.model_max_length, self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        rows = []
        for one in asked:
            prefix, before, said, behind, known = (self._ids(text) for text in (one.prefix, *one.said, one.known))
            theirs = [begin, *before, *known, *behind][: length - 1]
            ours = [begin, *prefix, *before, *said, *behind][: length - 1]
            places = [0] * (1 + len(prefix)) + [1 + n for n in range(len(before))]
            places += [1 + len(before) + _nearest(n, len(said), len(known)) for n in range(len(said))]
            places += [1 + len(before) + len(known) + n for n in range(len(behind))]
            last = len(theirs)
            places = [min(place, last) for place in places[: len(ours)]]
            places += [min(last + n, length - 1) for n in range(length - len(ours))]
            rows.append((_padded(ours, end, length), _padded(theirs, end, length), places))
        ours, theirs, places = zip(*rows, strict=True)
        return torch.tensor(ours), torch.tensor(theirs), torch.tensor(places)

    def _ids(self, text: str) -> list[int]:
        text = text.strip()
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def _nearest(n: int, ours: int, theirs: int) -> int:
    """Which of the known name's tokens a token of another word stands for: the last for the last."""
    return max(0, theirs - ours + n) if theirs else 0


def _padded(ids: list[int], end: int, length: int) -> list[int]:
    return ids + [end] * (length - len(ids))


def unexplained(
    student: CLIPTextModel, teacher: CLIPTextModel, ours: Tensor, theirs: Tensor, places: Tensor, signal: float = SIGNAL
) -> Tensor:
    """Share of the variance of the teacher's states that the student's are off by, in a batch of ``Wording``.

    Student and teacher may be one: then it learns to give the states behind a trigger word that it gives without.
    """
    with torch.no_grad():
        wanted = teacher(theirs).last_hidden_state
        wanted = wanted.gather(1, places[..., None].expand_as(wanted))
        if signal:
            is_trigger = (places == 0)[..., None]
            alone = teacher(ours).last_hidden_state  # read from the left, so what follows does not matter
            wanted = torch.where(is_trigger, (1 - signal) * wanted + signal * alone, wanted)
    return (student(ours).last_hidden_state - wanted).pow(2).mean() / wanted.var()


def train(
    work: Path,
    cache: Path,
    model: Path,
    minutes: float,
    signal: float = SIGNAL,
    batch: int = 192,
    lr: float = 2e-3,
) -> None:
    """Train for ``minutes`` of wall time from the packed model's text encoder; writes ``work/text_encoder``.

    ``signal`` is the share of its old state that a trigger's token keeps, for an adapter to hold on to.
    Raises PicturesError if there are no pictures, OSError without WordNet.
    """
    tokenizer = CLIPTokenizer.from_pretrained(str(model / "tokenizer"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = CLIPTextModel.from_pretrained(str(model / "text_encoder"), dtype=torch.float32).to(device).eval()
    student = copy.deepcopy(teacher).train()
    concepts = read_concepts(work)
    wording = Wording(concepts, other_words(cache, concepts), tokenizer)
    optimizer = Pair(student, lr)
    rng, start, told, step = np.random.default_rng(), time.monotonic(), time.monotonic(), 0
    while (passed := (time.monotonic() - start) / 60 / minutes) < 1:
        optimizer.set_lr(lr * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * passed)))
        ours, theirs, places = (x.to(device) for x in wording.batch(wording.draw_many(rng, batch)))
        loss = unexplained(student, teacher, ours, theirs, places, signal)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        step += 1
        if time.monotonic() - told > 20:
            told = time.monotonic()
            log.info("%4.1f min  step %d  unexplained share of the states %.4f", (told - start) / 60, step, loss.item())
    note(work, "wording of the text encoder", minutes, step * batch)
    student.eval().save_pretrained(str(work / "text_encoder"))
    tokenizer.save_pretrained(str(work / "tokenizer"))
