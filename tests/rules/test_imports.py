"""The rooms of the house: what each may import. The README's room map says why."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FEATURES = [
    "audit",
    "accounts",
    "sign_off",
    "projects",
    "campaigns",
    "base_models",
    "images",
    "brand_kits",
    "voice",
    "jobs",
    "base_files",
    "adapters",
    "trainings",
    "generations",
    "writings",
    "gallery",
    "matrix",
    "operations",
    "help",
    "home",
]
MODEL_LIBRARIES = {"torch", "diffusers", "peft", "transformers", "bitsandbytes", "accelerate", "tokenizers", "gguf"}
WEB_LIBRARIES = {"fastapi", "starlette", "jinja2", "uvicorn"}
FOUNDATION = (
    "app.settings",
    "app.errors",
    "app.db",
    "app.logs",
    "app.machine",
    "app.migrate",
    "app.startup",
    "app.storage",
)


def modules(*folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield name, path


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Every part of the file's code."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> list[str]:
    """Every module that the file imports anywhere, as dotted names."""
    found: list[str] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def within(name: str, *prefixes: str) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def offenders(folder: str, forbidden: set[str], *, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name} imports {imported}"
        for name, path in modules(folder)
        if not within(name, *but)
        for imported in imports(path)
        if within(imported, *forbidden)
    ]


def test_the_web_process_knows_no_worker_and_no_model_library() -> None:
    assert offenders("app", MODEL_LIBRARIES | {"worker"}) == []


def test_only_the_notifier_imports_celery_in_app() -> None:
    assert offenders("app", {"celery"}, but=("app.jobs.notifier",)) == []


def test_the_foundation_imports_no_feature_and_no_web_library() -> None:
    forbidden = {f"app.{feature}" for feature in FEATURES} | {"app.web"} | WEB_LIBRARIES
    found = [
        f"{name} imports {imported}"
        for name, path in modules("app")
        if within(name, *FOUNDATION)
        for imported in imports(path)
        if within(imported, *forbidden)
    ]
    assert found == []


@pytest.mark.parametrize("kind", ["models", "service", "queries", "recipe", "errors"])
def test_domain_modules_know_no_web_library(kind: str) -> None:
    found = [
        f"{name} imports {imported}"
        for name, path in modules("app")
        if name.count(".") >= 2 and name.split(".")[1] in FEATURES and name.endswith(f".{kind}")
        for imported in imports(path)
        if within(imported, "app.web", "celery", *WEB_LIBRARIES)
    ]
    assert found == []


def rooms_imported(path: Path) -> Iterator[tuple[str, str]]:
    """Every feature that the file imports, and what of it. Recipes are pure data that everybody may read."""
    for imported in imports(path):
        parts = imported.split(".")
        if len(parts) > 1 and parts[0] == "app" and parts[1] in FEATURES and "recipe" not in parts:
            yield parts[1], imported


def test_features_call_only_lower_features() -> None:
    """Routes and the JSON interface too: pages that show what several rooms have stand in ``home``, the top floor."""
    found = [
        f"{name} imports {imported}"
        for name, path in modules("app")
        if len(parts := name.split(".")) > 2 and parts[1] in FEATURES
        for other, imported in rooms_imported(path)
        if FEATURES.index(other) > FEATURES.index(parts[1])
    ]
    assert found == []


def test_the_formats_of_adapter_files_are_a_library_of_their_own() -> None:
    """It can be used by the worker as well, and without Livery."""
    found = [
        f"{name} imports {imported}"
        for name, path in modules("app/lora_files")
        for imported in imports(path)
        if (within(imported, "app", "worker") and not within(imported, "app.errors", "app.lora_files"))
        or within(imported, "sqlalchemy", "celery", *WEB_LIBRARIES, *MODEL_LIBRARIES)
        if imported != "app"
    ]
    assert found == []


def test_layouts_are_a_library_of_their_own() -> None:
    """Web process and worker draw ads with it, and it knows no campaign."""
    found = [
        f"{name} imports {imported}"
        for name, path in modules("app/layouts")
        for imported in imports(path)
        if (within(imported, "app", "worker") and not within(imported, "app.errors", "app.layouts"))
        or within(imported, "sqlalchemy", "celery", *WEB_LIBRARIES, *MODEL_LIBRARIES)
        if imported != "app"
    ]
    assert found == []


def test_files_of_ads_are_a_library_of_their_own() -> None:
    """The worker writes them and web pages check patterns of names with it, and it knows no campaign."""
    allowed = ("app.errors", "app.plain_text", "app.layouts", "app.ad_files")
    found = [
        f"{name} imports {imported}"
        for name, path in modules("app/ad_files")
        for imported in imports(path)
        if (within(imported, "app", "worker") and not within(imported, *allowed))
        or within(imported, "sqlalchemy", "celery", *WEB_LIBRARIES, *MODEL_LIBRARIES)
        if imported != "app"
    ]
    assert found == []


def test_the_web_knows_people_their_log_and_jobs_and_no_other_feature() -> None:
    """Whoever asks, what is written down of it, and how far a job is, belong to every request."""
    found = {other for name, path in modules("app/web") for other, _ in rooms_imported(path)}
    assert found <= {"accounts", "audit", "jobs"}


def test_recipes_import_pydantic_alone() -> None:
    for name, path in modules("app"):
        if name.endswith("recipe"):
            outside = {imported.split(".")[0] for imported in imports(path)} - {"typing", "pydantic", "collections"}
            assert outside == set(), name


def test_routes_hold_no_sql_and_catch_no_broad_exception() -> None:
    for name, path in modules("app"):
        if name.rsplit(".", 1)[-1].endswith(("routes", "api")):
            assert [imported for imported in imports(path) if within(imported, "sqlalchemy")] == [], name
            for node in nodes(path):
                if isinstance(node, ast.ExceptHandler):
                    caught = "" if node.type is None else ast.unparse(node.type)
                    assert caught not in ("", "Exception", "BaseException"), name


def test_only_the_database_module_commits() -> None:
    found = [
        name
        for name, path in modules("app", "worker")
        if name != "app.db"
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert found == []


def test_engines_know_only_contracts_and_recipes() -> None:
    allowed = (
        "app.lora_files.families",
        "app.trainings.look.recipe",
        "app.trainings.voice.recipe",
        "app.generations.recipe",
        "app.base_models.vocabulary",  # so that what is told of words is what is drawn
        "app.generations.prompts",  # so that the built-in model is made for the words that it gets
        "app.writings.recipe",
    )
    forbidden_libraries = {"sqlalchemy", "celery", "redis", "fastapi", "kombu"}
    found = []
    for name, path in modules("worker/engines"):
        for imported in imports(path):
            if within(imported, *forbidden_libraries) or (
                within(imported, "app") and not within(imported, *allowed) and imported not in ("app",)
            ):
                found.append(f"{name} imports {imported}")
            if within(imported, "worker") and not within(imported, "worker.engines"):
                found.append(f"{name} imports {imported}")
    assert found == []


IMAGE_LAYERS = ("base", "enlarging", "training", "drawing", "families", "measuring", "builtin")
"""Folders of the image engines, lowest first: each may import those before it."""


def test_image_engines_import_only_lower_layers() -> None:
    found = []
    for layer in IMAGE_LAYERS:
        higher = [f"worker.engines.image.{one}" for one in IMAGE_LAYERS[IMAGE_LAYERS.index(layer) + 1 :]]
        found += offenders(f"worker/engines/image/{layer}", set(higher))
    assert found == []


def test_both_kinds_of_engines_stand_on_what_they_share() -> None:
    image, text = "worker.engines.image", "worker.engines.text"
    shared = [
        f"{name} imports {imported}"
        for name, path in modules("worker/engines")
        if not within(name, image, text)
        for imported in imports(path)
        if within(imported, image, text)
    ]
    assert shared + offenders("worker/engines/image", {text}) + offenders("worker/engines/text", {image}) == []


def test_the_product_knows_nothing_of_how_its_built_in_model_was_made() -> None:
    making = "worker.engines.image.builtin.making"
    assert offenders("app", {making}) + offenders("worker", {making}, but=(making,)) == []


def test_handlers_write_no_sql_and_load_no_model() -> None:
    forbidden = MODEL_LIBRARIES | WEB_LIBRARIES | {"app.main", "app.web", "sqlalchemy"}
    found = offenders("worker/handlers", forbidden) + [
        f"worker.run_job imports {imported}"
        for imported in imports(ROOT / "worker/run_job.py")
        if within(imported, *forbidden)
    ]
    assert found == []


def test_the_worker_knows_no_pages() -> None:
    found = [
        f"{name} imports {imported}"
        for name, path in modules("worker")
        for imported in imports(path)
        if within(imported, "app.main", "app.web") or imported.endswith((".routes", ".forms"))
    ]
    assert found == []


def test_every_init_is_empty() -> None:
    for folder in ("app", "worker"):
        for path in (ROOT / folder).rglob("__init__.py"):
            if path.parent.name != "storage":
                assert path.read_text() == "", path


def test_importing_the_web_application_brings_no_model_library() -> None:
    code = f"import sys, app.main;print(sorted(set(sys.modules) & {MODEL_LIBRARIES | {'worker'}!r}))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_components_include_no_page() -> None:
    for path in (ROOT / "templates" / "components").rglob("*.html"):
        assert "pages/" not in path.read_text(), path
