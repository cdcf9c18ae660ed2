"""The files that an adapter can be taken along as, and what they are called on somebody's disk."""

from dataclasses import dataclass
from typing import Literal

from app.adapters.errors import NoSuchFile
from app.adapters.models import Adapter
from app.adapters.names import file_stem

Kind = Literal["diffusers", "kohya", "clean", "sidecar"]
KINDS: tuple[Kind, ...] = ("diffusers", "kohya", "clean", "sidecar")
MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class AdapterFile:
    key: str
    name: str


def file_of(adapter: Adapter, kind: Literal["diffusers", "kohya", "clean"]) -> AdapterFile:
    """The stored file for a kind of program.

    No two bear the same name; the one for other programs has that of the sidecar beside it. Raises ``NoSuchFile`` for
    an adapter that other programs' names have no place for.
    """
    stem = file_stem(adapter.name, adapter.purpose, adapter.version)
    match kind:
        case "diffusers":
            return AdapterFile(adapter.diffusers_key, f"{stem}-diffusers.safetensors")
        case "kohya":
            if not adapter.kohya_key:
                raise NoSuchFile()
            return AdapterFile(adapter.kohya_key, f"{stem}.safetensors")
        case "clean":
            ending = "-clean.safetensors" if adapter.kohya_key else "-diffusers-clean.safetensors"
            return AdapterFile(adapter.clean_key, stem + ending)


def sidecar_name(adapter: Adapter) -> str:
    return f"{file_stem(adapter.name, adapter.purpose, adapter.version)}.json"
