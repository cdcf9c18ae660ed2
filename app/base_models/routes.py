"""The page of the base models. Their pace is measured by trainings, so it is read from there."""

from fastapi import APIRouter, Request, Response

from app.base_models import catalogue
from app.trainings import queries as trainings
from app.trainings import voice_queries as voices
from app.web.session_deps import ReadSession
from app.web.signed_in import Viewer
from app.web.templating import page

router = APIRouter()


@router.get("/base-models")
def base_models(request: Request, session: ReadSession, visitor: Viewer) -> Response:
    models = catalogue.all_models()
    measured = {model.key: next(iter(trainings.measurements(session, model.key)), None) for model in models}
    return page(
        request,
        "pages/base_models.html",
        models=models,
        measured=measured,
        text_models=catalogue.text_models(),
        paces={model.key: next(iter(voices.paces(session, model.key)), None) for model in catalogue.text_models()},
    )
