"""``python -m tests.benchmarks.training_loop``: the same small model, pictures, steps and batch, trained by Livery's
engine and by a plain loop over diffusers, peft and accelerate that reads, encodes and embeds in every step, as the
libraries' own example script does.

Prints seconds a step of both and their ratio, the losses at the end beside their spread, and which share of a step ours
spends outside forward, backward and optimizer: by the clock, and of the time that the loop's own thread computed, which
other work on the machine hardly changes. Judges nothing.

Forward is the call of the denoiser, backward the walk back from the loss, optimizer its ``step``. All else is outside:
choosing pictures, noise, words, the loss, moving and cutting tensors, giving the graph back, the gradient's length and
its clipping, forgetting it, averages and reports.
"""

import argparse
import logging
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler, StableDiffusionPipeline
from diffusers.optimization import get_scheduler
from peft import LoraConfig
from PIL import Image

from tests.worker.image import tiny
from worker.engines import optimizers
from worker.engines.contracts import Base, Step, TrainingInputs, TrainingPicture
from worker.engines.image.base import lora, model_cache
from worker.engines.image.families import stable_diffusion

SIDE = 128
PICTURES = 12
RATE = 1e-3
WARM_UP = 5


def photographs(folder: Path) -> tuple[TrainingPicture, ...]:
    """Files of the size of photographs, each cropped whole and scaled to ``SIDE``."""
    made = []
    for index in range(PICTURES):
        random = np.random.default_rng(index)
        small = random.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        path = folder / f"picture-{index}.png"
        Image.fromarray(small).resize((1024, 1024), Image.Resampling.BICUBIC).save(path)
        made.append(TrainingPicture(path, f"stripes {index}", 0, 0, 1024, 1024, SIDE, SIDE))
    return tuple(made)


class Watch:
    """Adds up the time inside forward, backward and optimizer."""

    def __init__(self) -> None:
        self.seconds = self.computed = 0.0

    def around(self, call: Any) -> Any:
        def timed(*given: Any, **named: Any) -> Any:
            began, computing = time.perf_counter(), time.thread_time()
            try:
                return call(*given, **named)
            finally:
                self.computed += time.thread_time() - computing
                self.seconds += time.perf_counter() - began

        return timed


class Steps(tiny.Recorder):
    """Remembers what the watch and the thread's clock said after each step."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch
        self.marks: list[tuple[float, float, float, float]] = []

    def step(self, step: Step) -> None:
        super().step(step)
        self.marks.append((time.perf_counter(), self.watch.seconds, time.thread_time(), self.watch.computed))

    def outside(self) -> tuple[float, float]:
        """Shares of the steps after the first ones, which warm caches up: by the clock, and of the thread's time."""
        seconds, inside, computed, computed_inside = (
            last - first for first, last in zip(self.marks[WARM_UP], self.marks[-1], strict=True)
        )
        return 1 - inside / seconds, 1 - computed_inside / computed


def livery(
    base: Base, pictures: tuple[TrainingPicture, ...], steps: int, batch: int, out: Path
) -> tuple[list[Step], tuple[float, float]]:
    """Losses and seconds of every step, and ``Steps.outside``."""
    watch = Watch()
    unet = stable_diffusion.load(base).pipeline.unet
    backward, make, forward = torch.Tensor.backward, optimizers.make, unet.forward

    def watched(*given: Any, **options: Any) -> torch.optim.Optimizer:
        optimizer = make(*given, **options)
        optimizer.step = watch.around(optimizer.step)  # type: ignore[method-assign]
        return optimizer

    recipe = tiny.training_recipe(
        steps=steps, batch_size=batch, checkpoint_every=10_000, learning_rate=RATE, resolution=SIDE,
        caption_dropout=0.0, min_snr_gamma=None, rank=4, alpha=4.0, sample_prompts=[],
    )  # fmt: skip
    recorder = Steps(watch)
    torch.Tensor.backward, optimizers.make = watch.around(backward), watched  # type: ignore[method-assign]
    unet.forward = watch.around(forward)
    try:
        stable_diffusion.train(recipe, TrainingInputs(base, pictures), out, recorder)
    finally:
        torch.Tensor.backward, optimizers.make = backward, make  # type: ignore[method-assign]
        del unet.forward
        model_cache.drop()
    return recorder.steps, recorder.outside()


def plain(
    base: Base, pictures: tuple[TrainingPicture, ...], steps: int, batch: int, seed: int = 1
) -> tuple[list[float], list[float]]:
    """Losses and seconds of every step of the plain loop."""
    torch.manual_seed(seed)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    pipeline = StableDiffusionPipeline.from_pretrained(base.source, safety_checker=None)
    unet, vae, encoder, tokenizer = pipeline.unet, pipeline.vae, pipeline.text_encoder, pipeline.tokenizer
    for model in (unet, vae, encoder):
        model.requires_grad_(False)
    config = LoraConfig(r=4, lora_alpha=4, init_lora_weights="gaussian", target_modules=list(lora.TARGETS["attention"]))
    unet.add_adapter(config)
    for parameter in unet.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    noising = DDPMScheduler.from_config(pipeline.scheduler.config)

    class Files(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
            with Image.open(pictures[index].path) as opened:
                scaled = opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            values = torch.from_numpy(np.array(scaled, dtype=np.float32)) / 127.5 - 1
            words = tokenizer(
                "brandx, " + pictures[index].caption, padding="max_length", truncation=True, return_tensors="pt",
                max_length=tokenizer.model_max_length,
            )  # fmt: skip
            return {"pixels": values.permute(2, 0, 1), "ids": words.input_ids[0]}

    trained = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimizer: Any = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.01)
    loader: Any = torch.utils.data.DataLoader(Files(), shuffle=True, batch_size=batch)
    schedule: Any = get_scheduler("constant", optimizer=optimizer)
    unet, optimizer, loader, schedule = accelerator.prepare(unet, optimizer, loader, schedule)
    vae.to(accelerator.device)
    encoder.to(accelerator.device)
    losses: list[float] = []
    seconds: list[float] = []
    while len(losses) < steps:
        began = time.perf_counter()
        for samples in loader:
            with accelerator.accumulate(unet):
                latents = vae.encode(samples["pixels"]).latent_dist.sample() * vae.config.scaling_factor
                noise = torch.randn_like(latents)
                timesteps = torch.randint(0, 1000, (len(latents),), device=latents.device)
                noisy = noising.add_noise(latents, noise, timesteps)
                embeddings = encoder(samples["ids"])[0]
                prediction = unet(noisy, timesteps, embeddings, return_dict=False)[0]
                loss = torch.nn.functional.mse_loss(prediction.float(), noise.float())
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(trained, 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            losses.append(loss.detach().item())
            seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
            if len(losses) == steps:
                break
    return losses, seconds


def at_the_end(losses: list[float]) -> tuple[float, float]:
    """Mean of the last half, and its standard error."""
    last = losses[len(losses) // 2 :]
    return statistics.mean(last), statistics.stdev(last) / math.sqrt(len(last))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=2)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny.pipeline().save_pretrained(folder / "model")
        base = Base("tiny", "stable_diffusion", str(folder / "model"))
        pictures = photographs(folder)
        theirs, their_seconds = plain(base, pictures, arguments.steps, arguments.batch)
        ours, (outside, computed) = livery(base, pictures, arguments.steps, arguments.batch, folder / "out")
    # The first steps warm caches up on both sides; the median leaves out what else the machine did.
    our_pace = statistics.median(step.seconds for step in ours[WARM_UP:])
    their_pace = statistics.median(their_seconds[WARM_UP:])
    our_loss, our_error = at_the_end([step.loss for step in ours])
    their_loss, their_error = at_the_end(theirs)
    apart = abs(our_loss - their_loss) / math.hypot(our_error, their_error)
    print(
        f"{arguments.steps} steps of {arguments.batch} pictures of {SIDE} × {SIDE}, {torch.get_num_threads()} threads"
    )
    print(f"plain loop      {their_pace * 1000:8.1f} ms a step   loss at the end {their_loss:.4f} ± {their_error:.4f}")
    print(f"Livery's engine {our_pace * 1000:8.1f} ms a step   loss at the end {our_loss:.4f} ± {our_error:.4f}")
    print(f"ratio           {their_pace / our_pace:8.2f}             losses {apart:.1f} standard errors apart")
    print(f"outside forward, backward and optimizer: {outside:.1%} of a step, {computed:.1%} of its thread's own time")


if __name__ == "__main__":
    main()
