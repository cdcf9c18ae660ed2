"""The one place where routers, handlers and middleware meet."""

import tempfile
from functools import cache, partial
from pathlib import Path

import anyio
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from prometheus_client import CollectorRegistry
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.accounts import api as accounts_api
from app.accounts import passwords
from app.accounts import routes as accounts
from app.adapters import api as adapters_api
from app.adapters import routes as adapters
from app.adapters.imports import api as adapter_files_api
from app.audit import api as audit_api
from app.audit import routes as audit
from app.brand_kits import api as brand_kits_api
from app.brand_kits import routes as brand_kits
from app.brand_kits.guidelines import api as guidelines_api
from app.brand_kits.guidelines import routes as guidelines
from app.brand_kits.versions import api as kit_versions_api
from app.brand_kits.versions import routes as kit_versions
from app.campaigns.channels import api as channels_api
from app.campaigns.channels import routes as channels
from app.db import Database
from app.gallery import api as gallery_api
from app.gallery import routes as gallery
from app.generations import api as generations_api
from app.generations import routes as generations
from app.generations.enlarging import api as enlarging_api
from app.generations.start_pictures import api as start_pictures_api
from app.help import routes as help_pages
from app.home import adapter_routes, base_model_api, base_model_routes, brand_api, brand_routes
from app.images import api as images_api
from app.images import routes as images
from app.jobs import api as jobs_api
from app.jobs import routes as jobs
from app.jobs.notifier import notifier_for, notify_after_commit
from app.jobs.stream import Streams
from app.logs import start_logging
from app.machine.disk import DiskWatch
from app.matrix import brief_api, cells_api
from app.matrix.pages import brief_routes, cell_routes, home_routes, list_routes, words_routes
from app.operations import metrics
from app.operations import routes as operations
from app.projects import routes as projects
from app.settings import Settings
from app.storage import open_storage
from app.trainings import api as trainings_api
from app.trainings import routes as trainings
from app.trainings.kinds import facts
from app.voice import api as voice_api
from app.voice import routes as voice
from app.voice.imports import api as voice_imports_api
from app.voice.imports import routes as voice_imports
from app.web import error_responses, health, live, metrics_page
from app.web.api import description as api_description
from app.web.api.deferred_route import DeferredRoute, included
from app.web.gate.csrf import check_form
from app.web.gate.incoming import Pace, UploadLimits, Uploads
from app.web.gate.middleware import METRICS, Gate
from app.web.gate.route_rules import RouteRules
from app.web.gate.visitor import Visitor
from app.web.latencies import Latencies
from app.web.templating import TEMPLATES, environment
from app.web.wire import bundles
from app.web.wire.compression import Compression
from app.writings import api as writings_api
from app.writings import judging_routes as writings_judging
from app.writings import routes as writings
from app.writings.vote import api as vote_api
from app.writings.vote import routes as vote

PAGES = (
    accounts,
    audit,
    channels,
    projects,
    images,
    brand_kits,
    kit_versions,
    guidelines,
    voice,
    voice_imports,
    base_model_routes,
    jobs,
    adapters,
    trainings,
    generations,
    writings,
    writings_judging,
    vote,
    list_routes,
    brief_routes,
    words_routes,
    gallery,
    home_routes,
    cell_routes,
    operations,
    help_pages,
    brand_routes,
    adapter_routes,
)
API = (
    accounts_api,
    audit_api,
    channels_api,
    brand_api,
    images_api,
    brand_kits_api,
    kit_versions_api,
    guidelines_api,
    voice_api,
    voice_imports_api,
    base_model_api,
    jobs_api,
    adapters_api,
    adapter_files_api,
    trainings_api,
    generations_api,
    start_pictures_api,
    enlarging_api,
    writings_api,
    vote_api,
    gallery_api,
    cells_api,
    brief_api,
)


class ForeverFiles(StaticFiles):
    """Shipped files: addresses carry a hash and fonts never change, so a browser may keep them for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        kept = b"v=" in scope.get("query_string", b"") or path.startswith("fonts/")
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        return response


def create_app(settings: Settings | None = None) -> FastAPI:
    """The web application. Tables must be there already (``python -m app`` migrates first)."""
    settings = settings or Settings()
    start_logging(settings.log_level)
    database, signing_key = Database(settings.effective_database_url), settings.signing_key()
    disk = DiskWatch(settings.data_dir, Path(tempfile.gettempdir()), floor_mb=settings.disk_floor_mb)
    registry = CollectorRegistry()
    app = FastAPI(
        title="Livery",
        description="Everything that the pages do, as JSON. Send a token from the settings page as a bearer token.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        routes=list(_routes()),
    )
    app.openapi = partial(api_description.describe, app)  # type: ignore[method-assign]
    environment().filters["facts"] = facts
    rules = RouteRules(app.routes, settings)
    app.add_middleware(
        Gate,
        database=database,
        signing_key=signing_key,
        settings=settings,
        rules=rules,
        uploads=Uploads(disk, UploadLimits()),
        pace=Pace(),
        latencies=Latencies(registry),
    )
    app.add_middleware(Compression)
    app.state.rules = rules
    app.state.settings, app.state.database = settings, database
    app.state.storage, app.state.signing_key = open_storage(settings), signing_key
    app.state.disk, app.state.streams = disk, Streams(database, most=settings.max_live_pages)
    app.state.password_turns = anyio.Semaphore(passwords.AT_ONCE)
    app.state.registry = metrics.collect_into(registry, database, disk, app.state.streams.count)
    app.state.readiness = health.Readiness(database, app.state.storage, disk)
    app.state.commit_hook = notify_after_commit(notifier_for(settings.broker_url))
    error_responses.register(app)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every address. Made once in a process: what each route asks for is worked out once, whatever the application."""
    router = APIRouter(route_class=DeferredRoute)
    for bundle in bundles.bundles().values():
        router.add_route(f"/static/{bundle.name}", bundle.answer, include_in_schema=False)
    router.mount("/static", ForeverFiles(directory=TEMPLATES / "static"), name="static")
    router.routes += health.router.routes
    router.add_route(METRICS, metrics_page.show, include_in_schema=False)
    router.add_route(live.PATH, live.show, include_in_schema=False)
    for pages in PAGES:
        router.routes += included(pages.router, dependencies=[Depends(check_form)], include_in_schema=False)
    for api in API:
        router.routes += included(api.router, prefix="/api/v1")
    router.add_api_route("/", _home, include_in_schema=False)
    return tuple(router.routes)


def _home(request: Request) -> RedirectResponse:
    """Those who look on begin with what there is to see; everybody else with the brands."""
    visitor: Visitor | None = request.state.visitor
    return RedirectResponse("/gallery" if visitor is not None and not visitor.can_edit else "/projects", 303)
