"""Every campaign of a workspace: those that make ads, and those that only group pictures."""

from fastapi import APIRouter, Request, Response

from app.campaigns import queries as campaigns
from app.gallery import queries as gallery
from app.matrix import queries
from app.projects import queries as projects
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Viewer
from app.web.session_deps import ReadSession
from app.web.templating import page

router = APIRouter(route_class=DeferredRoute)


@router.get("/campaigns")
def show_campaigns(request: Request, session: ReadSession, visitor: Viewer) -> Response:
    where = {"workspace_id": visitor.workspace.id}
    briefs = queries.with_brief(session, **where)
    brands = {one.project_id for one in briefs.values()}
    return page(
        request,
        "pages/campaigns.html",
        campaigns=campaigns.campaigns(session, **where),
        briefs=briefs,
        brands=projects.names(session, **where, project_ids=brands),
        ads=queries.counts_by_campaign(session, **where),
        counts=gallery.pictures_per_campaign(session, **where),
        faces=gallery.faces_per_campaign(session, **where),
    )
