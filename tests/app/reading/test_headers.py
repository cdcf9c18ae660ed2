"""Headers of adapters that claim much: whoever looks at them waits, and neither works nor holds what they claim."""

import io
import json
import math
import struct

import pytest

from app.adapters import inspecting
from app.lora_files import inspection
from app.lora_files.safetensors_file import UnsafeFile
from tests.costs import seconds

STEM = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
SIZES = {"F16": 2, "F64": 8}


def beginning(shapes: dict[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str]) -> tuple[bytes, int]:
    """A header, and how long the file would be; the tensors themselves are claimed and not there."""
    header: dict[str, object] = {"__metadata__": metadata}
    at = 0
    for name, (dtype, shape) in shapes.items():
        end = at + math.prod(shape) * SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text, 8 + len(text) + at


USUAL: dict[str, tuple[str, tuple[int, ...]]] = {
    f"{STEM}.lora_down.weight": ("F16", (4, 320)),
    f"{STEM}.lora_up.weight": ("F16", (320, 4)),
}


@pytest.mark.parametrize(
    ("shapes", "metadata"),
    [
        pytest.param({**USUAL, f"{STEM}.lora_up.weight": ("F64", (45_000_000, 4))}, {}, id="45 million rows"),
        pytest.param(USUAL, {"ss_tag_frequency": f"[{'[],' * 1_500_000}[]]"}, id="a long list in the metadata"),
    ],
)
def test_what_a_header_claims_costs_this_process_nothing(
    shapes: dict[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str]
) -> None:
    inspecting.of_beginning(io.BytesIO(beginning(USUAL, {})[0]), beginning(USUAL, {})[1], b"")  # starts the reader
    content, size = beginning(shapes, metadata)
    found = list[inspection.MetadataReport]()
    assert seconds(lambda: found.append(inspecting.of_beginning(io.BytesIO(content), size, b""))) < 1
    assert found[0].architecture == "stable_diffusion_1"
    assert found[0].dialects


def test_a_name_that_is_no_name_is_refused_at_once() -> None:
    content, size = beginning({"x" + ".oft_R" * 20_000 + "!": ("F16", (1,))}, {})
    with pytest.raises(UnsafeFile):
        inspecting.of_beginning(io.BytesIO(content), size, b"")
