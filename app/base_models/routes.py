"""The page of the base models."""

from fastapi import APIRouter, Request, Response

from app.base_models import catalogue
from app.web.signed_in import Viewer
from app.web.templating import page

router = APIRouter()


@router.get("/base-models")
def base_models(request: Request, visitor: Viewer) -> Response:
    return page(request, "pages/base_models.html", models=catalogue.all_models())
