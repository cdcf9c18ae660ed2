"""How a base model is held while it writes without a training that has decided it: the finest way that fits. Pure."""

from app.base_models.catalogue import Quantization, TextModelEntry
from app.machine.devices import WORKING_BYTES, Device, precision_on, room_of

TOKENS = 4096
"""Order, style guide and text together, whose keys and values are kept: the most that an order may be."""
FINEST_FIRST: tuple[Quantization, ...] = ("none", "int8", "nf4")


def quantization_on(base: TextModelEntry, device: Device | None) -> Quantization:
    """The finest precision that fits: unquantised where no device is known, 4 bits where nothing fits."""
    if device is None:
        return "none"
    return next((held for held in FINEST_FIRST if memory_of(base, device, held) <= room_of(device)), "nf4")


def memory_of(base: TextModelEntry, device: Device, held: Quantization) -> int:
    """Predicted peak in bytes while it writes one text."""
    layout, plain = base.layout, 4 if precision_on(device, base) == "float32" else 2
    kept = 2 * layout.layers * layout.key_value * plain * min(TOKENS, base.context)
    whole_again = 0 if held == "none" else layout.width * layout.feed_forward * plain
    return base.weight_bytes(held, on_card=plain == 2) + kept + whole_again + WORKING_BYTES
