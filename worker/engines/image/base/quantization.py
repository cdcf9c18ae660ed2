"""A frozen base in 4 or 8 bits, with bitsandbytes. The adapters on top stay in float32 (QLoRA, Dettmers et al. 2023).

diffusers' own loader refuses to quantise without a card, so the layers are replaced here, on any device. It does not
know how much a picture suffers: that is a matter of looking at it.
"""

import re
from collections.abc import Iterator

import bitsandbytes as bnb
import torch

from app.trainings.look.recipe import Quantization

IN_A_BLOCK = re.compile(r"(^|\.)\w*blocks?\.")
"""Only the layers of a model's blocks are quantised: embeddings and the last projection are a few percent of the bytes
and decide much of the picture."""


def quantize(
    model: torch.nn.Module, kind: Quantization, device: torch.device, dtype: torch.dtype, *, away: bool = False
) -> None:
    """Replace every linear layer inside the model's blocks, which must be on the CPU, by one in 4 or 8 bits on
    ``device``; computes in ``dtype``. The rest of the model stays where it is.

    One layer after the other, so that the device never holds the whole of the original. ``none`` does nothing. The same
    weights give the same bytes again. With ``away`` each layer goes back to the CPU when it has been replaced.
    """
    if kind == "none":
        return
    for parent, name, layer in _linear_layers(model):
        made = _nf4(layer, device, dtype) if kind == "nf4" else _int8(layer, device)
        if away and device.type != "cpu":
            _to_cpu(made)
        setattr(parent, name, made)
    # What PEFT looks at to choose an adapter layer that can stand on such a base.
    model.is_loaded_in_4bit = kind == "nf4"
    model.is_loaded_in_8bit = kind == "int8"


def compute_in(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Set the precision in which 4-bit layers compute; 8-bit layers follow their input."""
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.compute_dtype = dtype


def is_quantized(model: torch.nn.Module) -> bool:
    return bool(getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False))


def bytes_of(model: torch.nn.Module) -> int:
    """Bytes of the model's parameters and buffers, the constants of quantised layers included."""
    plain = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    return plain + sum(_constants(module) for module in model.modules())


def _linear_layers(model: torch.nn.Module) -> list[tuple[torch.nn.Module, str, torch.nn.Linear]]:
    def found() -> Iterator[tuple[torch.nn.Module, str, torch.nn.Linear]]:
        for path, parent in model.named_modules():
            for name, child in parent.named_children():
                if type(child) is torch.nn.Linear and IN_A_BLOCK.search(f"{path}.{name}"):
                    yield parent, name, child

    return list(found())


def _nf4(layer: torch.nn.Linear, device: torch.device, dtype: torch.dtype) -> torch.nn.Module:
    made = bnb.nn.Linear4bit(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        compute_dtype=dtype,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    weight = bnb.nn.Params4bit(
        layer.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4", module=made
    )
    made.weight = weight.to(device)
    made.bias = _frozen(layer.bias, device)
    # On processors with AVX512-BF16 it would repack its weights when it first draws and then compute in bfloat16: a
    # training that has drawn samples would go on with other numbers than one that has not.
    made.support_avx512bf16_for_cpu = False
    return made


class EightBits(bnb.nn.Linear8bitLt):
    """bitsandbytes' layer, but it keeps its scales.

    It takes numbers and scales over from its weight with the first picture, and again when the weight seems new. PEFT's
    DoRA makes a weight seem new in every step on a CPU, without scales.
    """

    def init_8bit_state(self) -> None:
        if self.weight.SCB is None:
            self.weight.CB = None
        else:
            super().init_8bit_state()


def _int8(layer: torch.nn.Linear, device: torch.device) -> torch.nn.Module:
    made = EightBits(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        has_fp16_weights=False,
        threshold=6.0,  # activations beyond it are multiplied in full, as the method's authors advise
        device="meta",
    )
    made.weight = bnb.nn.Int8Params(layer.weight.data, requires_grad=False, has_fp16_weights=False).to(device)
    made.bias = _frozen(layer.bias, device)
    return made


def _to_cpu(layer: torch.nn.Module) -> None:
    """What bitsandbytes moves too, but its scales stay those of this layer and are never made anew."""
    layer.weight.data = layer.weight.data.cpu()
    if layer.bias is not None:
        layer.bias.data = layer.bias.data.cpu()
    if isinstance(layer, bnb.nn.Linear4bit):
        layer.weight.quant_state.to("cpu")
    else:
        layer.weight.CB, layer.weight.SCB = layer.weight.data, layer.weight.SCB.cpu()


def _frozen(bias: torch.nn.Parameter | None, device: torch.device) -> torch.nn.Parameter | None:
    return None if bias is None else torch.nn.Parameter(bias.data.to(device), requires_grad=False)


def _constants(module: torch.nn.Module) -> int:
    """The scales beside a quantised weight, in bytes."""
    if isinstance(module, bnb.nn.Linear8bitLt):
        scales = module.weight.SCB if module.weight.SCB is not None else module.state.SCB
        return 0 if scales is None else scales.numel() * scales.element_size()
    state = getattr(getattr(module, "weight", None), "quant_state", None)
    if state is None or not isinstance(module, bnb.nn.Linear4bit):
        return 0
    total = state.absmax.numel() * state.absmax.element_size()
    if state.nested:
        total += state.state2.absmax.numel() * state.state2.absmax.element_size()
    return total
