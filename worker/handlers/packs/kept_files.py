"""Files of a pack that wait in the storage until all are there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import Invalid, NotFound
from app.matrix.errors import FileGone
from app.matrix.packs import work as packs
from app.matrix.packs.contents import Failure, PackKind
from app.matrix.packs.work import AdWork, PackWork
from worker.handlers.packs.ad_files import AdWriter
from worker.job_run import JobRun


@dataclass(frozen=True)
class Told:
    """What is known of a file that was made (codes of findings with their numbers), or why there is none."""

    findings: tuple[tuple[str, dict[str, Any]], ...] = ()
    failure: Failure | None = None


class KeptFiles:
    """Makes each file once, whatever becomes of this process."""

    def __init__(self, job: JobRun, todo: PackWork, folder: Path) -> None:
        self._job, self._todo = job, todo
        self._writer = AdWriter(job, todo, folder)

    def ready(self, ad: AdWork, kind: PackKind) -> Told:
        """Have the file in the storage, unless an earlier attempt has put it there. Raises ``LeaseLost``."""
        storage, key = self._job.context.storage, self._key(ad, kind)
        try:
            return _read(storage.get(f"{key}.json"))
        except FileNotFoundError:
            told = self._made(ad, kind)
        # What is told of it comes last: where that is, the file is whole.
        storage.put(f"{key}.json", _written(told))
        self._job.write(lambda session: packs.got_further(session, self._job.claim))
        return told

    def _made(self, ad: AdWork, kind: PackKind) -> Told:
        try:
            file = self._writer.file(ad, kind)
        except (Invalid, NotFound) as error:
            return Told(failure=_failure(ad, kind, error))
        except FileNotFoundError:
            return Told(failure=_failure(ad, kind, FileGone()))
        self._job.context.storage.put(self._key(ad, kind), file.content)
        return Told(tuple((one.code, dict(one.numbers)) for one in file.findings))

    def content(self, ad: AdWork, kind: PackKind) -> Iterator[bytes]:
        """Piece by piece. After a long pause it may have been swept away; then it is made again."""
        storage, key = self._job.context.storage, self._key(ad, kind)
        self._job.progress.check()
        if not storage.exists(key):
            storage.put(key, self._writer.file(ad, kind).content)
        yield from storage.chunks(key)

    def clear(self) -> None:
        self._job.context.storage.delete_under(self._todo.folder)

    def _key(self, ad: AdWork, kind: PackKind) -> str:
        return f"{self._todo.folder}/{ad.packed.version_id}-{kind}"


def _failure(ad: AdWork, kind: PackKind, error: Invalid | NotFound) -> Failure:
    return Failure(
        cell_id=ad.packed.cell_id, kind=kind, code=error.code(), sentence=error.sentence, params=error.params
    )


def _written(told: Told) -> bytes:
    failure = None if told.failure is None else told.failure.model_dump(mode="json")
    return json.dumps({"findings": told.findings, "failure": failure}).encode()


def _read(content: bytes) -> Told:
    given = json.loads(content)
    failure = None if given["failure"] is None else Failure.model_validate(given["failure"])
    return Told(tuple((code, numbers) for code, numbers in given["findings"]), failure)
