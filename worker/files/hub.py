"""Base models on a model hub: what a repository holds, its files' beginnings, and the files themselves."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from app.errors import N_
from worker.engines.contracts import EngineError
from worker.files import fetching, whole_file
from worker.files.fetching import FetchError
from worker.files.whole_file import Announced

T = TypeVar("T")
PLAIN_PATH = re.compile(r"[\w+()\[\] -][\w.+()\[\] -]*(/[\w+()\[\] -][\w.+()\[\] -]*)*")
MOST_FILES = 5000
GATED = N_(
    "The model hub gives this base model only to those who have accepted its licence. Open the model's page on "
    "the hub, accept the licence there, and enter the token of the same account under “Model hub token” on the "
    "Base models page."
)
NOT_FOUND = N_(
    "The model hub has no such base model, or it is private. Check its name and revision; for a private base "
    "model, enter a token with read access under “Model hub token” on the Base models page."
)
AWAY = N_("The model hub does not respond. What was fetched is kept; try again later to continue from there.")
NO_HASH = N_(
    "The model hub provides no checksum for a file of this base model, so Livery cannot verify that it arrives "
    "unchanged. Nothing was fetched. Choose another base model."
)
NOT_THERE_FOR_US = ("RepoNotFound", "RevisionNotFound", "EntryNotFound")
BAD_TOKEN = "Invalid credentials in Authorization header"  # noqa: S105 - what a hub says of one


@dataclass(frozen=True)
class HubFile:
    path: str
    size: int
    sha256: str | None
    """Of files in the large file storage."""
    git_hash: str
    """SHA-1 over a header and the content, as git computes it; the hub names it for every other file."""


@dataclass(frozen=True)
class Repository:
    name: str
    commit: str
    files: dict[str, HubFile]


@dataclass(frozen=True)
class Hub:
    """A hub's address, and the token that this workspace may use; without one it is asked as a stranger would ask."""

    url: str
    token: str | None = field(default=None, repr=False)
    own_token: bool = False
    """Without a token the one of the machine's own settings is used (``HF_TOKEN``)."""
    file_hosts: tuple[str, ...] = ()
    """Further hosts that its files lie on, from the settings."""

    def repository(self, name: str, revision: str | None) -> Repository:
        """What it holds. Raises ``EngineError``: ``gated``, ``not_on_hub``, ``hub_away``, ``elsewhere``."""
        at = f"/revision/{quote(revision, safe='')}" if revision else ""
        path = f"/api/models/{quote(name)}{at}?blobs=true"
        told = _in_words(lambda: fetching.get_json(self._place, path, token=self._token()))
        told = told if isinstance(told, dict) else {}
        siblings = told.get("siblings")
        found = [_file(one) for one in siblings[:MOST_FILES]] if isinstance(siblings, list) else []
        files = {file.path: file for file in found if file is not None}
        return Repository(name, str(told.get("sha") or revision or "main"), files)

    def fetch(
        self,
        repository: Repository,
        file: HubFile,
        target: Path,
        *,
        on_bytes: Callable[[int], None],
        wait: Callable[[float], None],
    ) -> None:
        """``whole_file.bring`` it to ``target``.

        Raises ``EngineError``: ``gated``, ``not_on_hub``, ``hub_away``, ``elsewhere``, ``no_hash``, ``wrong_hash``.
        """
        announced = self._announced(repository, file)
        if not announced.tag:
            raise EngineError("no_hash", NO_HASH)
        _in_words(
            lambda: whole_file.bring(self._place, announced, target, token=self._token(), on_bytes=on_bytes, wait=wait)
        )

    def bytes_kept(self, repository: Repository, file: HubFile, target: Path) -> int:
        """Of an earlier try that was cut off."""
        return whole_file.bytes_kept(self._announced(repository, file), target)

    def beginning(self, repository: Repository, file: HubFile, count: int) -> bytes:
        """The first ``count`` bytes of a file. Raises ``EngineError`` like ``fetch``."""
        return _in_words(lambda: self._beginning(self._announced(repository, file).url, count))

    def _beginning(self, url: str, count: int) -> bytes:
        found = b""
        with fetching.opened(self._place, url, token=self._token(), count=count) as response:
            while len(found) < count and (piece := fetching.read(response, count - len(found))):
                found += piece
        return found

    @property
    def _place(self) -> fetching.Hub:
        return fetching.hugging_face(self.url, self.file_hosts)

    def _announced(self, repository: Repository, file: HubFile) -> Announced:
        at = f"{quote(repository.name)}/resolve/{quote(repository.commit, safe='')}/{quote(file.path)}"
        return Announced(f"{self._place.address}/{at}", file.size, file.sha256, file.git_hash)

    def _token(self) -> str:
        if self.token or not self.own_token:
            return self.token or ""
        from huggingface_hub import get_token

        return get_token() or ""


def _file(told: Any) -> HubFile | None:
    """A file of the listing, if its place is one that we would write to."""
    if not isinstance(told, dict):
        return None
    path, size, large = told.get("rfilename"), told.get("size"), told.get("lfs")
    if not isinstance(path, str) or not PLAIN_PATH.fullmatch(path) or type(size) is not int or size < 0:
        return None
    sha256 = large.get("sha256") if isinstance(large, dict) else None
    return HubFile(path, size, str(sha256).lower() if sha256 else None, str(told.get("blobId") or ""))


def _in_words(ask: Callable[[], T]) -> T:
    """``ask``, with what goes wrong in words that fit a base model."""
    try:
        return ask()
    except FetchError as error:
        if error.code in whole_file.MAY_PASS:
            raise EngineError("hub_away", AWAY) from error
        if error.code == "hub_unknown" or error.says in NOT_THERE_FOR_US:
            raise EngineError("not_on_hub", NOT_FOUND) from error
        if error.code == "hub_refuses":
            # A hub answers 401 for what is not there, so that nobody learns of private repositories.
            is_hidden = error.status == 401 and error.says not in ("GatedRepo", BAD_TOKEN)
            raise EngineError(*(("not_on_hub", NOT_FOUND) if is_hidden else ("gated", GATED))) from error
        raise
