"""Blocks of a frozen transformer that wait in the machine's memory and come to the device one at a time.

With gradient checkpointing a block is computed once on the way there and once more on the way back, right before its
gradients: it comes when it is called and leaves when the next one is. What waits is never changed, so that leaving
costs nothing. The adapter, and whatever is outside the blocks, stays on the device.

Not diffusers' own group offloading: that takes a block away as soon as it has been computed, while the way back still
needs it, and would carry the adapter away with it, under the optimizer's hands.

What it does not know: how fast the machine's memory reaches the card. Copies and computing do not overlap.
"""

import copy
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import bitsandbytes as bnb
import torch
from bitsandbytes.functional import QuantState

from worker.engines.contracts import EngineError

BLOCK = re.compile(r"(^|\.)\w*transformer_blocks\.\d+$")
Held = torch.Tensor | QuantState
Slot = tuple[Callable[[Any], None], Held]
"""How to put a tensor, or the constants of one in 4 bits, into its place, and what is there."""


class SwappedBlocks:
    """The blocks of one model, which has no adapter yet. Afterwards its tensors are moved by this alone."""

    def __init__(self, model: torch.nn.Module, device: torch.device) -> None:
        """Raises ``EngineError`` (``model_unsupported``) for a model without blocks."""
        blocks = {name: module for name, module in model.named_modules() if BLOCK.search(name)}
        if not blocks:
            raise EngineError("model_unsupported", "This base model has no blocks that could wait for their turn.")
        self._here: _Block | None = None
        inside = {id(module) for block in blocks.values() for module in block.modules()}
        for module in model.modules():
            if id(module) not in inside:
                for put, held in _slots(module):
                    put(_copied(held, device))
        for block in blocks.values():
            block.register_forward_pre_hook(partial(self._come, _Block(block, device)))

    def _come(self, block: "_Block", *_: object) -> None:
        if block is not self._here:
            self.clear()
            self._here = block
            block.come()

    def clear(self) -> None:
        """Take the block that is there off the device."""
        if self._here is not None:
            self._here.leave()
        self._here = None


class _Block:
    def __init__(self, block: torch.nn.Module, device: torch.device) -> None:
        self._device = device
        self._slots = [
            (put, _waiting(held, pinned=device.type == "cuda")) for one in block.modules() for put, held in _slots(one)
        ]
        self.leave()

    def come(self) -> None:
        for put, held in self._slots:
            put(_copied(held, self._device))

    def leave(self) -> None:
        for put, held in self._slots:
            put(held)


def _slots(module: torch.nn.Module) -> Iterator[Slot]:
    """The module's own tensors, without those of its submodules."""
    for name, parameter in module.named_parameters(recurse=False):
        if name == "weight" and isinstance(module, bnb.nn.Linear8bitLt):
            yield from _of_eight_bits(module)
            continue
        yield partial(setattr, parameter, "data"), parameter.data
        if isinstance(parameter, bnb.nn.Params4bit):
            yield partial(_put_constants, module, parameter), parameter.quant_state
    for name, buffer in module.named_buffers(recurse=False):
        yield partial(setattr, module, name), buffer


def _of_eight_bits(layer: bnb.nn.Linear8bitLt) -> Iterator[Slot]:
    # The numbers and scales are on the weight until the layer first computes, and in its state afterwards.
    if layer.weight.CB is not None:
        layer.init_8bit_state()
    yield partial(_put_numbers, layer), layer.state.CB
    yield partial(setattr, layer.state, "SCB"), layer.state.SCB


def _put_numbers(layer: bnb.nn.Linear8bitLt, numbers: torch.Tensor) -> None:
    layer.state.CB = layer.weight.data = numbers


def _put_constants(layer: bnb.nn.Linear4bit, weight: bnb.nn.Params4bit, state: QuantState) -> None:
    layer.quant_state = weight.quant_state = state


def _copied(held: Held, device: torch.device) -> Held:
    if isinstance(held, torch.Tensor):
        return held.to(device, non_blocking=True, copy=True)
    state = copy.copy(held)
    state.state2 = copy.copy(held.state2)
    state.to(device)
    return state


def _waiting(held: Held, *, pinned: bool) -> Held:
    """In the machine's memory, where a card can fetch it without a detour if there is room for that."""
    if not isinstance(held, torch.Tensor):
        return _copied(held, torch.device("cpu"))
    there = held.cpu()
    if not pinned:
        return there
    try:
        return there.pin_memory()
    except RuntimeError:  # the system gives no more memory that stays in its place
        return there
