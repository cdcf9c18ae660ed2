"""Whatever is started with settings of its own writes for its own user alone."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
STARTED_BY_ITS_SUPERVISOR = ROOT / "worker" / "serve.py"


def test_every_entry_point_keeps_what_it_writes_private() -> None:
    started = [
        path
        for folder in ("app", "worker")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if 'if __name__ == "__main__":' in path.read_text() and _calls(path, "Settings")
    ]
    names = {path.name for path in started}
    assert {"__main__.py", "backup.py", "restore.py", "erasure.py", "migrate.py", "serve.py"} <= names
    started.append(STARTED_BY_ITS_SUPERVISOR)
    assert [str(path.relative_to(ROOT)) for path in started if not _calls(path, "keep_private")] == []


def _calls(path: Path, name: str) -> bool:
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return any(isinstance(node.func, ast.Name) and node.func.id == name for node in found)
