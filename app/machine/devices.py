"""Devices that models compute on: what workers report of them, and how much of their memory a plan may fill. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: dict[str, Precision] = {"bfloat16": "bfloat16", "float16": "float16", "float32": "float32"}
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8": 1.0, "nf4": 0.53}
"""Of one number of a base model; NF4 with the constants of its blocks of 64."""
WORKING_BYTES = 900_000_000
"""A card's own context and the libraries' working memory."""
SPREAD = 0.15
"""Half of the range round a predicted memory."""
ROOM = 0.95
"""Share of a device's memory that a plan may fill."""
CLEARLY_LESS = 0.92
"""Share of what ran out that the next plan may need at most."""
GIGA = 1_000_000_000


@dataclass(frozen=True)
class Device:
    """As a worker measured it."""

    name: str
    kind: Literal["cpu", "cuda"]
    memory_bytes: int
    tera_operations: float | None = None
    """A second, in the precision that it trains in; None where it was not measured."""
    computes_in: Precision | None = None
    """None: bfloat16 on a card, float32 on a processor."""

    @property
    def precision(self) -> Precision:
        return self.computes_in or ("bfloat16" if self.kind == "cuda" else "float32")


class Report(Protocol):
    """What a worker's row says of its device."""

    @property
    def device(self) -> str: ...
    @property
    def device_kind(self) -> str | None: ...
    @property
    def device_memory_bytes(self) -> int | None: ...
    @property
    def device_tera_operations(self) -> float | None: ...
    @property
    def device_computes_in(self) -> str | None: ...


class Weights(Protocol):
    """A base model, as far as the precision of a device matters to it."""

    @property
    def is_beyond_float16(self) -> bool: ...


def largest_device(reports: Sequence[Report]) -> Device | None:
    """The device with the most memory, cards before processors; None while no worker has said what it has."""
    known = [one for one in reports if one.device_memory_bytes]
    if not known:
        return None
    chosen = max(known, key=lambda one: (one.device_kind == "cuda", one.device_memory_bytes or 0))
    return Device(
        chosen.device,
        "cuda" if chosen.device_kind == "cuda" else "cpu",
        chosen.device_memory_bytes or 0,
        chosen.device_tera_operations,
        PRECISIONS.get(chosen.device_computes_in or ""),
    )


def precision_on(device: Device, base: Weights) -> Precision:
    """As the device computes; what float16 cannot hold takes float32 on a card without bfloat16."""
    return "float32" if device.precision == "float16" and base.is_beyond_float16 else device.precision


def room_of(device: Device) -> float:
    """Bytes that a plan may be predicted to need there, so that it fits also where the prediction is a little low."""
    return device.memory_bytes * ROOM / (1 + SPREAD / 2)


def gigabytes(count: int) -> str:
    """``14.2 GB``, in powers of ten."""
    return f"{count / GIGA:.1f} GB"
