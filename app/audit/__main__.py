"""``python -m app.audit verify``: reads every chain of the audit log and says whether it is whole.

With ``--export FILE`` it checks a JSON Lines export as well, and that the log still holds the very events that were
exported: an export that was kept elsewhere shows whether somebody made the log anew. Ends with 0 when all is whole,
with 1 when not.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.audit import chain, exports, queries
from app.audit.chain import Verdict
from app.db import Database
from app.settings import Settings
from app.startup import keep_private

REASONS = {
    "changed": "it was changed",
    "missing": "it is missing",
    "order": "it is not in its place",
    "end": "the chain's end is not what was noted",
    "erased": "its details are gone, and no erasure tells of that",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.audit", description=__doc__)
    verify = parser.add_subparsers(dest="command", required=True).add_parser("verify", help="read the log and check it")
    verify.add_argument("--export", type=Path, metavar="FILE", help="an export as JSON Lines, to be checked as well")
    given = parser.parse_args(arguments)
    settings = Settings()
    keep_private(settings)
    database = Database(settings.effective_database_url)
    try:
        with database.read() as session:
            found = [_told(queries.verify(session, one)) for one in queries.chains(session)]
            if given.export is not None:
                found.append(_check_export(session, given.export))
    except (OSError, ValueError) as error:
        print(f"{given.export}: {error}", file=sys.stderr)
        return 1
    finally:
        database.engine.dispose()
    return 0 if all(found) else 1


def _told(verdict: Verdict) -> bool:
    if verdict.is_intact:
        erased = f", {verdict.erased} of them with erased details" if verdict.erased else ""
        print(f"{verdict.chain}: intact, {verdict.length} events{erased}, last hash {verdict.hash or '-'}")
    else:
        print(f"{verdict.chain}: broken at {verdict.broken_at}: {REASONS[verdict.why]}")
    return verdict.is_intact


def _check_export(session: Session, path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        verdict, exported = _read(exports.read(file))
    print(f"{path}:")
    if not _told(verdict):
        return False
    there = queries.hashes(session, verdict.chain)
    differing = next((number for number, hashed in exported.items() if there.get(number) != hashed), None)
    if differing is not None:
        print(f"{verdict.chain}: from event {differing} on the log does not hold what was exported")
    return differing is None


def _read(events: Iterator[dict[str, Any]]) -> tuple[Verdict, dict[int, str]]:
    """The verdict about an export, and its hashes. Raises ``ValueError`` for an empty one."""
    first = next(events, None)
    if first is None:
        raise ValueError("the export is empty")
    exported: dict[int, str] = {}

    def noted() -> Iterator[dict[str, Any]]:
        for event in (first, *events):
            exported[event["sequence"]] = event["hash"]
            yield event

    return chain.check(first["chain"], noted()), exported


if __name__ == "__main__":
    sys.exit(main())
