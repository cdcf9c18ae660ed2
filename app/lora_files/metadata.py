"""What an exported adapter says about itself in its header: sd-scripts' ``ss_*`` keys and the ``modelspec.*`` standard.

Only strings; what is absent is the text "None", as sd-scripts writes it. The clean variant is a list of what may stay,
not of what must go, so that a key added here later cannot give away captions, folder names or the number of pictures.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.lora_files import header_settings, safetensors_file
from app.lora_files.families import known
from app.lora_files.families.facts import Architecture
from app.lora_files.safetensors_file import Tensor

MIXED_PRECISION = {"bfloat16": "bf16", "float16": "fp16", "float32": "no"}
"""In sd-scripts' words."""
MAX_TAGS = 500
MAX_TAG_LENGTH = 200


@dataclass(frozen=True)
class BaseModelFacts:
    name: str
    """As people know it, also put where programs show the base model."""
    architecture: str
    """``modelspec.architecture`` without ``/lora``: ``livery-builtin``, ``stable-diffusion-v1``."""
    version: str
    """sd-scripts' ``ss_base_model_version``: ``sd_v1``; programs take any name that they do not know for SD 1."""
    prediction_type: str = "epsilon"
    """``epsilon``, ``v_prediction`` or ``flow``."""
    family: Architecture = "stable_diffusion_1"
    """Whose names its layers have."""


BUILTIN = BaseModelFacts("Livery built-in", "livery-builtin", "livery_builtin")
STABLE_DIFFUSION_1 = BaseModelFacts("Stable Diffusion 1.5", "stable-diffusion-v1", "sd_v1")
_MAKERS_NAMES = re.compile(
    r"(?:lora_unet_|diffusion_model\.)(?:input_blocks|middle_block|output_blocks|double_blocks|single_blocks)"
)


@dataclass(frozen=True)
class TrainingFacts:
    """How the adapter came to be; the captions and sizes are of the training pictures."""

    settings: Mapping[str, Any]
    """By the names of ``keys``; None for what was not used."""
    keys: Mapping[str, str]
    """Name of a setting → key of the header."""
    steps_done: int
    started_at: datetime
    finished_at: datetime
    captions: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    """Width and height in pixels that each picture was trained at."""
    precision: str = "float32"
    """What it was computed in: ``bfloat16``, ``float16`` or ``float32``."""
    session_id: str = "None"


@dataclass(frozen=True)
class AdapterFacts:
    name: str
    """Becomes the file's name and the alias in A1111."""
    title: str
    base: BaseModelFacts
    rank: int
    alpha: float
    trigger_word: str
    created_at: datetime
    description: str = ""
    author: str = ""
    license: str = ""
    usage_hint: str = ""
    training: TrainingFacts | None = None


CLEAN_KEYS = frozenset(
    f"ss_{key}"
    for key in (
        "v2", "base_model_version", "network_module", "network_dim", "network_alpha", "network_args", "output_name",
        "sd_model_name", "resolution", "clip_skip", "mixed_precision", "optimizer", "learning_rate", "unet_lr",
        "text_encoder_lr", "lr_scheduler", "noise_offset", "min_snr_gamma",
    )
) | frozenset(
    f"modelspec.{key}"
    for key in (
        "sai_model_spec", "architecture", "implementation", "title", "resolution", "date", "author", "license",
        "description", "usage_hint", "trigger_phrase", "prediction_type", "hash_sha256",
    )
) | {
    "format", "lora_adapter_metadata", "sshs_model_hash", "sshs_legacy_hash", "livery.network", "livery.target_modules",
}  # fmt: skip
"""What the clean variant keeps: enough to load the adapter, to prompt it, and to know whose it is."""


def header(facts: AdapterFacts, tensors: Mapping[str, Tensor], clean: bool) -> dict[str, str]:
    """The whole header of an export of these tensors, hashes included."""
    metadata = {"format": "pt", **_modelspec(facts, tensors), **_network(facts, tensors)}
    if facts.training is not None:
        metadata |= _training(facts, facts.training)
    metadata["modelspec.hash_sha256"] = "0x" + safetensors_file.hash_of_tensors(tensors)
    if clean:
        metadata = cleaned(metadata)
    return metadata | hashes(tensors, metadata)


def hashes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """The two hashes by which A1111 knows an adapter, computed as sd-scripts does.

    ``sshs_model_hash``: SHA-256 over the tensors' bytes. ``sshs_legacy_hash``: the first eight digits of that over
    64 KiB from 1 MiB on, of the file with only ``ss_*`` in its header; for a smaller file that is the hash of nothing,
    ``e3b0c442``, in sd-scripts too.
    """
    training_only = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    return {
        "sshs_model_hash": safetensors_file.hash_of_tensors(tensors),
        "sshs_legacy_hash": hashlib.sha256(
            safetensors_file.part_of(tensors, training_only, 2**20, 2**20 + 2**16)
        ).hexdigest()[:8],
    }


def network_of(names: Iterable[str], family: Architecture) -> tuple[str, dict[str, str]]:
    """sd-scripts' module for tensors of these names, and the arguments that LyCORIS would want."""
    names = list(names)
    for sign, algorithm in ((".lokr_", "lokr"), (".hada_", "loha"), (".lora_mid", "locon"), (".dora_scale", "lora")):
        if any(sign in name for name in names):
            return "lycoris.kohya", {"algo": algorithm} | ({"dora_wd": "True"} if sign == ".dora_scale" else {})
    return known.get(family).sd_scripts_network, {}


def cleaned(metadata: Mapping[str, str]) -> dict[str, str]:
    """What may stay of a header that tells nothing about the training pictures."""
    return {key: value for key, value in metadata.items() if key in CLEAN_KEYS}


def implementation_of(names: Iterable[str], family: Architecture) -> str:
    """Whose code has layers of these names: the makers' address, or diffusers."""
    return known.get(family).makers_code or "diffusers" if any(map(_MAKERS_NAMES.match, names)) else "diffusers"


def resolution_of(header: Mapping[str, str], family: Architecture) -> str:
    """``modelspec.resolution`` of a foreign file: what it says of its training, else what its base was made at."""
    told = re.fullmatch(r"\(?(\d{2,5})(?:, ?(\d{2,5})\)?)?", header.get("ss_resolution", ""))
    if told is not None:
        return f"{told[1]}x{told[2] or told[1]}"
    side = known.get(family).native_side
    return f"{side}x{side}"


def _modelspec(facts: AdapterFacts, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    trained, native = facts.training, known.get(facts.base.family).native_side
    side = trained.settings["resolution"] if trained is not None else native
    fields = {
        "sai_model_spec": "1.0.1",
        "architecture": f"{facts.base.architecture}/lora",
        "implementation": implementation_of(tensors, facts.base.family),
        "resolution": f"{side}x{side}",
        "title": facts.title,
        "date": facts.created_at.isoformat(timespec="seconds"),
        "trigger_phrase": facts.trigger_word,
        # The standard has no word for flow models, and says nothing there.
        "prediction_type": {"v_prediction": "v", "epsilon": "epsilon"}.get(facts.base.prediction_type, ""),
        "description": facts.description,
        "author": facts.author,
        "license": facts.license,
        "usage_hint": facts.usage_hint,
    }
    # The standard leaves out what is unknown; the text "None" belongs to ss_ alone.
    return {f"modelspec.{key}": value for key, value in fields.items() if value}


def _network(facts: AdapterFacts, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    module, args = network_of(tensors, facts.base.family)
    return {
        "ss_v2": str(known.get(facts.base.family).sd_scripts_v2),
        "ss_base_model_version": facts.base.version,
        "ss_sd_model_name": facts.base.name,
        "ss_network_module": module,
        "ss_network_dim": str(facts.rank),
        "ss_network_alpha": str(facts.alpha),
        "ss_network_args": json.dumps(args),
        "ss_output_name": facts.name,
        "ss_clip_skip": "None",
    }


def _training(facts: AdapterFacts, training: TrainingFacts) -> dict[str, str]:
    settings = training.settings
    count = max(len(training.captions), len(training.sizes))
    in_all = settings["batch_size"] * settings["gradient_accumulation_steps"]
    epochs = -(-training.steps_done * in_all // count) if count else "None"
    is_flow = facts.base.prediction_type == "flow"
    sides = [side for size in training.sizes for side in size]
    folder = f"1_{facts.name}"
    buckets = Counter(training.sizes)
    bucket_info = {
        "buckets": {
            str(position): {"resolution": list(size), "count": number}
            for position, (size, number) in enumerate(sorted(buckets.items()))
        }
    }
    values: dict[str, object] = {
        "session_id": training.session_id,
        "training_started_at": training.started_at.timestamp(),
        "training_finished_at": training.finished_at.timestamp(),
        "unet_lr": settings["learning_rate"],
        "num_train_images": count,
        "num_epochs": epochs,
        "epoch": epochs,
        "steps": training.steps_done,
        "total_batch_size": in_all,
        "mixed_precision": MIXED_PRECISION[training.precision],
        "max_token_length": None,
        "cache_latents": True,
        "enable_bucket": True,
        "min_bucket_reso": min(sides, default=None),
        "max_bucket_reso": max(sides, default=None),
        "num_batches_per_epoch": -(-count // settings["batch_size"]),
        "zero_terminal_snr": _ends_in_noise(facts.base),
        "training_comment": None,
        "bucket_info": json.dumps(bucket_info),
        "dataset_dirs": json.dumps({folder: {"n_repeats": 1, "img_count": count}}),
        "tag_frequency": json.dumps({folder: _tags(training.captions)}, ensure_ascii=False),
    }
    if is_flow:  # as our engines train them, in sd-scripts' words
        values |= {"guidance_scale": 1.0, "model_prediction_type": "raw", "weighting_scheme": "none"}
    shifts = facts.base.architecture not in known.get(facts.base.family).without_shift
    told = header_settings.words_of(settings, training.keys, shifts=shifts)
    return {f"ss_{key}": str(value) for key, value in values.items()} | told


def _ends_in_noise(base: BaseModelFacts) -> bool | None:
    """Whether the noisiest level is noise alone; None where that is not known of the base."""
    if base.prediction_type == "v_prediction":
        return True if base.architecture == BUILTIN.architecture else None
    return False if base.prediction_type == "epsilon" else None


def _tags(captions: tuple[str, ...]) -> dict[str, int]:
    """How often each comma-separated part of the captions occurs; the commonest only, for readers cap the header."""
    tags = Counter(tag.strip()[:MAX_TAG_LENGTH] for caption in captions for tag in caption.split(",") if tag.strip())
    return dict(tags.most_common(MAX_TAGS))
