"""Trains the denoiser on cached latents, in one process per core (or one on a GPU), with averaged gradients.

v-prediction (Salimans and Ho 2022, arXiv:2202.00512) with zero terminal SNR (Lin et al. 2023, arXiv:2305.08891). The
loss is weighted with min(1, 5 / (SNR + 1)): plain v-loss where little is known, and min-SNR's cut (Hang et al. 2023,
arXiv:2303.09556) where only the finest detail is left.
"""

import logging
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from worker.engines.image.base.patch_autoencoder import PatchAutoencoder
from worker.engines.image.builtin import layout
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.pictures import VARIED, Picture, ink_of, load
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.training import parallel, precision
from worker.engines.image.builtin.making.training.autoencoder import compose, sheet
from worker.engines.image.builtin.making.training.checkpoints import load_checkpoint, note, save_checkpoint
from worker.engines.image.builtin.making.training.optimizer import Pair
from worker.engines.image.builtin.making.training.samples import may_go_unsaid, tokens
from worker.engines.image.builtin.making.words.captions import COLOURS, WHITE, Choice, caption

log = logging.getLogger(__name__)
WIDTHS = (128, 256)
COLOURED = 2  # coloured backgrounds cached per placement of a picture, beside the white one
UNCAPTIONED = 0.2  # share of pictures without a caption, for guidance
UNSAID = 0.4  # share of captions without a style, where it may go unsaid: so people ask, and so adapters are used
VARIED_WEIGHT = 0.35  # how often lines, outlines and shapes of one colour come, beside 1 for a style of many colours
EMA = 0.99  # of about a hundred steps: on a processor an hour has no more than two thousand
SAMPLES = (
    "flat style rocket",
    "rakete im detailreichen stil",
    "bold style dog face",
    "soft style red apple",
    "flat style house on a navy background",
    "haus im kräftigen stil auf gelbem hintergrund",
    "detailed style guitar",
    "kaffee, weicher stil",
    "flat style sunflower on a light blue background",
    "fahrrad im flachen stil",
    "bold style key on a pink background",
    "detailed style hamburger",
    "regenschirm im kräftigen stil",
    "soft style fish on a turquoise background",
    "pokal im flachen stil auf rotem hintergrund",
    "flat style lightning, sky",
    "bold style camera",
    "detailed style cactus",
    "pizza im weichen stil",
    "flat style gift on an orange background",
    "bus im kräftigen stil",
    "detailed style owl",
    "flat style light bulb on a purple background",
    "schmetterling im detailreichen stil",
)


@dataclass(frozen=True)
class Options:
    """What a run is asked for; `minutes` are wall time, learning rates are of the whole optimiser pair."""

    work: Path
    minutes: float
    batch: int = 64
    lr: float = 5e-3
    processes: int = 2
    from_model: Path | None = None


def cache_latents(work: Path, processes: int = 2) -> None:
    """Encode every picture of the concepts in every placement, on white and on random named colours.

    `work/latents.pt` then holds the pictures' rows (picture), float16 latents (picture, placement, 1 + COLOURED, c,
    h, w)
    and colour numbers (picture, placement, 1 + COLOURED). Raises PicturesError without pictures.
    """
    parallel.run(_cache_part, processes, work)
    parts = [load_checkpoint(path) or {} for path in sorted(work.glob("latents-part*.pt"))]
    save_checkpoint(work / "latents.pt", {k: torch.cat([part[k] for part in parts]) for k in parts[0]})
    for path in work.glob("latents-part*.pt"):
        path.unlink()


@torch.no_grad()
def _cache_part(rank: int, size: int, work: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pictures, pixels = load(work, "denoiser")
    known = {c.key for c in read_concepts(work)}
    rows = [i for i, p in enumerate(pictures) if p.concept in known][rank::size]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    vae = PatchAutoencoder.from_pretrained(str(work / "vae")).eval().to(device, memory_format=torch.channels_last)
    palette = torch.tensor([c[2] for c in COLOURS]) / 255
    colours = torch.from_numpy(
        np.random.default_rng(rank).integers(1, len(COLOURS), (len(rows), pixels.shape[1], 1 + COLOURED))
    )
    colours[:, :, 0] = WHITE
    parts = []
    for n, i in enumerate(rows):
        rgba = torch.from_numpy(np.array(pixels[i])).repeat_interleave(1 + COLOURED, 0)
        x = compose(rgba, palette[colours[n].flatten()]).to(device)
        with precision.autocast(device):
            parts.append(vae.encode(x).latent_dist.mode().half().cpu())
        if n % 200 == 0:
            log.info("latents of %d / %d pictures", n, len(rows))
    latents = torch.stack(parts).unflatten(1, (pixels.shape[1], 1 + COLOURED))
    save_checkpoint(
        work / f"latents-part{rank}.pt",
        {"rows": torch.tensor(rows), "latents": latents.contiguous(), "colours": colours},
    )


class Sampler:
    """Draws pictures: every concept equally often, in each of the styles that draw it; ``VARIED`` ones less often."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        rows: dict[str | None, dict[str, list[int]]] = {}
        for i, picture in enumerate(pictures):
            rows.setdefault(picture.concept, {}).setdefault(picture.style, []).append(i)
        self._rows = [list(styles.values()) for styles in rows.values()]
        self._shares = [_shares(styles) for styles in rows.values()]

    def draw(self, rng: np.random.Generator) -> int:
        """The number of a picture."""
        concept = int(rng.integers(len(self._rows)))
        pictures = self._rows[concept][int(np.searchsorted(self._shares[concept], rng.random(), side="right"))]
        return pictures[int(rng.integers(len(pictures)))]


def _shares(styles: Iterable[str]) -> np.ndarray:
    """The running sum of how often each style is drawn, up to 1."""
    often = np.cumsum([VARIED_WEIGHT if style in VARIED else 1.0 for style in styles])
    return often / often[-1]


class Examples:
    """Draws latents and captions; also holds the frozen text encoder."""

    def __init__(self, work: Path, seed: int, device: torch.device) -> None:
        cached = load_checkpoint(work / "latents.pt")
        if cached is None:
            raise FileNotFoundError(f"{work / 'latents.pt'} is missing; run cache_latents")
        self.latents, self.colours = cached["latents"], cached["colours"]
        pictures = load(work, "denoiser")[0]
        self.pictures = [pictures[i] for i in cached["rows"].tolist()]
        self.sampler = Sampler(self.pictures)
        self.concepts: dict[str, Concept] = {c.key: c for c in read_concepts(work)}
        self.tokenizer = CLIPTokenizer.from_pretrained(str(work / "tokenizer"))
        self.text = (
            CLIPTextModel.from_pretrained(str(work / "text_encoder"), dtype=torch.float32)
            .eval()
            .requires_grad_(False)
            .to(device)
        )
        self.rng = np.random.default_rng(seed)
        self.device = device

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """Latents float32 (n, c, h, w) and hidden states of their captions (n, length, width)."""
        texts, rows = [], []
        for _ in range(n):
            i = self.sampler.draw(self.rng)
            varied = self.pictures[i].style in VARIED
            place = 0 if self.rng.random() < (0.4 if varied else 0.7) else int(self.rng.integers(self.latents.shape[1]))
            # Without a caption always on white: guidance pushes away from what is drawn then, and a mixture of colours
            # there pushes a white background beyond white, into tints.
            text, ground = "", 0
            if self.rng.random() >= UNCAPTIONED:
                ground = 0 if self.rng.random() < 0.6 else int(self.rng.integers(1, self.latents.shape[2]))
                text = self.caption(i, place, int(self.colours[i, place, ground]))
            rows.append(self.latents[i, place, ground])
            texts.append(text)
        return torch.stack(rows).float().to(self.device), self.embed(texts)

    def caption(self, picture: int, place: int, colour: int) -> str:
        """A caption; a white background often goes without saying, and a style may, but not an ink that is not the
        style's own (``VARIED``).
        """
        p = self.pictures[picture]
        said = colour if self.rng.random() < (0.25 if colour == WHITE else 0.98) else None
        concept, ink = self.concepts[str(p.concept)], ink_of(p, place) if place > 0 and p.style in VARIED else None
        unsaid = ink is None and may_go_unsaid(concept, p.style) and self.rng.random() < UNSAID
        return caption(Choice(concept, None if unsaid else p.style, said, ink), self.rng)

    @torch.no_grad()
    def embed(self, texts: list[str]) -> Tensor:
        """Hidden states (n, length, width) as the pipeline gives them to the denoiser."""
        ids = tokens(self.tokenizer, texts).to(self.device)
        with precision.autocast(self.device):
            return self.text(ids).last_hidden_state


def loss_of(unet: UNet2DConditionModel, alphas: Tensor, z: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted v-loss of a batch, and its unweighted part at high noise (t >= 600), for the log."""
    n = len(z)
    t = ((torch.rand(n, device=z.device) + torch.arange(n, device=z.device)) / n * len(alphas)).long()
    t = t[torch.randperm(n, device=z.device)].clamp_max(len(alphas) - 1)
    alpha = alphas[t]
    a, s = alpha.sqrt()[:, None, None, None], (1 - alpha).sqrt()[:, None, None, None]
    noise = torch.randn_like(z)
    with precision.autocast(z.device):
        v = unet(a * z + s * noise, t, hidden).sample
    error = (v.float() - (a * noise - s * z)).pow(2).mean(dim=(1, 2, 3))
    snr = alpha / (1 - alpha)
    return (error * (5 / (snr + 1)).clamp_max(1)).mean(), error[t >= 600].mean().detach()


def _fresh(options: Options) -> UNet2DConditionModel:
    if options.from_model is not None:
        return UNet2DConditionModel.from_pretrained(str(options.from_model / "unet"), dtype=torch.float32)
    vae = PatchAutoencoder.load_config(str(options.work / "vae"))
    text = CLIPTextModel.from_pretrained(str(options.work / "text_encoder")).config
    return layout.denoiser(vae["latent_channels"], text.hidden_size, WIDTHS)


def train(options: Options) -> None:
    """Train for `minutes` of wall time, going on from `work/denoiser.pt`; writes `work/unet` (moving average) with it.

    Without a checkpoint it starts from `from_model`'s weights (and takes the other parts that `work` lacks from
    there), or
    fresh. Raises PicturesError without pictures.
    """
    for part in ("vae", "text_encoder", "tokenizer") if options.from_model else ():
        if not (options.work / part).exists():
            shutil.copytree(options.from_model / part, options.work / part)  # type: ignore[operator]
    if not (options.work / "latents.pt").exists():
        cache_latents(options.work, options.processes)
    parallel.run(_run, options.processes, options)


def _run(rank: int, size: int, options: Options) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    unet = _fresh(options)
    checkpoint = load_checkpoint(options.work / "denoiser.pt")
    if checkpoint:
        unet.load_state_dict(checkpoint["unet"])
    half = precision.fastest(device.type) == torch.bfloat16
    if device.type == "cpu" and half:  # the backward pass of the fused one takes longer than all convolutions
        unet.set_attn_processor(AttnProcessor())
    if device.type == "cuda" or half:  # in float32 on a processor a backward pass takes a quarter longer that way
        unet = unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    unet = unet.to(device).train()
    optimizer = Pair(unet, options.lr)
    ema = {k: v.detach().clone() for k, v in unet.state_dict().items()}
    step = seen = 0
    spent = 0.0
    if checkpoint:
        optimizer.load_state_dict(checkpoint["optimizer"])
        ema = {k: v.to(device) for k, v in checkpoint["ema"].items()}
        step, seen, spent = checkpoint["step"], checkpoint["seen"], checkpoint["minutes"]
    seed = int(time.time()) + 1000 * rank
    torch.manual_seed(seed)
    examples = Examples(options.work, seed, device)
    alphas = layout.scheduler().alphas_cumprod.to(device)
    if rank == 0:
        log.info("denoiser: %.2f M parameters, from step %d", sum(p.numel() for p in unet.parameters()) / 1e6, step)
    start = told = saved = noted = drawn = time.monotonic()
    first_step, first_seen, noted_seen, mean = step, seen, seen, torch.zeros(2)
    passed = 0.0
    while passed < 1:
        optimizer.set_lr(options.lr * min(1.0, (step - first_step + 1) / 40) * min(1.0, (1 - passed) / 0.3))
        z, hidden = examples.draw(options.batch // size)
        loss, high = loss_of(unet, alphas, z, hidden)
        optimizer.zero_grad()
        loss.backward()
        now = time.monotonic()
        # the clock is shared like the losses, so that all processes keep one schedule and stop at the same step
        numbers = torch.tensor([loss.item(), high.item(), (now - start) / 60 / options.minutes], device=device)
        numbers = parallel.average(unet, numbers).cpu()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        step, seen, passed = step + 1, seen + options.batch // size * size, float(numbers[2])
        mean = numbers[:2].clone() if step == first_step + 1 else mean.lerp(numbers[:2], 0.02)
        if rank != 0:
            continue
        decay = min(EMA, (1 + step) / (10 + step))
        with torch.no_grad():
            for k, v in unet.state_dict().items():
                ema[k].lerp_(v, 1 - decay)
        if now - told > 30:
            told = now
            log.info(
                "%5.1f min  step %6d  %8d seen  %4.0f/s  loss %.4f  high noise %.4f",
                spent + (now - start) / 60,
                step,
                seen,
                (seen - first_seen) / (now - start),
                mean[0],
                mean[1],
            )
        if now - saved > 240 or passed >= 1:
            saved = now
            state = {"unet": unet.state_dict(), "ema": ema, "optimizer": optimizer.state_dict(), "step": step}
            save_checkpoint(options.work / "denoiser.pt", state | {"seen": seen, "minutes": spent + (now - start) / 60})
            note(options.work, "denoiser", (now - noted) / 60, seen - noted_seen)
            noted, noted_seen = now, seen
        if now - drawn > 600 or (first_step == 0 and step == 300) or passed >= 1:
            drawn = now
            export(options.work, ema)
            draw_sheet(options.work, options.work / f"sheet-{step:06d}.png")
            log.info("drew sheet-%06d.png", step)


def export(work: Path, weights: dict[str, Tensor]) -> None:
    """Write weights as `work/unet` in diffusers' layout."""
    vae, text = (
        PatchAutoencoder.load_config(str(work / "vae")),
        CLIPTextModel.from_pretrained(str(work / "text_encoder"), dtype=torch.float32),
    )
    unet = layout.denoiser(vae["latent_channels"], text.config.hidden_size, WIDTHS)
    unet.load_state_dict({k: v.cpu() for k, v in weights.items()})
    unet.save_pretrained(str(work / "unet"))


def assemble(work: Path, otherwise: Path = layout.MODEL_DIR):
    """The pipeline of what `work` holds now; a part that was not made there is the one in the model `otherwise`.

    Raises OSError where a part is in neither.
    """

    def place(part: str) -> str:
        return str(work / part if (work / part).exists() else otherwise / part)

    made = layout.pipeline(
        PatchAutoencoder.from_pretrained(place("vae")),
        CLIPTextModel.from_pretrained(place("text_encoder"), dtype=torch.float32),
        CLIPTokenizer.from_pretrained(place("tokenizer")),
        UNet2DConditionModel.from_pretrained(place("unet"), dtype=torch.float32),
    )
    for part in (made.vae, made.text_encoder, made.unet):
        part.eval()
    return made


@torch.no_grad()
def draw_sheet(work: Path, path: Path, steps: int = 20, guidance: float = 3.5) -> None:
    """Draw SAMPLES with fixed seeds into one PNG."""
    made = assemble(work)
    x = made(
        list(SAMPLES),
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=[torch.Generator().manual_seed(i) for i in range(len(SAMPLES))],
        output_type="pt",
    ).images
    sheet(path, x * 2 - 1, columns=8)
