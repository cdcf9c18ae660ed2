"""Readers of headers: what disposable processes run. Nothing else imports this module."""

from typing import Any

from pydantic import TypeAdapter

from app.lora_files import inspection
from app.lora_files.header_settings import Setting
from app.lora_files.safetensors_file import Header, Place, checked
from app.trainings.look.recipe import TrainingRecipe, header_keys

SETTINGS = {
    name: Setting(key, TypeAdapter(TrainingRecipe.model_fields[name].rebuild_annotation()).validate_python)
    for name, key in header_keys(TrainingRecipe).items()
}
"""What a header may tell of a training: the fields of our own recipe, each within its bounds."""


def header(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The places of the tensors and the metadata. Raises ``UnsafeFile``."""
    places, metadata = checked(blobs[0], question["data_bytes"])
    listed = [(name, (one.dtype, one.shape, one.start, one.end)) for name, one in places.items()]
    return {"places": listed, "metadata": metadata}, []


def passport(question: dict[str, Any], _blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The `Passport` of a checked header."""
    places = {name: Place(dtype, tuple(shape), start, end) for name, (dtype, shape, start, end) in question["places"]}
    header = Header(places, question["metadata"], question["data_start"])
    found = inspection.of_header(header, question["byte_count"], question["alphas"], SETTINGS)
    return found.model_dump(mode="json"), []
