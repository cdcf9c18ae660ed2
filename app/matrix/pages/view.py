"""What the pages of a campaign are given."""

from typing import Any

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.brand_kits import queries as kits
from app.campaigns import queries as campaigns
from app.campaigns.channels import queries as own_channels
from app.errors import N_
from app.layouts import designs
from app.layouts.channels import Channel, NoChannel
from app.layouts.findings import SENTENCES
from app.matrix import decisions, queries
from app.matrix.cells import ACTS
from app.matrix.models import CampaignBrief
from app.matrix.queries import CellFilters, CellView
from app.matrix.spec import HIDEABLE
from app.projects import queries as projects
from app.sign_off import queries as verdicts
from app.web.gate.visitor import Visitor

REVIEWS = {"open": N_("To review"), "approved": N_("Approved"), "rejected": N_("Rejected")}
SLOTS = {
    "picture": N_("Picture"),
    "headline": N_("Headline"),
    "body": N_("Text"),
    "call_to_action": N_("Call to action"),
    "badge": N_("Price or badge"),
    "legal": N_("Legal line"),
    "ai_label": N_("“Made with AI” label"),
    "logo": N_("Logo"),
}


def campaign_page(session: Session, visitor: Visitor, row: CampaignBrief) -> dict[str, Any]:
    """What every page of a campaign shows: its name, its brand, its brief, and how far it is."""
    where = {"workspace_id": visitor.workspace.id, "campaign_id": row.campaign_id}
    brief = queries.brief_of(row)
    return {
        "campaign": campaigns.campaign(session, **where),
        "project": projects.project(session, workspace_id=visitor.workspace.id, project_id=row.project_id),
        "brief": brief,
        "brief_row": row,
        "counts": queries.counts(session, **where),
        "reviews": REVIEWS,
        "channels": {key: channel_named(session, visitor.workspace.id, key) for key in brief.channels},
    }


def matrix_part(
    session: Session, visitor: Visitor, row: CampaignBrief, filters: CellFilters, after: int | None
) -> dict[str, Any]:
    """The cells of a page of the matrix, by audience, and whether something is still on its way."""
    where: dict[str, Any] = {"workspace_id": visitor.workspace.id, "campaign_id": row.campaign_id}
    found = queries.page(session, **where, filters=filters, after=after)
    shown, more = found[: queries.PAGE], len(found) > queries.PAGE
    grouped: dict[str, list[CellView]] = {}
    for view in shown:
        grouped.setdefault(view.cell.audience, []).append(view)
    kit = kits.current(session, workspace_id=visitor.workspace.id, project_id=row.project_id)
    return {
        "grouped": grouped,
        "told": queries.text_findings(session, row, shown),
        "filters": filters,
        "next_after": shown[-1].cell.position if more else None,
        "jobs": queries.active_jobs(session, **where),
        "kit_is_newer": any(view.spec is not None and view.spec.kit_version != kit.version for view in shown),
    }


def cell_part(session: Session, visitor: Visitor, row: CampaignBrief, view: CellView) -> dict[str, Any]:
    """What the page of one cell shows."""
    where: dict[str, Any] = {"workspace_id": visitor.workspace.id, "campaign_id": row.campaign_id}
    versions = queries.history(session, workspace_id=visitor.workspace.id, cell_id=view.cell.id)
    spec = view.spec
    layout = designs.layout(spec.layout) if spec else None
    used = {spec.output_id} if spec else set()
    brand = {"workspace_id": visitor.workspace.id, "project_id": row.project_id}
    return {
        "view": view,
        "spec": spec,
        "layout": layout,
        "layouts": designs.layouts(),
        "slots": SLOTS,
        "do_nots": kits.version(session, **brand, number=spec.kit_version).do_nots if spec else (),
        "hideable": [one for one in HIDEABLE if layout and spec and one in layout.slots[spec.place.proportion]],
        "versions": versions,
        "acts": queries.acts(session, workspace_id=visitor.workspace.id, versions=versions),
        "act_words": ACTS,
        "people": accounts.names_of(session, {one.made_by for one in versions if one.made_by}),
        "picture": queries.outputs(session, workspace_id=visitor.workspace.id, output_ids=used).get(
            spec.output_id if spec else ""
        ),
        "candidates": queries.candidates(session, **where, project_id=row.project_id),
        "sentences": SENTENCES,
        "told": queries.text_findings(session, row, [view]).get(view.cell.id, []),
        "history": verdicts.history(
            session, workspace_id=visitor.workspace.id, subject_kind=decisions.KIND, subject_id=view.cell.id
        ),
        "neighbours": queries.neighbours(session, **where, position=view.cell.position),
        "jobs": queries.active_jobs(session, **where) if view.state in ("waiting", "laying_out") else [],
    }


def channel_named(session: Session, workspace_id: str, key: str) -> Channel | None:
    try:
        return own_channels.channel_for(session, workspace_id, key)
    except NoChannel:
        return None
