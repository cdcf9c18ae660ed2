"""The reader of long headers: what disposable processes run. Nothing else imports this module."""

from typing import Any

from app.adapters.safetensors_file import checked


def header(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The places of the tensors and the metadata. Raises ``UnsafeFile``."""
    places, metadata = checked(blobs[0], question["data_bytes"])
    listed = [(name, (one.dtype, one.shape, one.start, one.end)) for name, one in places.items()]
    return {"places": listed, "metadata": metadata}, []
