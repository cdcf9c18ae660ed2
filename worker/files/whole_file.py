"""A file of a hub, brought whole: resumed where it was cut off, checked, and given its name only then.

It does not know how fast the line will be in a minute.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.errors import N_
from worker.files import fetching
from worker.files.fetching import FetchError, Hub

log = logging.getLogger("livery.worker")
PIECE_BYTES = 1_000_000
PAUSES_SECONDS = (1.0, 3.0, 10.0, 30.0, 60.0)
"""Before each further try within one attempt."""
MAY_PASS = ("hub_away", "hub_trouble")
WRONG_HASH = N_(
    "A file of the base model did not match the checksum that the model hub announces, twice in a row. The "
    "file was deleted. Try again later; if the problem persists, do not use this base model."
)
TOO_LARGE = N_("The file is larger than this Livery accepts for an adapter.")


@dataclass(frozen=True)
class Announced:
    """A file as its hub describes it; None or empty for what the hub does not say."""

    url: str
    size: int | None = None
    """Exactly; more than that is not taken."""
    sha256: str | None = None
    git_hash: str = ""
    """SHA-1 over a header and the content, as git computes it. Needs ``size``."""

    @property
    def tag(self) -> str:
        """Changes with the content."""
        return (self.sha256 or self.git_hash)[:12]


def bring(
    hub: Hub,
    file: Announced,
    target: Path,
    *,
    token: str,
    on_bytes: Callable[[int], None],
    wait: Callable[[float], None],
    most: int | None = None,
) -> None:
    """Bring a file to ``target``, from where an earlier try was cut off; there only once it is whole and checked.

    ``on_bytes`` is told how many more bytes are here (fewer than none when something was thrown away) and may raise;
    ``wait`` lets time pass before another try, and may raise. Raises ``FetchError``: like ``fetching.opened``,
    ``wrong_hash``, and ``too_large`` for more than ``most`` bytes.
    """
    part = _part_of(file, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not file.tag:
        part.unlink(missing_ok=True)  # nothing says that it is the beginning of the same file
    on_bytes(_size(part))
    for attempt in range(2):
        _stream(hub, file, part, token, on_bytes, wait, most)
        if _is_right(part, file):
            part.replace(target)
            return
        log.warning("%s has another checksum, try %d", target.name, attempt + 1)
        on_bytes(-_size(part))
        part.unlink()
    raise FetchError("wrong_hash", WRONG_HASH)


def bytes_kept(file: Announced, target: Path) -> int:
    """Of an earlier try that was cut off."""
    return _size(_part_of(file, target))


def _stream(
    hub: Hub,
    file: Announced,
    part: Path,
    token: str,
    on_bytes: Callable[[int], None],
    wait: Callable[[float], None],
    most: int | None,
) -> None:
    for pause in (*PAUSES_SECONDS, None):
        if file.size is not None and _size(part) > file.size:
            on_bytes(-_size(part))
            part.unlink()
        if part.exists() and _size(part) == file.size:
            return
        try:
            if _receive(hub, file, part, token, on_bytes, most):
                return
            log.warning("%s was cut off, going on", part.name)
        except FetchError as error:
            if error.code not in MAY_PASS or pause is None:
                raise
            log.warning("%s was cut off, going on: %s", part.name, str(error.__cause__ or error.code)[:200])
        if pause is not None:
            wait(pause)
    raise FetchError("hub_away", fetching.NOT_REACHED)


def _receive(
    hub: Hub, file: Announced, part: Path, token: str, on_bytes: Callable[[int], None], most: int | None
) -> bool:
    """Append what is still missing. Says whether all has come that the hub announced."""
    there = _size(part)
    with fetching.opened(hub, file.url, token=token, start=there) as response, part.open("ab") as out:
        skip = there if response.status != 206 else 0  # it knows no ranges and begins anew
        expected, length = file.size, fetching.length_of(response)
        if expected is None and length is not None:
            expected = length + there - skip
        if most is not None and (expected or 0) > most:
            raise FetchError("too_large", TOO_LARGE)
        while piece := fetching.read(response, PIECE_BYTES):
            fresh, skip = piece[skip:], max(0, skip - len(piece))
            out.write(fresh)
            there += len(fresh)
            on_bytes(len(fresh))
            if most is not None and there > most:
                raise FetchError("too_large", TOO_LARGE)
            if file.size is not None and there > file.size:
                break
    return expected is None or there >= expected


def _part_of(file: Announced, target: Path) -> Path:
    return target.with_name(f"{target.name}.{file.tag}.part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_right(path: Path, file: Announced) -> bool:
    if file.size is not None and _size(path) != file.size:
        return False
    if not file.tag:
        return True
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as content:
        while piece := content.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest() == (file.sha256 or file.git_hash)
