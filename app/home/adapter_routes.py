"""The page of one adapter: what it is, what it learned from, and how it was trained."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.adapters import files, queries, sidecar
from app.adapters.hub.card import LICENCES
from app.adapters.models import Adapter
from app.adapters.voice import files as voice_files
from app.adapters.voice import merged
from app.base_models import queries as base_models
from app.images import queries as images
from app.images.view import picture_view
from app.lora_files import key_formats
from app.lora_files.families import known
from app.projects import queries as projects
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.voice.measures import Measures, copies, verdict
from app.trainings.voice.recipe import VoiceRecipe
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Viewer
from app.web.session_deps import ReadSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
MOST_THUMBNAILS = 40


@router.get("/adapters/{adapter_id}")
def show(request: Request, session: ReadSession, visitor: Viewer, adapter_id: RowId) -> Response:
    adapter = queries.adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id)
    if adapter.modality == "text":
        return page(request, "pages/voice_adapter.html", adapter=adapter, **_voice_card(session, adapter))
    return page(request, "pages/adapter.html", adapter=adapter, **_card(session, adapter))


def _voice_card(session: ReadSession, adapter: Adapter) -> dict[str, Any]:
    older, newer = queries.neighbours(session, adapter)
    facts = adapter.facts
    measures = Measures.model_validate(facts["measures"]) if facts.get("measures") else None
    measured = measures.held_out if measures else None
    return {
        "project": projects.project(session, workspace_id=adapter.workspace_id, project_id=adapter.project_id),
        "base": base_models.find_text(session, workspace_id=adapter.workspace_id, key=adapter.base_model),
        "base_name": base_models.base_name(session, workspace_id=adapter.workspace_id, key=adapter.base_model),
        "recipe": VoiceRecipe.model_validate(facts["recipe"]) if "recipe" in facts else None,
        "measured": measured,
        "verdict": verdict(measured) if measured else None,
        "copies": copies(measured) if measured else None,
        "older": older,
        "newer": newer,
        "names": {kind: voice_files.voice_file_name(adapter, kind) for kind in voice_files.VOICE_FILES},
        "merged": merged.shown(session, adapter),
        "publications": queries.publications(session, workspace_id=adapter.workspace_id, adapter_id=adapter.id),
        "licences": LICENCES,
    }


def _card(session: ReadSession, adapter: Adapter) -> dict[str, Any]:
    older, newer = queries.neighbours(session, adapter)
    facts = adapter.facts
    ids = list(facts.get("image_ids", []))[:MOST_THUMBNAILS]
    base = base_models.find(session, workspace_id=adapter.workspace_id, key=adapter.base_model)
    architecture = sidecar.architecture_of(base) if base is not None else None
    return {
        "project": projects.project(session, workspace_id=adapter.workspace_id, project_id=adapter.project_id),
        "base": base,
        "base_name": base_models.base_name(session, workspace_id=adapter.workspace_id, key=adapter.base_model),
        "recipe": TrainingRecipe.model_validate(facts["recipe"]) if "recipe" in facts else None,
        "older": older,
        "newer": newer,
        "pictures": images.images(session, workspace_id=adapter.workspace_id, image_ids=ids),
        "picture_view": picture_view,
        "kohya_name": files.file_of(adapter, "kohya").name if adapter.kohya_key else None,
        "clean_name": files.file_of(adapter, "clean").name,
        "diffusers_name": files.file_of(adapter, "diffusers").name,
        "sidecar_name": files.sidecar_name(adapter),
        "publications": queries.publications(session, workspace_id=adapter.workspace_id, adapter_id=adapter.id),
        "licences": LICENCES,
        "for_a1111": architecture is None or known.find(architecture) is None or known.runs_in(architecture, "a1111"),
        "only_comfyui": architecture is not None and key_formats.key_formats_for(architecture)[:1] == ("comfyui",),
    }
