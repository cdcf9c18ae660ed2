"""Every route that hashes or compares a password waits for its turn without a thread."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEAR = {"hash_password", "check_password", "compare"}


def test_routes_that_hash_take_a_turn() -> None:
    wrong, found = [], 0
    for path in sorted((ROOT / "app").rglob("*.py")):
        if not path.name.endswith(("routes.py", "api.py")):
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or not function.decorator_list:
                continue
            called = {node.func.attr for node in ast.walk(function) if _is_call_of_attribute(node)}  # type: ignore[attr-defined]
            if called & DEAR:
                found += 1
                asked = {ast.unparse(argument.annotation) for argument in function.args.args if argument.annotation}
                if "PasswordTurn" not in asked:
                    wrong.append(f"{path.name}: {function.name}")
    assert not wrong, "ask for a PasswordTurn"
    assert found >= 4


def _is_call_of_attribute(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
