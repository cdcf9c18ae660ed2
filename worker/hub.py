"""The model hub as the worker needs it: what a repository holds, and one file after the other, resumed and checked.

Listing goes through ``huggingface_hub``; the bytes are streamed here, because the library's own download tells neither
a cancellation nor a wrong hash. It does not know how fast the line will be in a minute.
"""

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import N_
from worker.engines.contracts import EngineError

log = logging.getLogger("livery.worker")
PIECE_BYTES = 1_000_000
SECONDS_TO_ANSWER = 30.0
TRIES = 6
PAUSES_SECONDS = (1.0, 3.0, 10.0, 30.0, 60.0)
PLAIN_PATH = re.compile(r"[\w+()\[\] -][\w.+()\[\] -]*(/[\w+()\[\] -][\w.+()\[\] -]*)*")
MOST_FILES = 5000
GATED = N_(
    "The model hub gives this base model only to those who have accepted its licence. Open the model's page on the "
    "hub, accept the licence there, and give the token of the same account under “Token of the model hub” on the page "
    "Base models."
)
NOT_FOUND = N_(
    "The model hub has no such base model, or it is private. Check its name and revision; for a private one give a "
    "token that may read it, under “Token of the model hub” on the page Base models."
)
AWAY = N_("The model hub does not answer. What was fetched is kept; try again later, and it goes on from there.")
WRONG_HASH = N_(
    "A file of the base model is not the one that the hub announces (its checksum differs), twice in a row. It was "
    "thrown away. Try again later; if it stays so, do not use this base model."
)


@dataclass(frozen=True)
class HubFile:
    path: str
    size: int
    sha256: str | None
    """Of files in the large file storage."""
    git_hash: str
    """SHA-1 over a header and the content, as git computes it; the hub names it for every other file."""

    @property
    def tag(self) -> str:
        """Changes with the content."""
        return (self.sha256 or self.git_hash)[:12]


@dataclass(frozen=True)
class Repository:
    name: str
    commit: str
    files: dict[str, HubFile]


@dataclass(frozen=True)
class Hub:
    """A hub's address, and the token that this workspace may use; without one it is asked as a stranger would ask."""

    url: str
    token: str | None = None
    own_token: bool = False
    """Without a token the one of the machine's own settings is used (``HF_TOKEN``)."""

    @property
    def _auth(self) -> str | bool | None:
        return self.token or (None if self.own_token else False)

    def repository(self, name: str, revision: str | None) -> Repository:
        """What it holds. Raises ``EngineError``: ``gated``, ``not_on_hub``, ``hub_away``."""
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self.url, token=self._auth)
        info = _told(lambda: api.model_info(name, revision=revision, files_metadata=True, timeout=SECONDS_TO_ANSWER))
        files = {}
        for one in (info.siblings or [])[:MOST_FILES]:
            if PLAIN_PATH.fullmatch(one.rfilename) and one.size is not None:
                sha256 = one.lfs.sha256 if one.lfs else None
                files[one.rfilename] = HubFile(one.rfilename, one.size, sha256, one.blob_id or "")
        return Repository(name, info.sha or revision or "main", files)

    def fetch(
        self,
        repository: Repository,
        file: HubFile,
        target: Path,
        *,
        on_bytes: Callable[[int], None],
        wait: Callable[[float], None],
    ) -> None:
        """Bring a file to ``target``, from where an earlier try was cut off; there only once it is whole and checked.

        ``on_bytes`` is told how many more bytes are here (fewer than none when something was thrown away) and may
        raise; ``wait`` lets time pass. Raises ``EngineError``: ``gated``, ``not_on_hub``, ``hub_away``, ``wrong_hash``.
        """
        part = _part_of(file, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        on_bytes(self.bytes_kept(file, target))
        for attempt in range(2):
            self._stream(repository, file, part, on_bytes, wait)
            if _is_right(part, file):
                part.replace(target)
                return
            log.warning("%s of %s has another checksum, try %d", file.path, repository.name, attempt + 1)
            on_bytes(-part.stat().st_size)
            part.unlink()
        raise EngineError("wrong_hash", WRONG_HASH)

    @staticmethod
    def bytes_kept(file: HubFile, target: Path) -> int:
        """Of an earlier try that was cut off."""
        part = _part_of(file, target)
        return part.stat().st_size if part.exists() else 0

    def beginning(self, repository: Repository, file: HubFile, count: int) -> bytes:
        """The first ``count`` bytes of a file. Raises ``EngineError`` like ``fetch``."""
        found = b""
        for piece in self._pieces(repository, file, 0, count):
            found += piece
            if len(found) >= count:
                break
        return found[:count]

    def _stream(
        self,
        repository: Repository,
        file: HubFile,
        part: Path,
        on_bytes: Callable[[int], None],
        wait: Callable[[float], None],
    ) -> None:
        from httpx2 import TransportError

        for pause in (*PAUSES_SECONDS, None):
            there = part.stat().st_size if part.exists() else 0
            if there > file.size:
                on_bytes(-there)
                part.unlink()
                there = 0
            if there == file.size and part.exists():
                return
            try:
                with part.open("ab") as out:
                    for piece in self._pieces(repository, file, there, None):
                        out.write(piece)
                        on_bytes(len(piece))
                if part.stat().st_size >= file.size:
                    return
                log.warning("%s was cut off, going on", file.path)
            except (TransportError, OSError) as error:
                if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
                    raise
                log.warning("%s was cut off, going on: %s", file.path, str(error)[:200])
            except EngineError as error:
                if error.code != "hub_away" or pause is None:
                    raise
            if pause is not None:
                wait(pause)
        raise EngineError("hub_away", AWAY)

    def _pieces(self, repository: Repository, file: HubFile, start: int, count: int | None) -> Any:
        from huggingface_hub import get_session, get_token, hf_hub_url
        from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

        url = hf_hub_url(repository.name, file.path, revision=repository.commit, endpoint=self.url)
        token = self.token or (get_token() if self.own_token else None)
        headers = {"accept-encoding": "identity"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if start or count:
            headers["range"] = f"bytes={start}-" + (str(start + count - 1) if count else "")
        # The client drops the token by itself when the hub sends it on to another host.
        with get_session().stream("GET", url, headers=headers, timeout=SECONDS_TO_ANSWER) as answer:
            _told(lambda: hf_raise_for_status(answer))
            skip = start if answer.status_code != 206 else 0  # it knows no ranges and begins anew
            for piece in answer.iter_bytes(PIECE_BYTES):
                if skip >= len(piece):
                    skip -= len(piece)
                    continue
                yield piece[skip:]
                skip = 0


def _part_of(file: HubFile, target: Path) -> Path:
    return target.with_name(f"{target.name}.{file.tag}.part")


def _told(ask: Callable[[], Any]) -> Any:
    """``ask``, with what goes wrong in words."""
    from httpx2 import TransportError
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return ask()
    except GatedRepoError as error:
        raise EngineError("gated", GATED) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise EngineError("not_on_hub", NOT_FOUND) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise EngineError("gated", GATED) from error
        if status == 404:
            raise EngineError("not_on_hub", NOT_FOUND) from error
        raise EngineError("hub_away", AWAY) from error
    except (TransportError, ConnectionError, TimeoutError) as error:
        raise EngineError("hub_away", AWAY) from error


def _is_right(path: Path, file: HubFile) -> bool:
    if path.stat().st_size != file.size:
        return False
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as content:
        while piece := content.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest() == (file.sha256 or file.git_hash)
