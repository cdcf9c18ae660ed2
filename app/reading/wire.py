"""How a question and its answer travel: four bytes with the length of a JSON object, the object, then raw bytes whose
lengths it holds under ``blobs``. Nothing that comes back is ever executed or unpickled."""

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

LONGEST_HEAD = 128_000_000
"""Bytes; the rows of a table at the limit with every letter escaped."""


class BadMessage(Exception):
    """What came is no message, or larger than allowed."""


def packed(head: dict[str, Any], blobs: Sequence[bytes]) -> list[bytes]:
    """The pieces to write, one after the other."""
    text = json.dumps({**head, "blobs": [len(blob) for blob in blobs]}).encode()
    return [struct.pack("<I", len(text)), text, *blobs]


def read(exactly: Callable[[int], bytes], most_bytes: int) -> tuple[dict[str, Any], list[bytes]]:
    """A message from ``exactly``, which reads so many bytes or raises. Raises ``BadMessage``."""
    (length,) = struct.unpack("<I", exactly(4))
    if length > min(LONGEST_HEAD, most_bytes):
        raise BadMessage
    try:
        head = json.loads(exactly(length))
        lengths = [int(one) for one in head.pop("blobs")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadMessage from error
    if any(one < 0 for one in lengths) or sum(lengths) > most_bytes:
        raise BadMessage
    return head, [exactly(one) for one in lengths]
