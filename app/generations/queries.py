"""What may be seen of orders for pictures, and what a worker needs to know of one."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from app.accounts import queries as accounts
from app.adapters.models import Adapter
from app.adapters.queries import is_whole
from app.base_models import catalogue
from app.base_models import queries as base_models
from app.base_models.catalogue import BaseModelEntry
from app.base_models.told_words import ToldWord, read_kept
from app.db import own
from app.errors import NotFound
from app.generations.enlarging.steps import EnlargementStep
from app.generations.enlarging.steps import read_kept as read_steps
from app.generations.errors import NoSuchAdapter, OtherEdition
from app.generations.models import Generation, Output
from app.generations.planner import DrawingPlan
from app.generations.prompts import without_trigger_words
from app.generations.provenance import UsedAdapter
from app.generations.recipe import GenerationRecipe
from app.jobs import queries as jobs
from app.jobs.models import Job
from app.jobs.queries import QueuePosition
from app.projects.models import Project

PAGE = 12
MOST_PICTURES_AT_ONCE = 16
"""The most pictures on one page of orders; a page with more is heavy before anybody scrolls down."""


LOOKED_BACK = 50
"""Orders among which one is looked for whose memory ran out."""


@dataclass(frozen=True)
class GenerationView:
    """A generation with all that a page shows of it."""

    generation: Generation
    recipe: GenerationRecipe
    job: Job
    outputs: tuple[Output, ...]
    """Finished and not deleted, by position."""
    adapters: tuple[Adapter, ...]
    """Those of the recipe that are still there."""
    asked_by: str
    drawing: DrawingPlan | None
    """How the card was used that drew it."""
    waiting: QueuePosition | None
    words: tuple[ToldWord, ...]
    """Of the prompt, that the base does not know."""
    comparisons: tuple["GenerationView", ...] = ()
    """Strips of its pictures, the newest first, where they were asked for (``studio.stream_views``)."""

    @property
    def is_active(self) -> bool:
        return self.job.is_active

    @property
    def is_strip(self) -> bool:
        return self.generation.kind == "strip"

    @property
    def enlarges(self) -> EnlargementStep | None:
        """What an enlargement does to its picture; None for other kinds."""
        steps = read_steps(self.generation.enlargements)
        return steps[-1] if steps else None

    @property
    def prompt(self) -> str:
        """The words for people to read: what only calls an adapter is left out."""
        bare = without_trigger_words(self.recipe.prompt, [adapter.trigger_word for adapter in self.adapters])
        return bare or self.recipe.prompt

    @property
    def drawn_size(self) -> tuple[int, int] | None:
        """Width and height before its pictures were enlarged; None where they are as they were drawn."""
        if self.enlarges is not None:
            return self.enlarges.width, self.enlarges.height
        drawn = self.recipe.width, self.recipe.height
        return drawn if self.outputs and self.size != drawn else None

    def strength_at(self, multiplier: float) -> float:
        """How strongly the adapter acts at this multiplier of a strip; with several adapters the multiplier itself."""
        if len(self.recipe.adapters) != 1:
            return multiplier
        return round(min(2.0, max(-2.0, self.recipe.adapters[0].strength * multiplier)), 2)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures in pixels: of those that are there, else as its base makes them today."""
        if self.outputs:
            return self.outputs[0].width, self.outputs[0].height
        if self.enlarges is not None:
            return self.enlarges.size
        times = catalogue.enlargement_of(self.recipe.base_model)
        return self.recipe.width * times, self.recipe.height * times

    @property
    def has_all(self) -> bool:
        return len(self.outputs) == self.recipe.count


def generation(session: Session, *, workspace_id: str, generation_id: str) -> Generation:
    """Raises ``NotFound`` for another workspace's generation too."""
    return own(session, Generation, generation_id, workspace_id)


def view(session: Session, *, workspace_id: str, generation_id: str) -> GenerationView:
    """Raises ``NotFound``."""
    return views(session, [generation(session, workspace_id=workspace_id, generation_id=generation_id)])[0]


def recent(
    session: Session,
    *,
    workspace_id: str,
    project_id: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Generation]:
    """Orders, the newest first, at most ``limit`` + 1 (the last one says that there are more).

    Orders that have ended and of which no picture is left are not among them, except those that failed.
    """
    wanted = shown().where(Generation.workspace_id == workspace_id)
    if project_id is not None:
        wanted = wanted.where(Generation.project_id == project_id)
    return page(session, wanted, before, limit)


def page(
    session: Session, wanted: Select[Generation], before: tuple[datetime, str] | None, limit: int
) -> list[Generation]:
    """These orders, the newest first, at most ``limit`` + 1."""
    if before is not None:
        wanted = wanted.where(tuple_(Generation.created_at, Generation.id) < tuple_(*before))
    return list(session.scalars(wanted.order_by(Generation.created_at.desc(), Generation.id.desc()).limit(limit + 1)))


def has_pictures(order: type[Generation]) -> ColumnElement[bool]:
    """Whether a picture of this order is left."""
    left = aliased(Output)
    return exists().where(left.generation_id == order.id, left.deleted_at.is_(None))


def shown() -> Select[Generation]:
    """Orders that have not ended, that failed, or of which a picture is left."""
    worth = or_(Job.is_active, Job.state == "failed", has_pictures(Generation))
    return select(Generation).join(Job, Job.subject_id == Generation.id).where(worth)


def light(orders: list[Generation]) -> list[Generation]:
    """The first of these orders, as many as a page shows at once, at least one."""
    pictures = 0
    shown: list[Generation] = []
    for one in orders:
        pictures += int(one.recipe["count"])
        if shown and pictures > MOST_PICTURES_AT_ONCE:
            break
        shown.append(one)
    return shown


def views(session: Session, generations: list[Generation]) -> list[GenerationView]:
    """All that is shown of these orders, in their order, with a handful of queries however many they are."""
    if not generations:
        return []
    ids = [one.id for one in generations]
    recipes = {one.id: GenerationRecipe.model_validate(one.recipe) for one in generations}
    job_of = jobs.jobs_of(session, ids)
    outputs: dict[str, list[Output]] = {one: [] for one in ids}
    for output in session.scalars(
        select(Output).where(Output.generation_id.in_(ids), Output.deleted_at.is_(None)).order_by(Output.position)
    ):
        outputs[output.generation_id].append(output)
    used = {use.adapter_id for recipe in recipes.values() for use in recipe.adapters}
    adapters = {row.id: row for row in session.scalars(select(Adapter).where(Adapter.id.in_(used)))} if used else {}
    names = accounts.names_of(session, {one.created_by for one in generations if one.created_by})
    positions = jobs.queue_positions(session, list(job_of.values()))
    return [
        GenerationView(
            generation=one,
            recipe=recipes[one.id],
            job=job_of[one.id],
            outputs=tuple(outputs[one.id]),
            adapters=tuple(adapters[use.adapter_id] for use in recipes[one.id].adapters if use.adapter_id in adapters),
            asked_by=names.get(one.created_by or "", ""),
            drawing=drawing_of(one),
            waiting=positions.get(job_of[one.id].id),
            words=read_kept(one.words),
        )
        for one in generations
    ]


def has_output(session: Session, output_id: str) -> bool:
    """Whether there is such a row, whoever it belongs to; for the worker that may have written it."""
    return session.get(Output, output_id) is not None


def output(session: Session, *, workspace_id: str, output_id: str, deleted_too: bool = False) -> Output:
    """A finished picture. Raises ``NotFound`` for another workspace's, and for a deleted one."""
    there = () if deleted_too else (Output.deleted_at.is_(None),)
    return own(session, Output, output_id, workspace_id, *there)


def find_output(session: Session, *, workspace_id: str, output_id: str) -> Output | None:
    """The workspace's picture, a deleted one too, as long as its row is there."""
    return session.scalar(select(Output).where(Output.id == output_id, Output.workspace_id == workspace_id))


def output_counts(session: Session, project_ids: list[str]) -> dict[str, int]:
    """Finished pictures by brand, those of comparisons too, deleted ones left out; the ids must be of the visitor's own
    workspace."""
    rows = session.execute(
        select(Output.project_id, func.count())
        .where(Output.project_id.in_(project_ids), Output.deleted_at.is_(None))
        .group_by(Output.project_id)
    )
    return {row[0]: row[1] for row in rows}


def reviews(session: Session, project_ids: list[str]) -> dict[str, Counter[str]]:
    """Pictures in the gallery by brand and by what was said of them; the ids must be of the visitor's own workspace."""
    rows = session.execute(
        select(Output.project_id, Output.review, func.count())
        .where(Output.project_id.in_(project_ids), Output.deleted_at.is_(None), Output.in_gallery.is_(True))
        .group_by(Output.project_id, Output.review)
    )
    found: dict[str, Counter[str]] = {project_id: Counter() for project_id in project_ids}
    for project_id, review, count in rows:
        found[project_id][review] = count
    return found


def adapters_to_choose(session: Session, *, workspace_id: str) -> list[Adapter]:
    """Every adapter of the workspace that draws and is not put away, the newest first."""
    return list(
        session.scalars(
            select(Adapter)
            .join(Project, Project.id == Adapter.project_id)
            .where(
                Adapter.workspace_id == workspace_id,
                Adapter.modality == "image",
                Adapter.archived_at.is_(None),
                Project.archived_at.is_(None),
            )
            .order_by(Adapter.created_at.desc(), Adapter.id.desc())
        )
    )


def newest_adapter(session: Session, *, workspace_id: str, project_id: str) -> Adapter | None:
    """What a brand is drawn with where nobody says; one whose training was stopped early is chosen by people alone."""
    return session.scalars(
        select(Adapter)
        .where(
            Adapter.workspace_id == workspace_id,
            Adapter.project_id == project_id,
            Adapter.modality == "image",
            Adapter.archived_at.is_(None),
            is_whole(),
        )
        .order_by(Adapter.version.desc())
        .limit(1)
    ).first()


def adapters_named(session: Session, *, workspace_id: str, adapter_ids: list[str]) -> list[Adapter]:
    """These adapters in this order; one that writes is none for a picture. Raises ``NoSuchAdapter``."""
    if not adapter_ids:
        return []
    found = {
        row.id: row
        for row in session.scalars(
            select(Adapter).where(
                Adapter.workspace_id == workspace_id, Adapter.id.in_(adapter_ids), Adapter.modality == "image"
            )
        )
    }
    if any(adapter_id not in found for adapter_id in adapter_ids):
        raise NoSuchAdapter()
    return [found[adapter_id] for adapter_id in adapter_ids]


def adapters_that_fit(
    session: Session, *, workspace_id: str, adapter_ids: list[str], base: BaseModelEntry
) -> list[Adapter]:
    """These adapters in this order. Raises ``NoSuchAdapter``; ``OtherEdition`` for one that the base has outgrown."""
    found = adapters_named(session, workspace_id=workspace_id, adapter_ids=adapter_ids)
    for adapter in found:
        if adapter.base_edition != base.edition:
            raise OtherEdition(adapter=adapter.name, version=adapter.version, base=base.name)
    return found


@dataclass(frozen=True)
class AdapterSpec:
    """An adapter as the worker needs it: what is told about it, and where its diffusers file is."""

    used: UsedAdapter
    key: str
    trigger_word: str


@dataclass(frozen=True)
class GenerationSpec:
    """What a worker needs to draw a generation: plain values, to be carried out of the transaction."""

    generation_id: str
    workspace_id: str
    project_id: str
    recipe: GenerationRecipe
    base: BaseModelEntry
    adapters: tuple[AdapterSpec, ...]
    image_key: str | None
    mask_key: str | None
    drawing: DrawingPlan | None
    """How an earlier attempt went on, if there was one."""
    done: frozenset[int]
    """Positions that an earlier attempt has finished."""


def drawing_of(generation: Generation) -> DrawingPlan | None:
    return None if generation.drawing is None else DrawingPlan.model_validate(generation.drawing)


def ran_out(
    session: Session, *, workspace_id: str, base_model: str, device_bytes: int, since: datetime
) -> DrawingPlan | None:
    """How the newest generation went on, of those on this base whose memory ran out on such a card since then."""
    rows = session.scalars(
        select(Generation)
        .where(Generation.workspace_id == workspace_id, Generation.created_at > since, Generation.drawing.is_not(None))
        .order_by(Generation.created_at.desc())
        .limit(LOOKED_BACK)
    )
    for row in rows:
        plan = drawing_of(row)
        if plan and plan.changes and plan.device_bytes == device_bytes and row.recipe["base_model"] == base_model:
            return plan
    return None


def generation_spec(session: Session, generation_id: str) -> GenerationSpec:
    """For the worker. Raises ``NotFound``, ``NoSuchAdapter``, ``OtherEdition``, ``UnknownBaseModel``."""
    generation = session.get(Generation, generation_id)
    if generation is None:
        raise NotFound()
    recipe = GenerationRecipe.model_validate(generation.recipe)
    workspace_id, wanted = generation.workspace_id, [use.adapter_id for use in recipe.adapters]
    base = base_models.entry(session, workspace_id=workspace_id, key=recipe.base_model)
    adapters = adapters_that_fit(session, workspace_id=workspace_id, adapter_ids=wanted, base=base)
    return GenerationSpec(
        generation_id=generation.id,
        workspace_id=generation.workspace_id,
        project_id=generation.project_id,
        recipe=recipe,
        base=base,
        adapters=tuple(
            AdapterSpec(
                UsedAdapter(adapter.id, adapter.name, adapter.version, adapter.sha256, use.strength),
                adapter.diffusers_key,
                adapter.trigger_word,
            )
            for use, adapter in zip(recipe.adapters, adapters, strict=True)
        ),
        image_key=generation.image_key,
        mask_key=generation.mask_key,
        drawing=drawing_of(generation),
        done=frozenset(session.scalars(select(Output.position).where(Output.generation_id == generation_id))),
    )
