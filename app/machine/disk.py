"""Is there room on the disk? Work stops with a sentence while there still is, before anything breaks."""

import shutil
from pathlib import Path

from app.errors import N_, AppError

MB = 1_000_000
ROOM_AGAIN = 1.2
"""Once short, there is room again at this multiple of the floor: no stop and go around one number."""


class NoRoom(AppError):
    status = 507
    sentence = N_(
        "Livery's disk is nearly full, so nothing more can be uploaded for now. Everything already here is "
        "safe. Ask the person who runs this Livery to free some space."
    )


PAUSED = N_(
    "Paused because the disk is nearly full. The job continues where it left off as soon as there is space "
    "again; the person who runs this Livery can free some."
)


def free_bytes(folder: Path) -> int:
    """Bytes that are left on the disk of ``folder``, which need not be there yet."""
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


class DiskWatch:
    """Tells whether the disk of some folders is below the floor (0 turns it off). Cheap enough to ask at every step."""

    def __init__(self, *folders: Path, floor_mb: int) -> None:
        self._folders = folders
        self._floor = floor_mb * MB
        self._short = False

    @property
    def floor_bytes(self) -> int:
        return self._floor

    def free(self) -> int:
        """The least that is left for any of the folders."""
        return min((free_bytes(folder) for folder in self._folders), default=0)

    def is_short(self) -> bool:
        if self._floor:
            self._short = self.free() < self._floor * (ROOM_AGAIN if self._short else 1)
        return self._short
