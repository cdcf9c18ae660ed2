"""What a program sends: a misspelt field is an error, and JSON's kinds are not guessed at."""

import types
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


class JsonBody(BaseModel, defer_build=True):
    """The base of every JSON body. Unknown fields are refused; a boolean is ``true`` or ``false`` and a number is a
    number, where forms, which know texts alone, also take ``"0"``. A form's model becomes a body with this in front.
    """

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        kinds = _plain_kinds(cls, str(info.field_name))
        if kinds == {bool} and value is not None and not isinstance(value, bool):
            raise PydanticCustomError("bool_type", "Input should be a valid boolean")
        if kinds and kinds <= {int, float} and isinstance(value, str | bool):
            raise PydanticCustomError("number_type", "Input should be a valid number")
        return value


@cache
def _plain_kinds(model: type[BaseModel], field: str) -> frozenset[type]:
    """The kinds of value that a field takes besides null; empty where it is not plain booleans or numbers."""
    kinds = frozenset(_leaves(model.model_fields[field].annotation)) - {type(None)}
    return kinds if kinds <= {bool, int, float} else frozenset()


def _leaves(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _leaves(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [leaf for part in get_args(annotation) for leaf in _leaves(part)]
    return [annotation]
