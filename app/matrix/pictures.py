"""Base pictures of a campaign: one for each audience and class of proportions, which its cells are cut from."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.brand_kits import queries as kits
from app.db import now
from app.generations import service as generations
from app.generations.models import Output
from app.generations.requests import AdapterRef, GenerationRequest
from app.jobs import outcomes
from app.jobs import queries as job_queries
from app.jobs.claims import Claim
from app.jobs.service import QueueFull
from app.matrix import cells, labels, queries
from app.matrix.brief import Brief, picture_prompt
from app.matrix.cells import Author, Changed, Scope
from app.matrix.errors import NoSuchAudience, NoSuchPicture
from app.matrix.models import CampaignBrief, CampaignPicture
from app.matrix.places import places
from app.matrix.spec import PICTURE_CLASSES, STUDIO_CHANNELS, CellSpec, PictureClass, Place, picture_class

PICTURES_EACH = 2
"""So that there is another one to choose at once."""
LONGEST_PROMPT = 1500


@dataclass(frozen=True)
class _Needs:
    """What every version of a campaign's cells is made from."""

    row: CampaignBrief
    brief: Brief
    places: dict[str, Place]


def order_missing(session: Session, author: Author) -> int:
    """Order a picture for every audience and class that the brief needs and that has none, and none on its way.

    Says how many orders. Raises ``NoBrief``, and what ``generations.request_pictures`` raises.
    """
    needs = _needs(session, author)
    there = queries.pictures(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    jobs = job_queries.jobs_of(session, [one.generation_id for one in there.values() if one.generation_id])
    ordered = 0
    for audience in needs.brief.audiences:
        for shape in _shapes(needs.places):
            row = there.get((audience.key, shape))
            job = jobs.get(row.generation_id or "") if row is not None else None
            if row is not None and (row.output_id is not None or (job is not None and job.is_active)):
                continue
            prompt = row.prompt if row is not None else picture_prompt(needs.brief, audience)
            _order(session, author, needs, audience.key, shape, prompt)
            ordered += 1
    return ordered


def shapes_of(session: Session, workspace_id: str, brief: Brief) -> list[PictureClass]:
    """The classes of proportions that the brief's channels are cut from. Raises ``NoSuchPlace``."""
    return _shapes(places(session, workspace_id=workspace_id, keys=brief.channels))


def _shapes(used: dict[str, Place]) -> list[PictureClass]:
    found = {picture_class(one.width_px, one.height_px, one.proportion) for one in used.values()}
    return [one for one in PICTURE_CLASSES if one in found]


def draw(session: Session, author: Author, audience: str, shape: PictureClass, prompt: str) -> CampaignPicture:
    """Order new pictures for this audience and class; the first takes the place of the one in use.

    Raises ``NoBrief``, ``NoSuchAudience``, and what ``generations.request_pictures`` raises.
    """
    needs = _needs(session, author)
    if needs.brief.audience(audience) is None:
        raise NoSuchAudience()
    return _order(session, author, needs, audience, shape, prompt)


def _order(
    session: Session, author: Author, needs: _Needs, audience: str, shape: PictureClass, prompt: str
) -> CampaignPicture:
    adapter = needs.brief.adapter_id
    requested = generations.request_pictures(
        session,
        workspace_id=author.workspace_id,
        project_id=needs.row.project_id,
        user_id=author.user_id,
        request=GenerationRequest(
            prompt=prompt[:LONGEST_PROMPT],
            adapters=None if adapter is None else (AdapterRef(adapter),),
            channel=STUDIO_CHANNELS[shape],
            count=PICTURES_EACH,
        ),
        campaign_id=author.campaign_id,
    )
    row = session.scalar(
        select(CampaignPicture).where(
            CampaignPicture.workspace_id == author.workspace_id,
            CampaignPicture.campaign_id == author.campaign_id,
            CampaignPicture.audience == audience,
            CampaignPicture.shape == shape,
        )
    )
    if row is None:
        row = CampaignPicture(
            workspace_id=author.workspace_id, campaign_id=author.campaign_id, audience=audience, shape=shape
        )
        session.add(row)
    row.prompt, row.generation_id = prompt[:LONGEST_PROMPT], requested.generation.id
    row.changed_by, row.changed_at = author.user_id, now()
    session.flush()
    return row


def end_order(session: Session, claim: Claim) -> None:
    """The end of an order of pictures; in the same transaction a campaign that waits for them goes on with them.

    Raises ``LeaseLost``.
    """
    outcomes.finish(session, claim)
    arrived(session, claim.subject_id)


def arrived(session: Session, generation_id: str) -> Changed | None:
    """The order's first picture takes its place in the campaign that it was drawn for, and the cells that wait for it
    are laid out. None where it was for no campaign.

    Where the queue is full, the picture is there and its cells go on waiting until somebody makes the ads again.
    """
    row = session.scalar(select(CampaignPicture).where(CampaignPicture.generation_id == generation_id))
    if row is None:
        return None
    output = session.scalar(
        select(Output)
        .where(
            Output.workspace_id == row.workspace_id,
            Output.generation_id == generation_id,
            Output.deleted_at.is_(None),
        )
        .order_by(Output.position)
        .limit(1)
    )
    if output is None:
        return None
    author = Author(row.workspace_id, row.campaign_id, row.changed_by)
    before, row.output_id = row.output_id, output.id
    try:
        with session.begin_nested():
            return _lay_out(session, author, _needs(session, author), {(row.audience, row.shape): output}, before)
    except QueueFull:
        return None


def choose(session: Session, author: Author, cell_id: str, scope: Scope, output_id: str) -> Changed:
    """Another picture for a cell, and for what ``scope`` says; for all like it, it becomes their base picture.

    Raises what ``cells.change`` raises, and ``NoSuchPicture``.
    """
    output = queries.outputs(session, workspace_id=author.workspace_id, output_ids={output_id}).get(output_id)
    if output is None:
        raise NoSuchPicture()
    parts = {"output_id": output.id, "picture": output.sha256, "focus": (0.5, 0.5)}
    changed = cells.change(session, author, cell_id, scope, "picture", parts)
    if scope != "this":
        _remember(session, author, cell_id, scope, output)
    return changed


def _remember(session: Session, author: Author, cell_id: str, scope: Scope, output: Output) -> None:
    where = {"workspace_id": author.workspace_id, "campaign_id": author.campaign_id}
    cell = queries.cell(session, **where, cell_id=cell_id)
    (view,) = queries.views(session, [cell])
    place = view.spec.place if view.spec is not None else None
    shape = picture_class(place.width_px, place.height_px, place.proportion) if place is not None else None
    for row in queries.pictures(session, **where).values():
        if scope == "all" or (row.audience, row.shape) == (cell.audience, shape):
            row.output_id, row.changed_by, row.changed_at = output.id, author.user_id, now()


def lay_out_waiting(session: Session, author: Author) -> Changed | None:
    """Lay out the cells that have no version though their picture is there. Raises ``NoBrief``."""
    there = queries.pictures(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    wanted = {row.output_id for row in there.values() if row.output_id is not None}
    found = queries.outputs(session, workspace_id=author.workspace_id, output_ids=wanted)
    usable = {place: found[row.output_id] for place, row in there.items() if row.output_id in found}
    return _lay_out(session, author, _needs(session, author), usable, None)


def _lay_out(
    session: Session,
    author: Author,
    needs: _Needs,
    usable: dict[tuple[str, str], Output],
    replaced: str | None,
) -> Changed | None:
    where = {"workspace_id": author.workspace_id, "campaign_id": author.campaign_id}
    said = queries.words(session, **where)
    kit = kits.current(session, workspace_id=author.workspace_id, project_id=needs.row.project_id)
    wanted: dict[str, CellSpec] = {}
    for view in queries.views(session, queries.all_cells(session, **where)):
        place = needs.places.get(view.cell.channel)
        if place is None:
            continue
        shape = picture_class(place.width_px, place.height_px, place.proportion)
        output = usable.get((view.cell.audience, shape))
        if output is None:
            continue
        if view.spec is None:
            words = queries.words_of(said.get((view.cell.audience, view.cell.locale)))
            wanted[view.cell.id] = CellSpec(
                place=place,
                locale=view.cell.locale,
                output_id=output.id,
                picture=output.sha256,
                words=words,
                legal=cells.legal_line(kit.legal_for(view.cell.locale)),
                ai_label=labels.made_with_ai(view.cell.locale) if needs.brief.ai_label else "",
                layout=needs.brief.layout,
                theme=needs.brief.theme,
                kit_version=kit.version,
            )
        elif replaced is not None and view.spec.output_id == replaced:
            same = {"output_id": output.id, "picture": output.sha256, "focus": (0.5, 0.5)}
            wanted[view.cell.id] = view.spec.model_copy(update=same)
    return cells.make_versions(session, author, wanted, "made" if replaced is None else "picture")


def _needs(session: Session, author: Author) -> _Needs:
    row = queries.brief_row(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    brief = queries.brief_of(row)
    return _Needs(row, brief, places(session, workspace_id=author.workspace_id, keys=brief.channels))
