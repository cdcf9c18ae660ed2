"""Readers of headers: what disposable processes run. Nothing else imports this module."""

from typing import Any

from app.adapters import inspecting
from app.lora_files.safetensors_file import Header, Place, checked


def header(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The places of the tensors and the metadata. Raises ``UnsafeFile``."""
    places, metadata = checked(blobs[0], question["data_bytes"])
    listed = [(name, (one.dtype, one.shape, one.start, one.end)) for name, one in places.items()]
    return {"places": listed, "metadata": metadata}, []


def report(question: dict[str, Any], _blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The metadata report of a checked header."""
    places = {name: Place(dtype, tuple(shape), start, end) for name, (dtype, shape, start, end) in question["places"]}
    header = Header(places, question["metadata"], question["data_start"])
    return inspecting.report_of(header, question["byte_count"], question["alphas"]).model_dump(mode="json"), []
