"""Trains the autoencoder on composed pictures and freezes its latents to unit variance."""

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from worker.engines.image.base.patch_autoencoder import PatchAutoencoder
from worker.engines.image.builtin.making.icon_sets import OUTLINED
from worker.engines.image.builtin.making.pictures import Picture, load
from worker.engines.image.builtin.making.training import parallel, precision
from worker.engines.image.builtin.making.training.checkpoints import load_checkpoint, note, save_checkpoint
from worker.engines.image.builtin.making.training.optimizer import Pair

log = logging.getLogger(__name__)
HELD_OUT = 300
CONFIG: dict[str, Any] = {
    "widths": (128, 256),
    "encoder_blocks": (1, 1),
    "decoder_blocks": (2, 2),
    "latent_channels": 24,
}


def compose(rgba: Tensor, background: Tensor) -> Tensor:
    """Pictures uint8 (n, h, w, 4) over colours (n, 3) in 0..1. Returns float32 (n, 3, h, w) in -1..1, channels last."""
    x = rgba.permute(0, 3, 1, 2).float() / 255
    alpha = x[:, 3:]
    flat = x[:, :3] * alpha + background[:, :, None, None] * (1 - alpha)
    return (flat * 2 - 1).contiguous(memory_format=torch.channels_last)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio per picture in dB, for pictures (n, 3, h, w) in -1..1 (clipped to that range)."""
    error = ((a.clamp(-1, 1) - b.clamp(-1, 1)) / 2).float().pow(2).mean(dim=(1, 2, 3))
    return -10 * error.clamp_min(1e-10).log10()


def split(pictures: Sequence[Picture]) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to hold out, the same every time.

    Only plain icons are held out, and the outlined twin of a held-out icon is not trained on either.
    """
    plain = np.array([i for i, p in enumerate(pictures) if not p.style.startswith(OUTLINED)])
    held = plain[np.random.default_rng(7).permutation(len(plain))[:HELD_OUT]]
    unseen = {(pictures[i].icon_set, pictures[i].icon) for i in held}
    return np.array([i for i, p in enumerate(pictures) if (p.icon_set, p.icon) not in unseen]), held


def edge_loss(difference: Tensor) -> Tensor:
    """Mean absolute error of the horizontal and vertical steps between pixels; ``difference`` is (n, c, h, w).

    Squared error alone spreads a thin line over its neighbours.
    """
    across = (difference[..., 1:] - difference[..., :-1]).abs().mean()
    return across + (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()


def composed_batch(pixels: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
    """The pictures of these rows, moved a little, on white or on one random colour each: (n, 3, h, w) in -1..1.

    ``pixels`` is uint8 (pictures, variants, h, w, 4); a variant of each is drawn.
    """
    variants = rng.integers(0, pixels.shape[1], len(rows))
    picked = np.stack([pixels[r, v] for r, v in zip(rows, variants, strict=True)])
    if rng.random() < 0.5:
        picked = picked[:, :, ::-1]
    picked = np.roll(picked, tuple(rng.integers(-7, 8, 2)), axis=(1, 2))
    background = rng.random((len(rows), 3), dtype=np.float32)
    background[rng.random(len(rows)) < 0.45] = 1.0
    return compose(torch.from_numpy(np.ascontiguousarray(picked)), torch.from_numpy(background))


def held_out_pictures(pixels: np.ndarray, rows: np.ndarray) -> Tensor:
    """The first variant of these rows on white: (n, 3, h, w) in -1..1."""
    return compose(torch.from_numpy(np.ascontiguousarray(pixels[rows, 0])), torch.ones(len(rows), 3))


@torch.no_grad()
def reconstruct(model: PatchAutoencoder, x: Tensor) -> Tensor:
    """Encode and decode in batches of 50, without noise."""
    return torch.cat([model(part) for part in x.split(50)])


def train(
    work: Path,
    minutes: float,
    batch: int = 64,
    lr: float = 6e-3,
    noise: float = 0.1,
    processes: int = 2,
    config: dict[str, Any] | None = None,
    from_model: Path | None = None,
) -> None:
    """Train for `minutes` of wall time (cosine decay to zero), going on from `work/autoencoder.pt` where it exists,
    else from `from_model`'s weights.

    Writes the finished model to `work/vae`. `config` goes to PatchAutoencoder. Raises PicturesError if there are no
    pictures.
    """
    parallel.run(_run, processes, work, minutes, batch, lr, noise, config or CONFIG, from_model)


def _run(
    rank: int,
    size: int,
    work: Path,
    minutes: float,
    batch: int,
    lr: float,
    noise: float,
    config: dict[str, Any],
    from_model: Path | None,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pictures, pixels = load(work, "ae")
    kept = work / "autoencoder.pt"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rng, rows = np.random.default_rng((int(time.time()), rank)), split(pictures)
    torch.manual_seed(0)
    fresh = PatchAutoencoder.from_pretrained(str(from_model / "vae")) if from_model else PatchAutoencoder(**config)
    model = fresh.train().to(device, memory_format=torch.channels_last)
    optimizer = Pair(model, lr)
    checkpoint = load_checkpoint(kept)
    if checkpoint:
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
    torch.manual_seed(int(time.time()) + 1000 * rank)
    held = held_out_pictures(pixels, rows[1]).to(device)
    start = told = saved = time.monotonic()
    seen, step, mean_loss, passed = 0, 0, 0.0, 0.0
    while passed < 1:
        optimizer.set_lr(lr * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * passed)))
        x = composed_batch(pixels, rng.choice(rows[0], batch // size), rng).to(device)
        with precision.autocast(device):
            z = model.encode(x).latent_dist.mode()
            spread = z.detach().float().std(dim=(0, 2, 3), keepdim=True)
            y = model.decode(z + noise * spread * torch.randn_like(z)).sample
        difference = y.float() - x
        loss = difference.pow(2).mean() + 0.03 * difference.abs().mean() + 0.05 * edge_loss(difference)
        optimizer.zero_grad()
        loss.backward()
        now = time.monotonic()
        numbers = torch.tensor([loss.item(), (now - start) / 60 / minutes], device=device)
        numbers = parallel.average(model, numbers)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step, seen, passed = step + 1, seen + batch // size * size, float(numbers[1])
        mean_loss = float(numbers[0]) if step == 1 else 0.98 * mean_loss + 0.02 * float(numbers[0])
        if rank == 0 and now - told > 30:
            told = now
            quality = psnr(reconstruct(model, held[:50]), held[:50]).mean().item()
            log.info(
                "%5.1f min  %7d seen  %4.0f/s  loss %.5f  held out %.2f dB",
                (now - start) / 60,
                seen,
                seen / (now - start),
                mean_loss,
                quality,
            )
        if rank == 0 and now - saved > 120:
            saved = now
            save_checkpoint(kept, {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    if rank == 0:
        save_checkpoint(kept, {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
        note(work, "autoencoder", minutes, seen)
        normalise(model, pixels, rows[0], held.device)
        finish(work, model, held)


@torch.no_grad()
def normalise(model: PatchAutoencoder, pixels: np.ndarray, rows: np.ndarray, device: torch.device) -> None:
    """Give the latents of training pictures unit variance."""
    rng = np.random.default_rng(0)
    latents = [
        model.encode(composed_batch(pixels, rng.choice(rows, 64), rng).to(device)).latent_dist.mode() for _ in range(30)
    ]
    model.normalise_latents(torch.cat(latents))


@torch.no_grad()
def finish(work: Path, model: PatchAutoencoder, held: Tensor) -> None:
    """Log the held-out PSNR, write a sheet of reconstructions and `work/vae`."""
    model.eval()
    made = reconstruct(model, held)
    log.info("finished: %.2f dB on %d held-out pictures", psnr(made, held).mean().item(), len(held))
    sheet(work / "autoencoder.png", torch.stack([held[:24], made[:24]], 1).flatten(0, 1))
    model.to(memory_format=torch.contiguous_format).save_pretrained(work / "vae")


def sheet(path: Path, x: Tensor, columns: int = 12) -> None:
    """Write pictures (n, 3, h, w) in -1..1 as one PNG, `columns` to a row."""
    images = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    n, h, w, _ = images.shape
    page = np.full((math.ceil(n / columns) * (h + 2), columns * (w + 2), 3), 200, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (h + 2), i % columns * (w + 2)
        page[top : top + h, left : left + w] = image
    Image.fromarray(page).save(path)
