"""How ``pins`` lets the engines train, draw and write: with tiny bases, through their public functions alone."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import Flux2Transformer2DModel, FluxTransformer2DModel, UNet2DConditionModel
from PIL import Image
from transformers import LlamaForCausalLM

from tests.worker.image import tiny, tiny_flux
from tests.worker.text import tiny as tiny_text
from worker.engines import registry
from worker.engines.contracts import (
    AdapterFile,
    Base,
    Cancelled,
    GenerationInputs,
    GiveBack,
    TrainingInputs,
    TrainingPicture,
)
from worker.engines.image.builtin import stand_in
from worker.engines.text_contracts import Said, WritingInputs

LONG = "a jar on a table in the morning light with a blue lid"
"""More than one of the tiny tokenizer's pieces."""


@dataclass(frozen=True)
class Room:
    """Where a case writes, and where the checkpoint is from which its training goes on."""

    out: Path
    kept: Path
    is_first: bool


Case = Callable[["Bases", Room], dict[str, Any]]


@dataclass
class Bases:
    """Base models by name, each made when it is first asked for."""

    folder: Path
    made: dict[str, Base] = field(default_factory=dict)

    def get(self, name: str) -> Base:
        if name not in self.made:
            family, make = MAKE[name]
            if family == "causal_lm":
                self.made[name] = make(self.folder / name)
            else:
                make().save_pretrained(self.folder / name)
                self.made[name] = Base(f"tiny-{name}", family, str(self.folder / name))
        return self.made[name]


MAKE: dict[str, tuple[str, Callable[..., Any]]] = {
    "sd": ("stable_diffusion", tiny.pipeline),
    "sd-v": (
        "stable_diffusion",
        lambda: tiny.pipeline(seed=3, prediction_type="v_prediction", zero_terminal_snr=True),
    ),
    "builtin": ("stable_diffusion", lambda: stand_in.random_pipeline(0)),
    "xl": ("stable_diffusion_xl", tiny.xl_pipeline),
    "dev": ("flux", tiny_flux.flux),
    "schnell": ("flux", lambda: tiny_flux.flux(guidance_embeds=False)),
    "klein": ("flux2_klein", tiny_flux.klein),
    "llm": ("causal_lm", lambda folder: tiny_text.save_model(folder)),
    "llm-plain": ("causal_lm", lambda folder: tiny_text.save_model(folder, chat=False)),
    "llm-wide": ("causal_lm", lambda folder: tiny_text.save_model(folder, width=256, layers=2)),
}
DENOISERS: dict[str, Any] = {
    "stable_diffusion": UNet2DConditionModel,
    "stable_diffusion_xl": UNet2DConditionModel,
    "flux": FluxTransformer2DModel,
    "flux2_klein": Flux2Transformer2DModel,
    "causal_lm": LlamaForCausalLM,
}


@contextlib.contextmanager
def little_memory(family: str) -> Iterator[None]:
    """Meanwhile passes of more than two samples run out of memory; in a step those of more than one, and of one too
    unless activations are computed again."""
    model = DENOISERS[family]
    real = model.forward

    def forward(self: Any, *arguments: Any, **named: Any) -> Any:
        samples = next(one for one in (*arguments, *named.values()) if isinstance(one, torch.Tensor))
        again = getattr(self, "is_activation_checkpointing", False) or getattr(self, "is_gradient_checkpointing", False)
        if len(samples) > 2 or (torch.is_grad_enabled() and (len(samples) > 1 or not again)):
            raise torch.OutOfMemoryError("pinned")
        return real(self, *arguments, **named)

    model.forward = forward
    try:
        yield
    finally:
        model.forward = real


def _told(recorder: tiny.Recorder | tiny_text.Notes, result: Any) -> dict[str, Any]:
    told = {name: value for name, value in vars(recorder).items() if name not in ("stop", "at", "stop_at")}
    return {**told, "result": result}


# Pictures ---------------------------------------------------------------------------------------------------------


def training_pictures(name: str, folder: Path, *, are_mixed: bool) -> tuple[TrainingPicture, ...]:
    """Three squares, or where they are mixed two squares and two wide ones with longer captions."""
    side = 128 if name == "builtin" else 32
    squares = tiny.pictures(folder / "squares", count=3, size=(side, side))
    if not are_mixed:
        return squares
    wide = [
        replace(one, caption=f"{LONG}, blue, {number}", left=4, width=40, top=8, height=27)
        for number, one in enumerate(tiny.pictures(folder / "wide", count=2, size=(side * 3 // 2, side)))
    ]
    return (*squares[:2], *wide)


def train(
    name: str, *, stop_at: int = 0, stop: type[Exception] = GiveBack, mixed: bool = False, short: bool = False,
    **changes: Any,
) -> Case:  # fmt: skip
    """A training of a few steps; with ``stop_at`` it is given back after that step and goes on in a second run."""

    def case(bases: Bases, room: Room) -> dict[str, Any]:
        base = bases.get(name)
        engine = registry.engine_for(base.family)
        asked = {"steps": 4, "checkpoint_every": 2, "sample_prompts": ("[trigger] jar",), "learning_rate": 1e-2}
        if name == "builtin":
            asked |= {"resolution": 128}
        recipe = tiny.training_recipe(**(asked | changes))
        pictures = training_pictures(name, bases.folder / "pictures" / name, are_mixed=mixed)
        inputs = TrainingInputs(base, pictures)
        recorder = tiny.Recorder(stop=stop if stop_at else None, at=stop_at)
        with little_memory(base.family) if short else contextlib.nullcontext():
            if not stop_at or stop is Cancelled:
                return _told(recorder, engine.train(recipe, inputs, room.out, recorder))
            with contextlib.suppress(GiveBack):
                engine.train(recipe, inputs, room.out / "first", recorder)
            first = {f"first {key}": value for key, value in _told(recorder, None).items()}
            registry.drop_kept()
            resumed, second = (
                replace(inputs, resume_from=checkpoint_of(room, recorder.checkpoints[-1][0])),
                tiny.Recorder(),
            )
            return first | _told(second, engine.train(recipe, resumed, room.out / "second", second))

    return case


def checkpoint_of(room: Room, folder: Path) -> Path:
    """The checkpoint to go on from: that of the first run ever."""
    if room.is_first:
        shutil.rmtree(room.kept, ignore_errors=True)
        shutil.copytree(folder, room.kept)
    return room.kept


ADAPTERS: dict[str, dict[str, Any]] = {
    "lora": {"target_modules": "attention_and_feed_forward"},
    "rslora": {"network": "rslora", "rank": 2},
    "dora": {"network": "dora"},
    "lokr": {"network": "lokr", "target_modules": "all_layers"},
    "words": {"train_text_encoder": True, "text_encoder_lr": 0.3},
}


def adapter(bases: Bases, name: str, kind: str, strength: float = 1.0) -> AdapterFile:
    """One that was trained for two steps at a rate that shows."""
    folder = bases.folder / "adapters" / f"{name}-{kind}"
    if not folder.exists():
        base = bases.get(name)
        side = 128 if name == "builtin" else 64
        recipe = tiny.training_recipe(
            steps=2, learning_rate=0.3, max_grad_norm=100.0, resolution=side, **ADAPTERS[kind]
        )
        pictures = training_pictures(name, bases.folder / "pictures" / name, are_mixed=False)
        registry.engine_for(base.family).train(recipe, TrainingInputs(base, pictures), folder, tiny.Recorder())
    return AdapterFile(f"{name}-{kind}", folder / "adapter.safetensors", strength)


def start_files(folder: Path, side: int) -> tuple[Path, Path]:
    """A picture that is wider than high, and a mask of its size."""
    folder.mkdir(parents=True, exist_ok=True)
    picture, mask = folder / "start.png", folder / "mask.png"
    colours = np.random.default_rng(0).integers(0, 255, (4, 5, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((side * 5 // 4, side), Image.Resampling.BICUBIC).save(picture)
    grey = np.zeros((side, side * 5 // 4), np.uint8)
    grey[:, side * 3 // 5 :] = 255
    grey[: side // 4, : side // 4] = 90
    Image.fromarray(grey).save(mask)
    return picture, mask


def draw(
    name: str, *kinds: tuple[str, float], start: bool = False, mask: bool = False, batch_size: int | None = None,
    offload: Any = None, tiled: bool | None = None, stop_at: int = 0, again: bool = False, short: bool = False,
    **changes: Any,
) -> Case:  # fmt: skip
    """Some pictures with adapters of these kinds and strengths; with ``again`` the base alone afterwards."""

    def case(bases: Bases, room: Room) -> dict[str, Any]:
        base = bases.get(name)
        engine = registry.engine_for(base.family)
        asked: dict[str, Any] = {"width": 128, "height": 128} if name == "builtin" else {}
        recipe = tiny.generation_recipe(**(asked | changes))
        adapters = tuple(adapter(bases, name, kind, strength) for kind, strength in kinds)
        picture, hidden = start_files(bases.folder / "start", 64)
        inputs = GenerationInputs(
            base,
            adapters,
            image=picture if start or mask else None,
            mask=hidden if mask else None,
            offload=offload,
            batch_size=batch_size,
            tiled=tiled,
        )
        recorder = tiny.Recorder(stop=Cancelled if stop_at else None, at=stop_at)
        with little_memory(base.family) if short else contextlib.nullcontext():
            drawn = list(engine.generate(recipe, inputs, room.out / "drawn", recorder))
        if again:
            bare = recipe.model_copy(update={"strengths": (), "count": 1})
            list(engine.generate(bare, GenerationInputs(base), room.out / "bare", tiny.Recorder()))
        return _told(recorder, drawn)

    return case


def shipped() -> Case:
    """A picture of the built-in model itself, enlarged as all of its are."""

    def case(bases: Bases, room: Room) -> dict[str, Any]:
        base = Base("livery-builtin", "stable_diffusion", "builtin")
        recipe = tiny.generation_recipe(width=128, height=128, steps=2, count=1, prompt="a red apple, soft style")
        recorder = tiny.Recorder()
        engine = registry.engine_for(base.family)
        inputs = GenerationInputs(base, enlargement=4)
        return _told(recorder, list(engine.generate(recipe, inputs, room.out, recorder)))

    return case


# Texts ------------------------------------------------------------------------------------------------------------


def train_voice(
    name: str, *, stop_at: int = 0, stop: type[Exception] = GiveBack, then: dict[str, Any] | None = None,
    short: bool = False, given: dict[str, Any] | None = None, **changes: Any,
) -> Case:  # fmt: skip
    """A training of a voice; with ``stop_at`` it is given back after that step and goes on with ``then`` changed."""

    def case(bases: Bases, room: Room) -> dict[str, Any]:
        base = bases.get(name)
        engine = registry.text_engine_for(base.family)
        recipe = tiny_text.voice_recipe(**({"epochs": 2, "sample_count": 1, "measured_texts": 2} | changes))
        inputs = tiny_text.voice_inputs(base, **(given or {}))
        notes = tiny_text.Notes(stop() if stop_at else None, stop_at)
        with little_memory(base.family) if short else contextlib.nullcontext():
            if not stop_at or stop is Cancelled:
                return _told(notes, engine.train(recipe, inputs, room.out, notes))
            with contextlib.suppress(GiveBack):
                engine.train(recipe, inputs, room.out / "first", notes)
            first = {f"first {key}": value for key, value in _told(notes, None).items()}
            registry.drop_kept()
            resumed, second = replace(inputs, resume_from=checkpoint_of(room, notes.checkpoints[-1])), tiny_text.Notes()
            changed = recipe.model_copy(update=then or {})
            return first | _told(second, engine.train(changed, resumed, room.out / "second", second))

    return case


def write(name: str, *, messages: Sequence[Said] = (), trained: bool = True, **changes: Any) -> Case:
    """Two variants of a text, with an adapter or without, and the adapter for llama.cpp."""

    def case(bases: Bases, room: Room) -> dict[str, Any]:
        base = bases.get(name)
        engine = registry.text_engine_for(base.family)
        asked = tiny_text.Asked(count=2, **changes)
        asked = replace(asked, messages=tuple(messages) or asked.messages)
        folder = bases.folder / "adapters" / f"{name}-{asked.kind}"
        if not folder.exists():
            recipe = tiny_text.voice_recipe(epochs=1, kind=asked.kind, sample_count=0, measured_texts=0)
            engine.train(recipe, tiny_text.voice_inputs(base, held_out=()), folder, tiny_text.Notes())
        weights = folder / "adapter.safetensors"
        notes = tiny_text.Notes()
        inputs = WritingInputs(base, AdapterFile(folder.name, weights, 0.8) if trained else None)
        written = list(engine.write(asked, inputs, notes))
        return {**_told(notes, written), "gguf": engine.gguf_adapter(base, weights, room.out / "adapter.gguf")}

    return case
