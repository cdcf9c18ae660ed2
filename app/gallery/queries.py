"""What may be seen of finished pictures.

Every page of the gallery is a walk along one index, the newest picture first, that stops after a page. What the index
does not decide is looked at on the way; with 50,000 pictures and a word that is in none of them that is the whole walk,
measured by ``tests/benchmarks/gallery.py``.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.adapters.models import Adapter
from app.base_models import queries as base_models
from app.base_models.told_words import ToldWord, read_kept
from app.campaigns import queries as campaigns
from app.campaigns.models import Campaign
from app.gallery.filters import REVIEWS, Filters
from app.gallery.models import OutputTag
from app.generations import queries as generations
from app.generations.enlarging.steps import read_kept as read_steps
from app.generations.models import Generation, Output
from app.generations.planner import DrawingPlan
from app.generations.prompts import folded
from app.generations.provenance import MadeBy, UsedAdapter, made_by
from app.generations.recipe import GenerationRecipe
from app.generations.requests import as_drawn
from app.projects import queries as projects
from app.projects.models import Project
from app.sign_off import queries as sign_off
from app.sign_off.queries import SubjectKind, VerdictView

KIND: SubjectKind = "output"
"""What verdicts call a picture."""
PAGE = 48
MOST_CHOSEN = 500
MOST_TAGS_SHOWN = 200
CAMPAIGN_FACES = 3
Columns = Select[*tuple[Any, ...]]
"""A statement about pictures, whatever of them it asks for."""


def narrowed(found: Columns, workspace_id: str, filters: Filters) -> Columns:
    """A statement about pictures, narrowed to those of the gallery that the filters leave."""
    found = found.where(Output.workspace_id == workspace_id, Output.deleted_at.is_(None), Output.in_gallery.is_(True))
    moment = Output.created_at
    if filters.tag is not None:
        # A tag repeats the picture's moment, so that its pages are a walk along the tag's own index.
        moment = OutputTag.created_at
        found = found.join(OutputTag, OutputTag.output_id == Output.id).where(
            OutputTag.workspace_id == workspace_id, OutputTag.tag == filters.tag
        )
    if filters.brand is not None:
        found = found.where(Output.project_id == filters.brand)
    if filters.adapter is not None:
        found = found.where(Output.adapter_id == filters.adapter)
    if filters.campaign is not None:
        found = found.where(Output.campaign_id == filters.campaign)
    if filters.favourite:
        found = found.where(Output.favourite.is_(True))
    if filters.review is not None:
        found = found.where(Output.review == filters.review)
    if filters.since is not None:
        found = found.where(moment >= datetime.combine(filters.since, time(), UTC))
    if filters.until is not None and filters.until.year < 9999:
        found = found.where(moment < datetime.combine(filters.until + timedelta(days=1), time(), UTC))
    if filters.q:
        found = found.where(Output.prompt_folded.contains(folded(filters.q), autoescape=True))
    return found


def wanted(workspace_id: str, filters: Filters, before: tuple[datetime, str] | None, limit: int) -> Columns:
    """The statement of one page: at most ``limit`` + 1 pictures (the last one says that there are more)."""
    by_tag = filters.tag is not None
    moment, place = (OutputTag.created_at, OutputTag.output_id) if by_tag else (Output.created_at, Output.id)
    found = narrowed(select(Output), workspace_id, filters)
    if before is not None:
        found = found.where(tuple_(moment, place) < tuple_(*before))
    return found.order_by(moment.desc(), place.desc()).limit(limit + 1)


@dataclass(frozen=True)
class Counts:
    """How many pictures each chip of the gallery would show."""

    open: int
    approved: int
    rejected: int
    favourite: int


def counts_wanted(workspace_id: str, filters: Filters) -> Columns:
    """The statement that counts in one walk: each state within all filters but that of the state, favourites within all
    but that of favourites."""
    starred = (Output.favourite.is_(True),) if filters.favourite else ()
    judged = () if filters.review is None else (Output.review == filters.review,)
    counted = [func.count().filter(and_(Output.review == review, *starred)) for review in REVIEWS]
    counted.append(func.count().filter(and_(Output.favourite.is_(True), *judged)))
    counting: Columns = select(*counted).select_from(Output)
    return narrowed(counting, workspace_id, filters.but(review=None, favourite=False))


def counts(session: Session, *, workspace_id: str, filters: Filters) -> Counts:
    return Counts(*session.execute(counts_wanted(workspace_id, filters)).one())


def page(
    session: Session,
    *,
    workspace_id: str,
    filters: Filters,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Output]:
    """Pictures, the newest first, at most ``limit`` + 1. New pictures in front do not move the pages behind."""
    return list(session.scalars(wanted(workspace_id, filters, before, limit)))


def chosen(session: Session, *, workspace_id: str, output_ids: list[str]) -> list[Output]:
    """Those of the chosen pictures that are this workspace's and not deleted, the newest first."""
    return list(
        session.scalars(
            select(Output)
            .where(
                Output.workspace_id == workspace_id,
                Output.id.in_(output_ids[:MOST_CHOSEN]),
                Output.deleted_at.is_(None),
            )
            .order_by(Output.created_at.desc(), Output.id.desc())
        )
    )


def pictures_per_campaign(session: Session, *, workspace_id: str) -> dict[str, int]:
    counted = (
        select(Output.campaign_id, func.count())
        .where(
            Output.campaign_id.in_(select(Campaign.id).where(Campaign.workspace_id == workspace_id)),
            Output.deleted_at.is_(None),
            Output.in_gallery.is_(True),
        )
        .group_by(Output.campaign_id)
    )
    return {str(campaign_id): count for campaign_id, count in session.execute(counted)}


def faces_per_campaign(session: Session, *, workspace_id: str) -> dict[str, list[Output]]:
    """The pictures that stand for each campaign, approved ones first, then the newest; rejected ones never."""
    order = Output.review != "approved", Output.created_at.desc(), Output.id.desc()
    place = func.row_number().over(partition_by=Output.campaign_id, order_by=order)
    ranked = (
        select(Output.id, place.label("place"))
        .where(Output.workspace_id == workspace_id, Output.campaign_id.is_not(None), Output.deleted_at.is_(None))
        .where(Output.in_gallery.is_(True), Output.review != "rejected")
        .subquery()
    )
    wanted = select(Output).join(ranked, ranked.c.id == Output.id).where(ranked.c.place <= CAMPAIGN_FACES)
    found: dict[str, list[Output]] = {}
    for output in session.scalars(wanted.order_by(ranked.c.place)):
        found.setdefault(str(output.campaign_id), []).append(output)
    return found


def tags(session: Session, *, workspace_id: str) -> list[str]:
    """Every tag in use, by name."""
    return list(
        session.scalars(
            select(OutputTag.tag)
            .where(OutputTag.workspace_id == workspace_id)
            .distinct()
            .order_by(OutputTag.tag)
            .limit(MOST_TAGS_SHOWN)
        )
    )


def tags_of(session: Session, output_ids: list[str]) -> dict[str, list[str]]:
    """Tags by picture, by name."""
    found: dict[str, list[str]] = {output_id: [] for output_id in output_ids}
    if output_ids:
        rows = select(OutputTag).where(OutputTag.output_id.in_(output_ids)).order_by(OutputTag.tag)
        for row in session.scalars(rows):
            found[row.output_id].append(row.tag)
    return found


@dataclass(frozen=True)
class Choices:
    """What the filters offer."""

    brands: list[Project]
    adapters: list[Adapter]
    campaigns: list[Campaign]
    tags: list[str]


def choices(session: Session, *, workspace_id: str) -> Choices:
    return Choices(
        brands=projects.projects(session, workspace_id=workspace_id, limit=200),
        adapters=generations.adapters_to_choose(session, workspace_id=workspace_id),
        campaigns=campaigns.campaigns(session, workspace_id=workspace_id),
        tags=tags(session, workspace_id=workspace_id),
    )


@dataclass(frozen=True)
class OutputView:
    """A picture with all that is told about it."""

    output: Output
    made: MadeBy
    base_name: str
    brand: Project
    campaign: Campaign | None
    tags: list[str]
    asked_by: str
    drawing: DrawingPlan | None
    """How the card was used that drew it."""
    words: tuple[ToldWord, ...]
    """Of the prompt, that the base does not know."""
    enlarged_from: str | None
    """Id of the picture that this one was enlarged from, while that is there."""
    verdict: VerdictView | None
    """What is in force; None where nobody has judged it."""


def view(session: Session, *, workspace_id: str, output_id: str) -> OutputView:
    """Raises ``NotFound`` for another workspace's picture, and for a deleted one."""
    return views(session, [generations.output(session, workspace_id=workspace_id, output_id=output_id)])[0]


def history(session: Session, *, workspace_id: str, output_id: str) -> list[VerdictView]:
    """All that was said of a picture, the newest first. Raises ``NotFound``."""
    generations.output(session, workspace_id=workspace_id, output_id=output_id)
    return sign_off.history(session, workspace_id=workspace_id, subject_kind=KIND, subject_id=output_id)


def views(session: Session, outputs: list[Output]) -> list[OutputView]:
    """All that is told about these pictures of one workspace, in their order, with a handful of queries."""
    if not outputs:
        return []
    order_ids = {one.generation_id for one in outputs}
    ordered = {row.id: row for row in session.scalars(select(Generation).where(Generation.id.in_(order_ids)))}
    recipes = {one: as_drawn(GenerationRecipe.model_validate(row.recipe), row.drawing) for one, row in ordered.items()}
    used = {use.adapter_id for recipe in recipes.values() for use in recipe.adapters}
    adapters = {row.id: row for row in session.scalars(select(Adapter).where(Adapter.id.in_(used)))} if used else {}
    brand_ids = {one.project_id for one in outputs}
    brands = {row.id: row for row in session.scalars(select(Project).where(Project.id.in_(brand_ids)))}
    campaign_ids = {one.campaign_id for one in outputs if one.campaign_id}
    campaign_of = {row.id: row for row in session.scalars(select(Campaign).where(Campaign.id.in_(campaign_ids)))}
    tags_by_output = tags_of(session, [one.id for one in outputs])
    originals = _originals(session, list(ordered.values()))
    names = accounts.names_of(session, {row.created_by for row in ordered.values() if row.created_by})
    verdicts = sign_off.latest(
        session,
        workspace_id=outputs[0].workspace_id,
        subject_kind=KIND,
        subject_ids=[one.id for one in outputs],
    )
    bases = base_models.names(
        session, workspace_id=outputs[0].workspace_id, keys={recipe.base_model for recipe in recipes.values()}
    )
    return [
        OutputView(
            output=one,
            made=_made(recipes[one.generation_id], adapters, one, ordered[one.generation_id]),
            base_name=bases[recipes[one.generation_id].base_model],
            brand=brands[one.project_id],
            campaign=campaign_of.get(one.campaign_id or ""),
            tags=tags_by_output[one.id],
            asked_by=names.get(ordered[one.generation_id].created_by or "", ""),
            drawing=generations.drawing_of(ordered[one.generation_id]),
            words=read_kept(ordered[one.generation_id].words),
            enlarged_from=originals.get(one.generation_id),
            verdict=verdicts.get(one.id),
        )
        for one in outputs
    ]


def _originals(session: Session, ordered: list[Generation]) -> dict[str, str]:
    """By enlargement the picture that it enlarged, where that was not deleted."""
    wanted = {row.id: row.source_output_id for row in ordered if row.enlargements and row.source_output_id}
    if not wanted:
        return {}
    found = select(Output.id).where(Output.id.in_(wanted.values()), Output.workspace_id == ordered[0].workspace_id)
    there = set(session.scalars(found.where(Output.deleted_at.is_(None))))
    return {order_id: output_id for order_id, output_id in wanted.items() if output_id in there}


def _made(recipe: GenerationRecipe, adapters: dict[str, Adapter], output: Output, ordered: Generation) -> MadeBy:
    used = tuple(
        UsedAdapter(adapter.id, adapter.name, adapter.version, adapter.sha256, use.strength)
        for use in recipe.adapters
        if (adapter := adapters.get(use.adapter_id)) is not None
    )
    return made_by(
        recipe,
        used,
        seed=output.seed,
        multiplier=output.strength,
        size=(output.width, output.height),
        enlarged=read_steps(ordered.enlargements),
    )
