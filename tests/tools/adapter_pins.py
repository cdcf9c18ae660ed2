"""Pins every byte of the adapter files that Livery writes: run before a change that must not change one, and after it.

    python -m tests.tools.adapter_pins write FILE      before
    python -m tests.tools.adapter_pins compare FILE    after

The tests' builders make adapters of every architecture and kind in every key format; FILE gets the SHA-256 of what each
is read as, converted into and exported to, of the metadata reports and of the settings in headers. Hashes hold for one
machine and its libraries, so FILE belongs to nobody else.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from app.adapters import inspecting, sidecar
from app.base_models import catalogue, recognition
from app.errors import AppError
from app.lora_files import export, header_settings, inspection, key_formats, metadata, safetensors_file
from app.lora_files.families import known
from app.lora_files.keys.weights import DOWN, MID, UP
from app.lora_files.safetensors_file import Tensor, float32_tensor
from app.trainings.look.recipe import TrainingRecipe, header_keys
from tests.app.lora_files import foreign_files, forms
from tests.app.lora_files.deltas import MODULES, random_lora

WRITTEN = ("canonical", "kohya", "comfyui", "diffusers_old")
WHEN = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
RECIPE: dict[str, Any] = {
    "base_model": "builtin", "purpose": "style", "trigger_word": "brandx", "rank": 8, "alpha": 4.0,
    "learning_rate": 1e-4, "steps": 100, "resolution": 512,
}  # fmt: skip
RECIPES: tuple[dict[str, Any], ...] = (
    {},
    {"optimizer": "prodigy", "train_text_encoder": True, "text_encoder_lr": 1e-5, "weight_decay": 0.1},
    {"optimizer": "adamw_8bit", "train_text_encoder": True, "text_encoder_lr": 2e-5, "clip_skip": 2},
    {"class_prompt": "a jar", "num_class_images": 20, "prior_loss_weight": 0.5, "ema_decay": 0.99},
    {"timestep_sampling": "uniform", "timestep_shift": 3.0, "min_snr_gamma": 5.0, "noise_offset": 0.05},
    {"timestep_sampling": "uniform", "timestep_shift": 1.0},
    {"timestep_shift": 2.5, "extra_resolutions": [640, 768], "crops": 2, "sample_prompts": ["brandx, ein Glas »x«"]},
)
TOLD: tuple[dict[str, str], ...] = (
    {"ss_network_dim": "16", "ss_learning_rate": "0.0001", "ss_resolution": "(512, 512)", "ss_seed": "42",
     "ss_optimizer": "torch.optim.adamw.AdamW(weight_decay=0.01)", "ss_timestep_sampling": "flux_shift",
     "ss_discrete_flow_shift": "3.1582", "ss_clip_skip": "None", "ss_noise_offset": "0.05"},
    {"ss_timestep_sampling": "sigmoid", "ss_discrete_flow_shift": "2.0", "ss_max_train_steps": "many",
     "ss_optimizer": "lion", "livery.sample_prompts": "[1, 2", "ss_flip_aug": "True", "ss_lr_scheduler": "cosine"},
    {"livery.sample_prompts": '["a", "b"]', "livery.extra_resolutions": "[640]", "ss_num_reg_images": "0",
     "ss_batch_size_per_device": "2", "ss_network_dim": "0", "ss_caption_dropout_rate": "7",
     "ss_timestep_sampling": "uniform", "ss_discrete_flow_shift": "2.0", "livery.network": "dora"},
    {"ss_network_dim": "1e2", "ss_seed": "nan", "ss_keep_tokens": " 3 ", "ss_shuffle_caption": "yes",
     "ss_noise_offset": "inf", "livery.class_prompt": "\ud800x", "ss_gradient_checkpointing": "1"},
)  # fmt: skip
CHECKPOINTS: tuple[tuple[str, ...], ...] = (
    ("double_blocks.0.img_attn.qkv.weight", "time_in.in_layer.weight", "guidance_in.in_layer.weight"),
    ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "model.diffusion_model.time_in.in_layer.weight"),
    ("double_blocks.0.img_attn.qkv.weight", "time_in.in_layer.weight", "double_stream_modulation_img.lin.weight"),
    ("model.embed_tokens.weight",),
    ("nothing",),
    ("model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.1.model.x", "v_pred"),
    ("model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.transformer.x"),
    ("model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.model.x"),
)
PIPELINES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"_class_name": "StableDiffusionPipeline"}, {"unet": {"sample_size": 64, "upcast_attention": True}}),
    ({"_class_name": "StableDiffusionXLPipeline"}, {"scheduler": {"prediction_type": "v_prediction"}}),
    ({"_class_name": "StableDiffusionXLPipeline"}, {"scheduler": {"prediction_type": "sample"}}),
    ({"_class_name": "FluxPipeline"}, {"transformer": {"guidance_embeds": False}}),
    ({"_class_name": "FluxPipeline"}, {"transformer": {"guidance_embeds": True}}),
    ({"_class_name": "Flux2KleinPipeline", "is_distilled": True}, {"transformer": {"num_attention_heads": 24}}),
    ({"_class_name": "Flux2KleinPipeline"}, {}),
    ({"_class_name": "OtherPipeline"}, {}),
)


def digest(value: Any) -> str:
    """SHA-256 of JSON, or of bytes; the same whatever the order of a mapping."""
    if not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True, default=str).encode()
    return hashlib.sha256(value).hexdigest()


def of_tensors(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    return digest(safetensors_file.to_bytes(tensors, header))


def outcome(make: Any) -> Any:
    """What it returns, or the sentence with which it is refused."""
    try:
        return make()
    except AppError as error:
        return str(error)


def report(tensors: Mapping[str, Tensor], metadata_: Mapping[str, str]) -> Any:
    content = safetensors_file.to_bytes(tensors, metadata_)
    header = safetensors_file.header_of(io.BytesIO(content), len(content))
    alphas = {name: float(tensors[name].as_float32().reshape(-1)[0]) for name, _ in inspection.alpha_places(header)}
    return as_json(inspecting.report_of(header, len(content), alphas))


def as_json(found: Any) -> Any:
    return dataclasses.asdict(found) if dataclasses.is_dataclass(found) else found.model_dump(mode="json")


def kinds(architecture: str) -> Iterator[tuple[str, key_formats.Lora]]:
    """Adapters of every kind that the format knows, small and random."""
    modules = MODULES[architecture]
    plain = random_lora(modules, architecture, rank=lambda n: 2 + n % 3, alpha=lambda n: 0.5 + n)
    yield "lora", plain
    yield "same", random_lora(modules, architecture, rank=4, alpha=4.0, seed=1)
    for dtype in ("F16", "BF16"):
        yield (
            dtype,
            dataclasses.replace(plain, tensors={name: _half(one, dtype) for name, one in plain.tensors.items()}),
        )
    yield "dora", random_lora(modules, architecture, rank=3, alpha=1.5, seed=2, dora=True)
    for kind in ("lokr", "loha", "columns", "locon"):
        yield kind, _product(kind, modules, architecture)


def _half(tensor: Tensor, dtype: str) -> Tensor:
    values = tensor.as_float32()
    if dtype == "F16":
        return Tensor("F16", tensor.shape, values.astype("<f2").tobytes())
    return Tensor("BF16", tensor.shape, (values.view("<u4") >> 16).astype("<u2").tobytes())


def _product(kind: str, modules: Mapping[str, tuple[int, ...]], architecture: str) -> key_formats.Lora:
    random, tensors, alphas = np.random.default_rng(3), {}, {}
    for module, (rows, columns, *kernel) in modules.items():
        ab = ((rows, 2), (2, columns))
        shapes: dict[str, tuple[int, ...]] = {
            "lokr": {"lokr_w1": (2, 2), "lokr_w2": (rows // 2, columns // 2)},
            "loha": {f"hada_w{half}": shape for half, shape in zip(("1_a", "1_b", "2_a", "2_b"), 2 * ab, strict=True)},
            "columns": {DOWN: (2, columns), UP: (rows, 2), "dora_scale": (1, columns)},
            "locon": {DOWN: (2, columns, 1, 1), UP: (rows, 2, 1, 1), MID: (2, 2, *(kernel * 2 or (3, 3)))},
        }[kind]  # fmt: skip
        tensors |= {f"{module}.{part}": float32_tensor(random.normal(size=shape)) for part, shape in shapes.items()}
        alphas[module] = 1.0 if kind == "lokr" else 2.0
    return key_formats.Lora(tensors, alphas, architecture)  # type: ignore[arg-type]


def key_format_values(folder: Path) -> Iterator[tuple[str, str]]:
    for architecture in MODULES:
        for kind, lora in kinds(architecture):
            for form in WRITTEN:
                name = f"{architecture} {kind} {form}"
                try:
                    tensors, header = key_formats.write(lora, form)  # type: ignore[arg-type]
                except (key_formats.UnknownKeyFormat, key_formats.CannotHold) as error:
                    yield f"{name}: refused", digest(str(error))
                    continue
                yield f"{name}: written", of_tensors(tensors, header)
                yield f"{name}: report", digest(report(tensors, header))
                yield from _read_and_converted(name, tensors, header, folder)
            if kind in ("lokr", "loha", "columns"):
                yield from _read_and_converted(f"{architecture} {kind} bare", lora.tensors, {}, folder)
        for form in forms.FORMS:
            lora = random_lora(forms.modules_of(architecture), architecture, alpha=forms.alpha_of(form))
            try:
                tensors, header = forms.written(lora, form)
            except (key_formats.UnknownKeyFormat, key_formats.CannotHold):
                continue
            yield f"{architecture} form {form}: report", digest(report(tensors, header))
            yield from _read_and_converted(f"{architecture} form {form}", tensors, header, folder)


def _read_and_converted(
    name: str, tensors: Mapping[str, Tensor], header: Mapping[str, str], folder: Path
) -> Iterator[tuple[str, str]]:
    def read() -> Any:
        lora = key_formats.read(tensors, header)
        return [of_tensors(lora.tensors, {}), lora.alphas, lora.architecture, lora.left_out]

    yield f"{name}: read", digest(outcome(read))
    source, target = folder / "source.safetensors", folder / "target.safetensors"
    source.write_bytes(safetensors_file.to_bytes(tensors, {**header, "ss_resolution": "(640, 512)", "ss_tag": "x"}))
    for form in WRITTEN:
        for clean in (False, True):
            told = outcome(lambda: export.converted(source, target, form, name="brand-v1", clean=clean).sha256)  # type: ignore[arg-type]  # noqa: B023
            yield f"{name}: converted to {form}{' clean' if clean else ''}", digest(told)
    told = outcome(lambda: export.for_engines(source, target, name="brand-v1").sha256)
    yield f"{name}: for engines", digest(told)


def export_values(folder: Path) -> Iterator[tuple[str, str]]:
    source, target = folder / "source.safetensors", folder / "target.safetensors"
    for base in catalogue.all_models():
        yield f"base {base.key}: facts", digest(dataclasses.asdict(sidecar.base_facts(base)))
        architecture = sidecar.architecture_of(base)
        lora = random_lora(MODULES[architecture], architecture, rank=4, alpha=2.0)
        source.write_bytes(safetensors_file.to_bytes(lora.tensors, key_formats.diffusers_header(lora)))
        for number, changes in enumerate(RECIPES):
            facts = sidecar.facts_for(
                brand="Nordlicht", purpose="style", version=3, base=base, rank=4, alpha=2.0, trigger_word="brandx",
                created_at=WHEN, training=_training(RECIPE | {"base_model": base.key} | changes, base),
            )  # fmt: skip
            for write in (export.diffusers_file, export.kohya_file):
                for clean in (False, True):
                    name = f"base {base.key} recipe {number}: {write.__name__}{' clean' if clean else ''}"
                    yield name, write(source, target, facts, clean=clean).sha256
    for number, told in enumerate(TOLD):
        yield f"settings told {number}", digest(settings_read(told))


def _training(fields: dict[str, Any], base: catalogue.BaseModelEntry) -> metadata.TrainingFacts:
    recipe = TrainingRecipe(**fields)
    return metadata.TrainingFacts(
        settings=recipe.used(is_flow=base.is_flow), keys=header_keys(TrainingRecipe),
        steps_done=90, started_at=WHEN, finished_at=WHEN,
        captions=("jar, blue", "lid, blue", "blue"), sizes=((512, 512), (512, 512), (640, 384)),
    )  # fmt: skip


def settings_read(told: Mapping[str, str]) -> Any:
    return header_settings.read(told, inspecting.SETTINGS)


def other_values() -> Iterator[tuple[str, str]]:
    for written in foreign_files.FILES:
        places = {name: safetensors_file.Place(one.dtype, one.shape, 0, 0) for name, one in written.entries().items()}
        header = safetensors_file.Header(places, dict(written.metadata), 0)
        name = f"foreign {written.architecture}, {written.program}"
        yield name, digest(as_json(inspecting.report_of(header, 10**9, {})))
    for number, names in enumerate(CHECKPOINTS):
        yield f"checkpoint {number}", digest(outcome(lambda: as_json(recognition.of_tensors(names))))  # noqa: B023
    for number, (index, parts) in enumerate(PIPELINES):
        yield f"pipeline {number}", digest(outcome(lambda: as_json(recognition.of_pipeline(index, **parts))))  # noqa: B023


@contextlib.contextmanager
def narrow() -> Iterator[None]:
    """Bases whose tokens are 12 to 32 numbers wide, as those of the tests' adapters."""
    before = known.FAMILIES
    known.FAMILIES = tuple(
        dataclasses.replace(one, widths=one.widths | {12, 16, 32} if one.widths else one.widths) for one in before
    )
    yield
    known.FAMILIES = before


def values() -> dict[str, str]:
    found = dict(other_values())
    with narrow(), tempfile.TemporaryDirectory() as folder:
        for name, value in (*key_format_values(Path(folder)), *export_values(Path(folder))):
            assert name not in found, name
            found[name] = value
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["write", "compare"])
    parser.add_argument("file", type=Path)
    asked = parser.parse_args(arguments)
    now = values()
    if asked.what == "write":
        asked.file.write_text(json.dumps(now, indent=1))
        print(f"{len(now)} values are in {asked.file}.")
        return 0
    before = json.loads(asked.file.read_text())
    found = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    print("\n".join([*found, f"{len(found)} of {len(before)} values differ."]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
