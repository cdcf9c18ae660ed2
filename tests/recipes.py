"""Recipes in which no field has its default, for tests that go over all fields."""

from typing import Any

from pydantic import BaseModel


def other_values(recipe: type[BaseModel]) -> dict[str, Any]:
    """A value within the bounds of each field that is not its default, as JSON has it."""
    return {name: _other(one) for name, one in recipe.model_json_schema()["properties"].items()}


def _other(bounds: dict[str, Any]) -> Any:
    bounds = next(iter(bounds.get("anyOf", ())), {}) | bounds
    default = bounds.get("default")
    if "enum" in bounds:
        return next(value for value in reversed(bounds["enum"]) if value != default)
    match bounds["type"]:
        case "boolean":
            return not default
        case "string":
            return "a jar"
        case "array":
            return [_other(bounds["items"])]
    least, most = (
        next(bounds[name] for name in names if name in bounds)
        for names in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
    )
    whole = bounds["type"] == "integer"
    middle = least + (most - least) // 3 if whole else least + (most - least) / 4
    return middle if middle != default else middle + (1 if whole else (most - least) / 8)
