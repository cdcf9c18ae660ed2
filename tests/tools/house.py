"""``make house``: how the code is laid out, in numbers, so that two versions can be compared.

It reads the source and runs nothing of it: modules per folder, the longest modules and functions, imports that climb
from a lower room into a higher one, the lines that two modules of one kind share, and where each model family is named.
"""

import argparse
import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MODULES = 16
MOST_LINES = 400
MOST_FUNCTION_LINES = 80
SHARED_FROM = 4  # lines in a row that count as the same; fewer are idiom


def sources() -> Iterator[Path]:
    for folder in ("app", "worker"):
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def modules_per_folder() -> list[tuple[int, str]]:
    counted = Counter(named(path.parent) for path in sources())
    return sorted(((count, folder) for folder, count in counted.items()), reverse=True)


def lines_per_module() -> list[tuple[int, str]]:
    return sorted(((len(path.read_text().splitlines()), named(path)) for path in sources()), reverse=True)


def lines_per_function() -> list[tuple[int, str]]:
    found = [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{named(path)}:{node.name}")
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return sorted(found, reverse=True)


def significant_lines(path: Path) -> list[str]:
    """The module's lines without blanks, comments, imports and the word that tells the two kinds apart."""
    lines = (re.sub(r"voice|look|_xl|XL", "", line).strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith(("#", "from ", "import ", '"""'))]


def shared_lines(one: Path, other: Path) -> tuple[int, float]:
    """How many lines of the smaller module stand in runs of ``SHARED_FROM`` or more that the other has too, and their
    share of it."""
    smaller, larger = sorted((significant_lines(one), significant_lines(other)), key=len)
    runs = {tuple(larger[at : at + SHARED_FROM]) for at in range(len(larger) - SHARED_FROM + 1)}
    shared: set[int] = set()
    for at in range(len(smaller) - SHARED_FROM + 1):
        if tuple(smaller[at : at + SHARED_FROM]) in runs:
            shared.update(range(at, at + SHARED_FROM))
    return len(shared), len(shared) / max(len(smaller), 1)


def pairs() -> Iterator[tuple[Path, Path]]:
    """Modules of one kind: the image families with each other, and the two kinds of training."""
    families = ROOT / "worker/engines/image/families"
    yield from combinations(sorted(path for path in families.glob("*.py") if path.name != "__init__.py"), 2)
    trainings = ROOT / "app/trainings"
    for path in sorted((trainings / "look").glob("*.py")):
        if path.name != "__init__.py" and (trainings / "voice" / path.name).exists():
            yield path, trainings / "voice" / path.name


def folder_imports() -> Counter[tuple[str, str]]:
    """Imports between the rooms of ``app/``, in both directions."""
    arrows: Counter[tuple[str, str]] = Counter()
    for path in sources():
        room = path.relative_to(ROOT).parts[1] if path.is_relative_to(ROOT / "app") else ""
        if not room or room.endswith(".py"):
            continue
        modules = {
            node.module
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("app.")
        }
        for module in modules:
            other = module.split(".")[1]
            if other != room and (ROOT / "app" / other).is_dir():
                arrows[room, other] += 1
    return arrows


def rooms_that_import_each_other() -> list[tuple[int, str]]:
    arrows = folder_imports()
    found = [
        (min(arrows[a, b], arrows[b, a]), f"{a} <-> {b} ({arrows[a, b]} and {arrows[b, a]})")
        for a, b in sorted({(min(pair), max(pair)) for pair in arrows})
        if arrows[a, b] and arrows[b, a]
    ]
    return sorted(found, reverse=True)


def families() -> list[str]:
    with (ROOT / "app/base_models/catalogue.toml").open("rb") as file:
        catalogue = tomllib.load(file)
    found = {
        value["family"]
        for entry in catalogue.values()
        if isinstance(entry, list)
        for value in entry
        if "family" in value
    }
    return sorted(found)


def files_that_name(family: str) -> list[str]:
    """Files of the product in which the family's key stands as a word of its own, and not within a base's key or an
    address."""
    word = re.compile(rf"(?<![a-z0-9_/-]){re.escape(family)}(?![a-z0-9_-])")
    paths = [path for folder in ("app", "worker", "templates") for path in sorted((ROOT / folder).rglob("*"))]
    return [
        named(path)
        for path in paths
        if path.suffix in (".py", ".toml", ".html") and path.is_file() and word.search(path.read_text())
    ]


def table(title: str, rows: list[tuple[int, str]], limit: int | None = None, most: int = 12) -> None:
    print(f"\n{title}" + (f" (at most {limit}: {sum(count > limit for count, _ in rows)} above)" if limit else ""))
    for count, name in rows[:most]:
        print(f"  {count:5}{'!' if limit and count > limit else ' '} {name}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    table("Modules in one folder", modules_per_folder(), MOST_MODULES)
    table("Lines of a module", lines_per_module(), MOST_LINES - 1)
    table("Lines of a function", lines_per_function(), MOST_FUNCTION_LINES)
    same = [(shared_lines(one, other), f"{named(one)} ~ {named(other)}") for one, other in pairs()]
    same.sort(reverse=True)
    print(f"\nLines that two modules share, in runs of {SHARED_FROM} or more")
    for (count, share), names in same[:12]:
        print(f"  {count:5}  {share:4.0%} of the smaller  {names}")
    table("Rooms of app/ that import each other (imports against the main direction)", rooms_that_import_each_other())
    for family in families():
        found = files_that_name(family)
        print(f"\n{family} is named in {len(found)} files of the product: {', '.join(found)}")


if __name__ == "__main__":
    main()
