"""Addresses of model hubs as people copy them: which hub, which model, which file. Pure."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from app.errors import N_, Invalid

HUGGING_FACE = ("huggingface.co", "www.huggingface.co", "hf.co")
CIVITAI = ("civitai.com", "www.civitai.com")
_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
REPOSITORY = re.compile(rf"{_WORD}/{_WORD}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FILE = re.compile(r"[A-Za-z0-9 ()\[\]_.+,~-]+(/[A-Za-z0-9 ()\[\]_.+,~-]+){0,8}")


class UnknownAddress(Invalid):
    sentence = N_(
        "This is not the address of a model on Hugging Face or Civitai. Use an address such as "
        "https://huggingface.co/owner/model or https://civitai.com/models/12345."
    )


class OnlySafetensors(Invalid):
    sentence = N_(
        "Livery accepts only .safetensors files; other formats can contain programs. Look for a .safetensors "
        "file of this model."
    )


@dataclass(frozen=True)
class HubAddress:
    """What an address names. The file is None where it names a model alone."""

    hub: Literal["huggingface", "civitai"]
    repository: str = ""
    """``owner/name``, on Hugging Face."""
    revision: str = "main"
    file: str | None = None
    model_id: int | None = None
    """On Civitai."""
    version_id: int | None = None

    @property
    def url(self) -> str:
        """The address written anew from what was understood, without anything that could be a secret."""
        if self.hub == "huggingface":
            way = f"/blob/{self.revision}/{self.file}" if self.file else f"/tree/{self.revision}"
            return f"https://huggingface.co/{self.repository}" + ("" if way == "/tree/main" else way)
        if self.model_id is None:
            return f"https://civitai.com/api/download/models/{self.version_id}"
        return f"https://civitai.com/models/{self.model_id}" + (
            f"?modelVersionId={self.version_id}" if self.version_id else ""
        )


def parse(text: str) -> HubAddress:
    """``owner/name`` is taken for Hugging Face. Raises ``UnknownAddress`` or ``OnlySafetensors``."""
    text = text.strip()
    if REPOSITORY.fullmatch(text):
        return HubAddress("huggingface", text)
    try:
        parts = urlsplit(text if "//" in text else f"https://{text}")
        port = parts.port
    except ValueError as error:
        raise UnknownAddress() from error
    if parts.scheme != "https" or parts.username or parts.password or port not in (None, 443):
        raise UnknownAddress()
    host, path = (parts.hostname or "").lower(), [unquote(part) for part in parts.path.split("/") if part]
    if host in HUGGING_FACE:
        return _hugging_face(path)
    if host in CIVITAI:
        return _civitai(path, parse_qs(parts.query))
    raise UnknownAddress()


def _hugging_face(path: list[str]) -> HubAddress:
    repository = "/".join(path[:2])
    if len(path) < 2 or not REPOSITORY.fullmatch(repository) or path[0] in ("datasets", "spaces"):
        raise UnknownAddress()
    if len(path) == 2:
        return HubAddress("huggingface", repository)
    if path[2] not in ("blob", "resolve", "tree") or len(path) < 4 or not _REVISION.fullmatch(path[3]):
        raise UnknownAddress()
    if len(path) == 4:
        return HubAddress("huggingface", repository, path[3])
    file = "/".join(path[4:])
    if path[2] == "tree" or not _FILE.fullmatch(file) or any(part in (".", "..") for part in path[4:]):
        raise UnknownAddress()
    if not file.endswith(".safetensors"):
        raise OnlySafetensors()
    return HubAddress("huggingface", repository, path[3], file)


def _civitai(path: list[str], query: dict[str, list[str]]) -> HubAddress:
    numbers = {name: _number(values[0]) for name, values in query.items() if name == "modelVersionId" and values}
    if path[:3] == ["api", "download", "models"] and len(path) == 4 and _number(path[3]):
        return HubAddress("civitai", version_id=_number(path[3]))
    if path[:1] == ["models"] and len(path) >= 2 and _number(path[1]):
        return HubAddress("civitai", model_id=_number(path[1]), version_id=numbers.get("modelVersionId"))
    raise UnknownAddress()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None
