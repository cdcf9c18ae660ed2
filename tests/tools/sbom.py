"""Writes ``sbom.json``: what is installed for Livery, with versions and licences, as CycloneDX by cyclonedx-bom.

Of a package that two locks name, the one that is installed counts; what only tests or tools need is left out.
"""

import json
import subprocess
import sys
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.tools.lock import ROOT, read

PROGRAM = Path(sys.prefix, "audit", "bin", "cyclonedx-py")
LOCKS = ("requirements.lock", "requirements-cuda.lock", "requirements-data.lock")


def of_livery(bom: dict[str, object]) -> dict[str, object]:
    """The same bill without components that are in no lock that Livery runs on."""
    wanted = {pin.name for name in LOCKS for pin in read((ROOT / name).read_text())}
    components: list[dict[str, str]] = bom.get("components", [])  # type: ignore[assignment]
    kept = [one for one in components if canonicalize_name(one["name"]) in wanted]
    references = {one["bom-ref"] for one in kept} | {bom["metadata"]["component"]["bom-ref"]}  # type: ignore[index]
    dependencies: list[dict[str, object]] = bom.get("dependencies", [])  # type: ignore[assignment]
    linked = [
        one | {"dependsOn": [other for other in one.get("dependsOn", []) if other in references]}  # type: ignore[attr-defined]
        for one in dependencies
        if one["ref"] in references
    ]
    return bom | {"components": kept, "dependencies": linked}


def main() -> None:
    command = [str(PROGRAM), "environment", sys.executable, "--pyproject", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, "--output-reproducible", "--of", "JSON"], check=True, capture_output=True, text=True
    )
    bom = of_livery(json.loads(done.stdout))
    (ROOT / "sbom.json").write_text(json.dumps(bom, indent=1, sort_keys=True) + "\n")
    components: list[dict[str, object]] = bom["components"]  # type: ignore[assignment]
    silent = sorted(str(one["name"]) for one in components if not one.get("licenses"))
    print(f"sbom.json: {len(components)} packages.")
    if silent:
        print(f"No licence in the metadata of {', '.join(silent)}; look at their files.")


if __name__ == "__main__":
    main()
