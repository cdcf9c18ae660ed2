"""What can go wrong with adapters."""

from app.errors import N_, NotFound


class VersionTaken(Exception):
    """Another adapter of the brand got this version number first; take the next one."""


class NoSuchFile(NotFound):
    sentence = N_(
        "This adapter has no file for other programs: their layer names do not cover this kind of adapter on "
        "this base. Download the file for diffusers."
    )
