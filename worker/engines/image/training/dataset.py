"""From files and captions to what a training step is fed. Shared by the image families; holds no state."""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from worker.engines.contracts import EngineError, TrainingPicture

TRIGGER_PLACEHOLDER = "[trigger]"
ORDERS = 4
"""In which a caption is read where captions are shuffled. Each is encoded once, before the encoders leave the card."""
CLOSEST = 0.75
"""How much of a side the closest of the further cuts leaves."""


def caption_with_trigger(caption: str, trigger_word: str) -> str:
    """The caption with the trigger word in it: at ``[trigger]`` if it says so, in front if it is missing.

    It is there where it stands for itself: “ink” is not in “drinking”.
    """
    caption = with_trigger_filled_in(caption, trigger_word).strip()
    if re.search(rf"(?<!\w){re.escape(trigger_word)}(?!\w)", caption, re.IGNORECASE):
        return caption
    return f"{trigger_word}, {caption}" if caption else trigger_word


def caption_orders(caption: str, keep: int, seed: int) -> tuple[str, ...]:
    """The caption, and further orders of its parts between commas, the first ``keep`` in their place: ``ORDERS`` in
    all, fewer where there are no more. Only ``seed`` and the caption decide them."""
    parts = [part for part in map(str.strip, caption.split(",")) if part]
    fixed, free = parts[:keep], parts[keep:]
    found = {", ".join([*fixed, *free]): None}
    draw = random.Random(f"{seed}/{caption}")
    for _ in range(4 * ORDERS):
        if len(found) == ORDERS:
            break
        draw.shuffle(free)
        found[", ".join([*fixed, *free])] = None
    return tuple(found)


def with_trigger_filled_in(prompt: str, trigger_word: str) -> str:
    """The prompt with every ``[trigger]`` replaced."""
    return prompt.replace(TRIGGER_PLACEHOLDER, trigger_word)


def load_pixels(picture: TrainingPicture) -> torch.Tensor:
    """The picture's crop at its target size: (1, 3, height, width), float32, -1..1; transparency becomes white.

    Raises ``EngineError`` (``bad_picture``) when the file cannot be read or the crop lies outside it.
    """
    try:
        with Image.open(picture.path) as opened:
            image = _on_white(opened)
    except OSError as error:
        raise EngineError("bad_picture", f"The training picture {picture.path.name} cannot be read.") from error
    box = (picture.left, picture.top, picture.left + picture.width, picture.top + picture.height)
    if min(picture.width, picture.height) < 1 or min(box[:2]) < 0 or box[2] > image.width or box[3] > image.height:
        raise EngineError(
            "bad_picture",
            f"The crop of {picture.path.name} lies outside the picture of {image.width} × {image.height} pixels.",
        )
    size = (picture.target_width, picture.target_height)
    # Cropped first: the filter would otherwise reach beyond the crop, into what was cut away.
    scaled = image.crop(box).resize(size, resample=Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(scaled, dtype=np.float32)) / 127.5 - 1
    return pixels.permute(2, 0, 1).unsqueeze(0).contiguous()


def cuts_of(picture: TrainingPicture, count: int, seed: int) -> list[TrainingPicture]:
    """The chosen crop, and ``count`` - 1 smaller ones of the same proportion inside it, at places that only ``seed``
    and the crop decide."""
    cuts = [picture]
    for number in range(1, count):
        # Seeded with text, Python's generator gives the same numbers in every version.
        draw = random.Random(f"{seed}/{picture.path.name}/{number}")
        share = draw.uniform(CLOSEST, 0.95)
        width, height = max(1, round(picture.width * share)), max(1, round(picture.height * share))
        left = picture.left + draw.randint(0, picture.width - width)
        top = picture.top + draw.randint(0, picture.height - height)
        cuts.append(replace(picture, left=left, top=top, width=width, height=height))
    return cuts


def at_side(picture: TrainingPicture, resolution: int, side: int, multiple: int) -> TrainingPicture:
    """The picture as it is learned at ``side`` where its target size was chosen for ``resolution``: the target scaled
    and rounded to ``multiple``, the crop cut to the proportion that this gives."""
    width, height = (
        max(multiple, round(pixels * side / resolution / multiple) * multiple)
        for pixels in (picture.target_width, picture.target_height)
    )
    across = min(picture.width, max(1, round(picture.height * width / height)))
    down = min(picture.height, max(1, round(picture.width * height / width)))
    return replace(
        picture,
        left=picture.left + (picture.width - across) // 2,
        top=picture.top + (picture.height - down) // 2,
        width=across,
        height=down,
        target_width=width,
        target_height=height,
    )


def size_conditions(picture: TrainingPicture, mirrored: bool = False) -> tuple[int, ...]:
    """SDXL's size conditioning of a crop, in pixels: height and width of the whole picture, top and left of the crop
    in the picture as scaled, height and width of the result (Podell et al. 2023, section 2.2).

    Raises ``EngineError`` (``bad_picture``).
    """
    try:
        with Image.open(picture.path) as opened:
            across, down = opened.size
    except OSError as error:
        raise EngineError("bad_picture", f"The training picture {picture.path.name} cannot be read.") from error
    left = across - picture.left - picture.width if mirrored else picture.left
    return (
        down,
        across,
        round(picture.top * picture.target_height / picture.height),
        round(left * picture.target_width / picture.width),
        picture.target_height,
        picture.target_width,
    )


def batch_at(sizes: Sequence[tuple[int, int]], batch_size: int, seed: int, step: int) -> list[int]:
    """Indexes of the pictures that step ``step`` (from 0) trains on.

    ``sizes`` holds each picture's target (width, height). A batch holds one size only; every picture comes once per
    epoch, so a size whose pictures do not fill the last batch gets a smaller one. The order is a pure function of
    ``seed`` and ``step``: pictures and batches are sorted by a hash of seed, epoch and index, which no library's or
    version's random numbers can change, and a resumed training goes on with exactly the batch that was next.
    """
    of_size = Counter(sizes)
    epoch, position = divmod(step, sum(-(-count // batch_size) for count in of_size.values()))
    return list(_batches(tuple(sizes), batch_size, seed, epoch)[position])


@lru_cache(maxsize=4)
def _batches(sizes: tuple[tuple[int, int], ...], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of one epoch, in their order; cached, because every step asks, and asking hashes every picture."""
    groups: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(size, []).append(index)
    batches: list[list[int]] = []
    for size in sorted(groups):
        shuffled = sorted(groups[size], key=lambda index: _rank(seed, epoch, "picture", index))
        batches += [shuffled[at : at + batch_size] for at in range(0, len(shuffled), batch_size)]
    return sorted(batches, key=lambda batch: _rank(seed, epoch, "batch", batch[0]))


def coin(seed: int, number: int, place: int) -> bool:
    """Heads or tails for a sample, by the number of its batch and its place there: half and half over a training."""
    return _rank(seed, number, "coin", place)[0] % 2 == 0


def order_at(count: int, seed: int, number: int, place: int) -> int:
    """Which of ``count`` orders of its caption a sample reads, by the number of its batch and its place there."""
    return int.from_bytes(_rank(seed, number, "order", place)[:4]) % count


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a PNG without metadata, complete or not at all."""
    part = path.with_suffix(".part")
    image.save(part, format="PNG", compress_level=4)
    part.replace(path)


def _rank(seed: int, epoch: int, kind: str, index: int) -> bytes:
    return hashlib.sha256(f"{seed}/{epoch}/{kind}/{index}".encode()).digest()


def _on_white(opened: Image.Image) -> Image.Image:
    if "A" not in opened.getbands() and "transparency" not in opened.info:
        return opened.convert("RGB")
    rgba = opened.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")
