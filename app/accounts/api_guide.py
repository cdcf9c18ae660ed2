"""The API's own description, as chapters that a page can show."""

import json
from dataclasses import dataclass, field
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 6


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    summary: str
    description: str
    curl: str


@dataclass
class Chapter:
    name: str
    operations: list[Operation] = field(default_factory=list)


def guide(description: dict[str, Any], base_url: str) -> list[Chapter]:
    """Operations by their tag, in the order of the description."""
    chapters: dict[str, Chapter] = {}
    for path, item in description["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            tag = (operation.get("tags") or ["other"])[0]
            chapters.setdefault(tag, Chapter(tag)).operations.append(
                Operation(
                    method.upper(),
                    path,
                    operation.get("summary", ""),
                    operation.get("description", ""),
                    _curl(description, method, base_url + path, operation),
                )
            )
    return list(chapters.values())


def _curl(description: dict[str, Any], method: str, url: str, operation: dict[str, Any]) -> str:
    """A command that can be copied; only the ids and values in it have to be replaced."""
    parts = ["curl" if method == "get" else f"curl -X {method.upper()}", '-H "Authorization: Bearer $LIVERY_TOKEN"']
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        example = example_of(description, content["application/json"]["schema"])
        parts += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(example, ensure_ascii=False)}'"]
    elif "multipart/form-data" in content:
        schema = _resolved(description, content["multipart/form-data"]["schema"])
        parts += [f"-F '{name}=@file'" for name in schema.get("required", [])]
    return " \\\n  ".join([*parts, f"'{url}'"])


def _resolved(description: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def example_of(description: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> Any:
    """The smallest value that a schema describes: what is required, and nothing else."""
    schema = _resolved(description, schema)
    if depth > DEEPEST:
        return None
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example_of(description, schema[choice][0], depth + 1)
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        wanted = schema.get("required") or list(properties)[:1]
        return {name: example_of(description, properties.get(name, {}), depth + 1) for name in wanted}
    if kind == "array":
        return [example_of(description, schema.get("items", {}), depth + 1)]
    if kind == "string":
        return "…"
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return True if kind == "boolean" else None
