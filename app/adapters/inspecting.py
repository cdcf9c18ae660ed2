"""Safetensors files from outside, looked at by disposable processes: a header may be made to fill the memory.

``app.lora_files`` says what is found there; this is only where it is asked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from app.lora_files import inspection, safetensors_file
from app.lora_files.header_settings import Setting
from app.lora_files.inspection import MetadataReport
from app.lora_files.safetensors_file import Header, Place, Tensor, UnsafeFile
from app.reading import pool
from app.reading.errors import Unreadable
from app.reading.net import otherwise
from app.trainings.look.recipe import TrainingRecipe, header_keys

LONG_HEADER_BYTES = 1_000_000
UNREADABLE = "its header cannot be read"
SETTINGS = {
    name: Setting(key, TypeAdapter(TrainingRecipe.model_fields[name].rebuild_annotation()).validate_python)
    for name, key in header_keys(TrainingRecipe).items()
}
"""What a header may tell of a training: the fields of our own recipe, each within its bounds."""


def of_file(path: Path, *, whole: bool = True) -> MetadataReport:
    """The metadata report of a file; with ``whole`` every byte is read for its hashes. Raises ``UnsafeFile``."""
    with otherwise(UnsafeFile(reason=UNREADABLE)):
        with path.open("rb") as file:
            header = header_of(file, path.stat().st_size)
            alphas = inspection.alphas_of(file, header)
        report = looked_at(header, path.stat().st_size, alphas)
    if whole:
        report.hashes = report.hashes.model_copy(update=inspection.hashes_of(path, header))
    return report


def of_beginning(file: BinaryIO, size: int, alphas: bytes) -> MetadataReport:
    """The report from a file's beginning, and its alphas one behind the other in the order of ``alpha_places``.

    Raises ``UnsafeFile``.
    """
    with otherwise(UnsafeFile(reason=UNREADABLE)):
        header = header_of(file, size)
        return looked_at(header, size, inspection.alphas_in(alphas, header))


def looked_at(header: Header, byte_count: int, alphas: Mapping[str, float]) -> MetadataReport:
    """``report_of`` by a process that may be lost: names, shapes and the JSON in the metadata are anybody's claims,
    and for the beginning of a file nothing stands behind them."""
    listed = [(name, (one.dtype, one.shape, one.start, one.end)) for name, one in header.tensors.items()]
    question = {
        "places": listed,
        "metadata": header.metadata,
        "data_start": header.data_start,
        "byte_count": byte_count,
        "alphas": dict(alphas),
    }
    try:
        return MetadataReport.model_validate(pool.ask("adapter_report", question).value)
    except Unreadable as error:
        raise UnsafeFile(reason=UNREADABLE) from error


def report_of(header: Header, byte_count: int, alphas: Mapping[str, float]) -> MetadataReport:
    """The report, with those settings of its training that a recipe could have."""
    return inspection.of_header(header, byte_count, alphas, SETTINGS)


def header_of(file: BinaryIO, size: int, *, most_bytes: int = safetensors_file.MAX_FILE_BYTES) -> Header:
    """``safetensors_file.header_of``, a long header by a process that may be lost. Raises ``UnsafeFile``."""
    return safetensors_file.header_of(file, size, most_bytes=most_bytes, check=_checked)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """``safetensors_file.read``, likewise. Raises ``UnsafeFile``."""
    return safetensors_file.read(path, check=_checked)


def _checked(text: bytes, data_bytes: int) -> tuple[dict[str, Place], dict[str, str]]:
    """Eight megabytes of brackets become gigabytes."""
    if len(text) <= LONG_HEADER_BYTES:
        return safetensors_file.checked(text, data_bytes)
    try:
        found = pool.ask("adapter_header", {"data_bytes": data_bytes}, [text]).value
    except Unreadable as error:
        raise UnsafeFile(reason=UNREADABLE) from error
    places = {name: Place(dtype, tuple(shape), start, end) for name, (dtype, shape, start, end) in found["places"]}
    return places, found["metadata"]
