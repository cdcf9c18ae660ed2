"""Base models for programs."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.base_models import catalogue
from app.base_models.catalogue import BaseModelEntry, TextModelEntry
from app.web.signed_in import Viewer

router = APIRouter(tags=["Base models"])


class BaseModelList(BaseModel):
    """All base models of the catalogue, on one page."""

    items: list[BaseModelEntry]
    next: str | None = None


@router.get("/base-models", summary="List the base models")
def base_models(visitor: Viewer) -> BaseModelList:
    """What can be trained on and drawn with, with licence and memory need."""
    return BaseModelList(items=list(catalogue.all_models()))


@router.get("/base-models/{key}", summary="Show one base model")
def base_model(key: str, visitor: Viewer) -> BaseModelEntry:
    return catalogue.get(key)


class TextModelList(BaseModel):
    """All language models of the catalogue, on one page."""

    items: list[TextModelEntry]
    next: str | None = None


@router.get("/text-models", summary="List the language models")
def text_models(visitor: Viewer) -> TextModelList:
    """What a voice can be trained on and written with, with licence, languages and size."""
    return TextModelList(items=list(catalogue.text_models()))
