"""Builds models of requests and answers when a route needs them."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel


def build(annotation: Any) -> None:
    """Builds the models with ``defer_build`` that an annotation names. The models of their fields come first, so that
    each is built once and not again within every model that holds it.

    A built model defers nothing any more: FastAPI's adapters of it are made at once. FastAPI counts on that, for only
    while it makes one does it silence Pydantic's warning of an alias that no field has.

    Raises:
        PydanticUserError: a model is not a sound one.
    """
    for model in _deferred(annotation, frozenset()):
        model.model_rebuild()
        model.model_config["defer_build"] = False


def _deferred(annotation: Any, within: frozenset[type]) -> Iterator[type[BaseModel]]:
    """The innermost first. A model that holds itself is not followed into itself."""
    for part in get_args(annotation):
        yield from _deferred(part, within)
    if not isinstance(annotation, type) or not issubclass(annotation, BaseModel) or annotation in within:
        return
    if annotation.model_config.get("defer_build"):
        for field in annotation.model_fields.values():
            yield from _deferred(field.annotation, within | {annotation})
        yield annotation
