"""Asks the package index for known flaws of every locked package, by pip-audit, and says what it could not learn.

Ends with 0 when every package was looked at and none has a known flaw, 1 when one has, and 2 when the index does not
know: a mirror may well have the files and none of the reports.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.tools.lock import LOCKS, ROOT

PROGRAM = Path(sys.prefix, "audit", "bin", "pip-audit")
CANARY = "jinja2==2.10"
"""Has had reports since 2019: an index that tells none for it tells none for anything."""
Ask = Callable[[Path, Sequence[str]], list[dict[str, Any]]]


def ask_index(lock: Path, options: Sequence[str] = ("--require-hashes",)) -> list[dict[str, Any]]:
    """What pip-audit says of each package: ``name``, ``version``, ``vulns`` or ``skip_reason``."""
    command = [str(PROGRAM), "-r", str(lock), *options, "--disable-pip", "-f", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"The index could not be asked:\n{done.stderr.strip()[-2000:]}")
    found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    return found


def audit(locks: Sequence[Path], ask: Ask, say: Callable[[str], None]) -> int:
    """Ask about each lock and say what was found; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder, "canary.txt")
        canary.write_text(f"{CANARY}\n")
        told = ask(canary, ("--no-deps",))
    knows = any(one.get("vulns") for one in told)
    flaws, unknown, count = [], [], 0
    for lock in locks:
        for one in ask(lock, ("--require-hashes",)):
            count += 1
            if "skip_reason" in one:
                unknown.append(one["name"])
            for flaw in one.get("vulns", []):
                repaired = ", ".join(flaw.get("fix_versions", [])) or "none yet"
                flaws.append(f"{one['name']} {one['version']}: {flaw['id']}, repaired in {repaired}")
    for line in flaws:
        say(line)
    if flaws:
        say(f"{len(flaws)} known flaws in {count} packages.")
        return 1
    if not knows:
        say(
            f"NOT AUDITED: this package index reports no flaws at all, not even those of {CANARY}. Ask one that does: "
            "run this where pip uses the public index."
        )
        return 2
    if unknown:
        names = ", ".join(sorted(set(unknown)))
        say(f"NOT AUDITED: the index does not know {len(unknown)} of {count} packages: {names}.")
        return 2
    say(f"No known flaw in {count} packages.")
    return 0


if __name__ == "__main__":
    sys.exit(audit([ROOT / name for name in LOCKS], ask_index, print))
