"""Pictures four times as wide and as high, with sharp lines and flat grounds: the last step of drawing where a base
draws small ones.

The network is SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833) with the weights of
``realesr-animevideov3``, which learned from drawn pictures. It sharpens what is there and adds nothing to it. Flat
colours come out up to 5 of 255 lighter or darker, white and black up to 1. Photographs have a network of their own
(``photographs``).
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent / "model" / "realesr-animevideov3-x4.safetensors"
FACTOR = 4
FEATURES, INNER_LAYERS = 64, 16
AROUND = INNER_LAYERS + 2
"""Pixels that it looks at around one: as many as it has layers of 3 × 3."""
MARGIN = 2
"""Pixels that go round a picture before and come off again: the network takes what is outside for black."""


class CompactNetwork(nn.Module):
    """Convolutions at the size of what comes in; the last one gives 4 × 4 new pixels for each old one, as what they
    differ from it. Layers have the names of the authors' own file."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (3, *[FEATURES] * INNER_LAYERS):
            layers += [nn.Conv2d(channels, FEATURES, 3, padding=1), nn.PReLU(FEATURES)]
        self.body = nn.Sequential(*layers, nn.Conv2d(FEATURES, 3 * FACTOR**2, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        """RGB (batch, 3, height, width) in 0..1; what comes out may reach a little beyond."""
        return F.pixel_shuffle(self.body(pixels), FACTOR) + F.interpolate(pixels, scale_factor=FACTOR, mode="nearest")


@cache
def network(device: torch.device) -> CompactNetwork:
    """With its weights, on this device, in float32."""
    made = CompactNetwork()
    made.load_state_dict({name: tensor.float() for name, tensor in load_file(WEIGHTS).items()})
    return made.requires_grad_(False).eval().to(device, memory_format=torch.channels_last)


@torch.no_grad()
def enlarged(picture: Image.Image, times: int, device: torch.device) -> Image.Image:
    """The picture so many times as wide and as high, in RGB: 4, or 1 for the picture as it is."""
    if times == 1:
        return picture
    if times != FACTOR:
        raise ValueError(f"pictures are enlarged {FACTOR} times, not {times}")
    given = torch.from_numpy(np.array(picture.convert("RGB"))).to(device)
    pixels = F.pad(given.permute(2, 0, 1)[None].float() / 255, (MARGIN,) * 4, mode="replicate")
    made = network(device)(pixels.contiguous(memory_format=torch.channels_last))[0]
    inner = made[:, MARGIN * FACTOR : -MARGIN * FACTOR, MARGIN * FACTOR : -MARGIN * FACTOR]
    return Image.fromarray((inner.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())
