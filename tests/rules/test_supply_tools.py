"""The audit says aloud what it could not learn, and the bill of materials holds what Livery runs on and no more."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tools import sbom
from tests.tools.audit import audit

CLEAN = {"name": "jinja2", "version": "3.1.6", "vulns": []}
FLAWED = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}]}
UNKNOWN = {"name": "jinja2", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("canary", "found", "code", "says"),
    [
        (FLAWED, CLEAN, 0, "No known flaw in 1 packages."),
        (FLAWED, FLAWED, 1, "PYSEC-2019-217, repaired in 2.10.1"),
        (FLAWED, UNKNOWN, 2, "NOT AUDITED: the index does not know 1 of 1 packages: jinja2."),
        (CLEAN, CLEAN, 2, "NOT AUDITED: this package index reports no flaws at all"),
        (UNKNOWN, UNKNOWN, 2, "NOT AUDITED: this package index reports no flaws at all"),
    ],
)
def test_an_audit_that_learned_nothing_is_no_good_news(
    canary: dict[str, Any], found: dict[str, Any], code: int, says: str, tmp_path: Path
) -> None:
    said: list[str] = []

    def ask(lock: Path, options: Sequence[str]) -> list[dict[str, Any]]:
        return [canary if lock.name == "canary.txt" else found]

    assert audit([tmp_path / "requirements.lock"], ask, said.append) == code
    assert says in "\n".join(said)


def test_the_bill_leaves_out_what_only_tests_need() -> None:
    given: dict[str, object] = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [{"name": "SQLAlchemy", "bom-ref": "a"}, {"name": "pytest", "bom-ref": "b"}],
        "dependencies": [{"ref": "root", "dependsOn": ["a", "b"]}, {"ref": "a"}, {"ref": "b", "dependsOn": ["a"]}],
    }
    made = sbom.of_livery(given)
    assert made["components"] == [{"name": "SQLAlchemy", "bom-ref": "a"}]
    assert made["dependencies"] == [{"ref": "root", "dependsOn": ["a"]}, {"ref": "a", "dependsOn": []}]
