"""What a storage key may look like."""

import re

_KEY = re.compile(r"[a-z0-9_-]+(?:/[a-z0-9_-]+)*(?:\.[a-z0-9]+)*", re.ASCII)


class StorageKeyError(ValueError):
    """A key was not built from ids, hashes and fixed words."""


def checked(key: str) -> str:
    """``key`` itself, if it is lower-case words joined by ``/`` with a plain ending; so it can never leave its folder.

    Raises ``StorageKeyError``.
    """
    if len(key) > 300 or not _KEY.fullmatch(key):
        raise StorageKeyError(f"not a storage key: {key!r}")
    return key
