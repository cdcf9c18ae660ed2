"""Trains the autoencoder's decoder alone, against a critic of patches; encoder and latents stay as they are.

Squared error makes a decoder that does not know where a line lies spread it over its neighbours. A critic that tells
real patches from decoded ones (Isola et al. 2017, arXiv:1611.07004) with the hinge loss asks for sharp lines and flat
grounds instead. Its weight is set by the ratio of both losses' gradients at the last layer (Esser et al. 2021,
arXiv:2012.09841). Beside it, small cells must be as contrasty as the real ones, wherever in the cell the lines are. A
denoiser that was trained on the latents need not follow.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worker.engines.image.base.patch_autoencoder import PatchAutoencoder
from worker.engines.image.builtin.making.pictures import load
from worker.engines.image.builtin.making.training import parallel, precision
from worker.engines.image.builtin.making.training.autoencoder import (
    composed_batch,
    edge_loss,
    finish,
    held_out_pictures,
    psnr,
    reconstruct,
    split,
)
from worker.engines.image.builtin.making.training.checkpoints import load_checkpoint, note, save_checkpoint
from worker.engines.image.builtin.making.training.optimizer import Pair

log = logging.getLogger(__name__)
EMA = 0.99
WITHOUT_CRITIC = 100  # steps in which the critic learns before the decoder listens to it


@dataclass(frozen=True)
class Options:
    """What a run is asked for; `minutes` are wall time, `critic` is its weight beside the other losses, 0 for none."""

    work: Path
    minutes: float
    batch: int = 48
    lr: float = 4e-4
    critic: float = 0.3
    noise: float = 0.1
    processes: int = 2
    from_model: Path | None = None


def critic(width: int = 40) -> nn.Module:
    """Pictures (n, 3, h, w) in -1..1 to a verdict per patch of 22 pixels, (n, 1, h/8, w/8): above 0 means real."""

    def layer(inputs: int, outputs: int, stride: int = 2) -> nn.Module:
        return nn.utils.parametrizations.spectral_norm(
            nn.Conv2d(inputs, outputs, 4 if stride == 2 else 3, stride, padding=1)
        )

    return nn.Sequential(
        layer(3, width),
        nn.LeakyReLU(0.2),
        layer(width, 2 * width),
        nn.LeakyReLU(0.2),
        layer(2 * width, 3 * width),
        nn.LeakyReLU(0.2),
        layer(3 * width, 1, stride=1),
    )


def contrast_loss(made: Tensor, real: Tensor, cell: int = 4) -> Tensor:
    """Mean absolute difference of the steps' root mean square in cells of ``cell`` pixels; pictures (n, 3, h, w).

    A line that is spread over its neighbours has smaller squares than a sharp one, also where it is moved a little.
    """

    def contrast(x: Tensor) -> Tensor:
        across, down = x[..., 1:, 1:] - x[..., 1:, :-1], x[..., 1:, 1:] - x[..., :-1, 1:]
        return (F.avg_pool2d(across.pow(2) + down.pow(2), cell) + 1e-4).sqrt()

    return (contrast(made) - contrast(real)).abs().mean()


def error_of(made: Tensor, real: Tensor) -> Tensor:
    """Squared and absolute error of pixels, absolute error of the steps between them, and of the contrast of cells."""
    difference = made - real
    pixels = difference.pow(2).mean() + 0.03 * difference.abs().mean()
    return pixels + 0.15 * edge_loss(difference) + 0.5 * contrast_loss(made, real)


def balance(error: Tensor, doubt: Tensor, last: Tensor) -> Tensor:
    """What `doubt` is multiplied with so that both losses pull equally hard on the weights `last`, at most 1,000."""
    pulls = [torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (error, doubt)]
    return (pulls[0] / (pulls[1] + 1e-8)).clamp(max=1_000).detach()


def train(options: Options) -> None:
    """Train for `minutes` of wall time, going on from `work/decoder.pt`; writes `work/vae` (moving average).

    Without a checkpoint it starts from `work/vae`, else from `from_model`'s. The last tenth lowers the rate. Raises
    PicturesError without pictures, OSError without an autoencoder.
    """
    parallel.run(_run, options.processes, options)


def _decoder_of(model: PatchAutoencoder) -> nn.ModuleList:
    parts = (model.from_latent, model.decoder_coarse, model.up, model.decoder_fine, model.conv_out)
    return nn.ModuleList(parts)


def _run(rank: int, size: int, options: Options) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    work = options.work
    pictures, pixels = load(work, "ae")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folder = options.from_model if options.from_model and not (work / "vae").exists() else work
    torch.manual_seed(0)
    model = PatchAutoencoder.from_pretrained(str(folder / "vae")).requires_grad_(False)
    decoder, judge = _decoder_of(model).requires_grad_(True), critic()
    for part in (model, judge):
        part.train().to(device, memory_format=torch.channels_last)
    optimizer = Pair(decoder, options.lr)
    judging = torch.optim.AdamW(judge.parameters(), 1e-3, betas=(0.5, 0.99), fused=True)
    checkpoint = load_checkpoint(work / "decoder.pt")
    if checkpoint:
        decoder.load_state_dict(checkpoint["decoder"])
        judge.load_state_dict(checkpoint["judge"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        judging.load_state_dict(checkpoint["judging"])
    ema = checkpoint["ema"] if checkpoint else {k: v.detach().clone() for k, v in decoder.state_dict().items()}
    seed = int(time.time()) + 1000 * rank
    torch.manual_seed(seed)
    rng, rows = np.random.default_rng(seed), split(pictures)
    held = held_out_pictures(pixels, rows[1]).to(device)
    start = told = saved = noted = time.monotonic()
    seen, noted_seen, step, passed = 0, 0, 0, 0.0
    mean = torch.zeros(3)
    while passed < 1:
        optimizer.set_lr(options.lr * min(1.0, (step + 1) / 50) * min(1.0, (1 - passed) / 0.1))
        real = composed_batch(pixels, rng.choice(rows[0], options.batch // size), rng).to(device)
        with precision.autocast(device):
            with torch.no_grad():
                z = model.encode(real).latent_dist.mode()
                z = z + options.noise * torch.randn_like(z)
            made = model.decode(z).sample
        loss = error = error_of(made.float(), real)
        if options.critic:
            with precision.autocast(device):
                doubt = -judge(made).float().mean()
            listened = options.critic if checkpoint or step >= WITHOUT_CRITIC else 0.0
            loss = error + listened * balance(error, doubt, model.conv_out.weight) * doubt
        optimizer.zero_grad()
        loss.backward()
        judged = torch.zeros(())
        if options.critic:
            judging.zero_grad()
            with precision.autocast(device):
                right, wrong = judge(real).float(), judge(made.detach()).float()
            judged = F.relu(1 - right).mean() + F.relu(1 + wrong).mean()
            judged.backward()
        now = time.monotonic()
        numbers = torch.tensor([error.item(), judged.item(), (now - start) / 60 / options.minutes], device=device)
        numbers = parallel.average(nn.ModuleList([decoder, judge]), numbers).cpu()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        if options.critic:
            judging.step()
        step, seen, passed = step + 1, seen + options.batch // size * size, float(numbers[2])
        mean = numbers if step == 1 else mean.lerp(numbers, 0.02)
        if rank != 0:
            continue
        with torch.no_grad():
            for k, v in decoder.state_dict().items():
                ema[k].lerp_(v, 1 - min(EMA, (1 + step) / (10 + step)))
        if now - told > 30:
            told = now
            quality = psnr(reconstruct(model, held[:50]), held[:50]).mean().item()
            log.info(
                "%5.1f min  %7d seen  %4.0f/s  error %.5f  critic %.3f  held out %.2f dB",
                (now - start) / 60,
                seen,
                seen / (now - start),
                mean[0],
                mean[1],
                quality,
            )
        if now - saved > 120 or passed >= 1:
            saved = now
            state = {"decoder": decoder.state_dict(), "judge": judge.state_dict(), "ema": ema}
            state |= {"optimizer": optimizer.state_dict(), "judging": judging.state_dict()}
            save_checkpoint(work / "decoder.pt", state)
            note(work, "decoder alone", (now - noted) / 60, seen - noted_seen)
            noted, noted_seen = now, seen
    if rank == 0:
        decoder.load_state_dict(ema)
        finish(work, model, held)
