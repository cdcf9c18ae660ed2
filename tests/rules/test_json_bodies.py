"""Every JSON body refuses what it does not know, and takes JSON's kinds for what they are."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from fastapi import FastAPI, params
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ValidationError

from app.trainings.api import NewTraining, NewVoiceTraining
from app.web.api.json_body import JsonBody


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model in it, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for part in get_args(annotation):
        yield from models(part)


def test_every_body_of_the_api_is_a_json_body(app: FastAPI) -> None:
    wrong, found = set(), 0
    for context in iter_route_contexts(app.routes):
        body = getattr(context, "body_field", None)
        if (context.path or "").startswith("/api/") and body and type(body.field_info) is params.Body:
            found += 1
            named = list(models(body.field_info.annotation))
            if not named:
                wrong.add(f"{context.path}: {body.field_info.annotation} takes whatever it is given")
            for model in named:
                if not issubclass(model, JsonBody) or model.model_config.get("extra") != "forbid":
                    wrong.add(f"{context.path}: {model.__module__}.{model.__name__}")
    assert not wrong
    assert found >= 40


@pytest.mark.parametrize("model", [NewTraining, NewVoiceTraining])
def test_a_misspelt_option_is_refused_for_pictures_and_voices_alike(model: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="lerning_rate"):
        model.model_validate({"lerning_rate": 1e-4})
    assert model.model_validate({"learning_rate": 1e-4}).model_fields_set == {"learning_rate"}


class Sample(JsonBody):
    yes: bool = False
    maybe: bool | None = None
    count: int = 0
    share: float | None = None
    text: str = ""


@pytest.mark.parametrize(
    "wrong", [{"yes": 0}, {"yes": "true"}, {"maybe": 1}, {"count": "5"}, {"count": True}, {"share": "0.5"}, {"no": 1}]
)
def test_kinds_are_not_guessed_at(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Sample.model_validate(wrong)


def test_what_is_right_is_taken() -> None:
    given = {"yes": True, "maybe": None, "count": 5, "share": 1, "text": "1"}
    assert Sample.model_validate(given).model_dump() == given
