"""What can go wrong with adapters."""


class VersionTaken(Exception):
    """Another adapter of the brand got this version number first; take the next one."""
