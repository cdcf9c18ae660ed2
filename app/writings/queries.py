"""What may be seen of texts, and what a worker needs to know of a writing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, case, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.adapters.models import Adapter
from app.adapters.queries import is_whole
from app.base_files import queries as base_files
from app.base_models import queries as base_models
from app.base_models.catalogue import TextModelEntry
from app.db import own
from app.jobs import queries as jobs
from app.jobs.models import Job
from app.jobs.queries import QueuePosition
from app.projects.models import Project
from app.sign_off import queries as sign_off
from app.sign_off.queries import SubjectKind, VerdictView
from app.writings import channels, checks
from app.writings.channels import TextChannel
from app.writings.checks import Finding, Rules, Segment
from app.writings.errors import NoSuchVoice
from app.writings.filters import TextFilters
from app.writings.models import TextRules, Writing, WritingVariant
from app.writings.recipe import ARMS, Arm, WritingOrder

SUBJECT: SubjectKind = "variant"
"""What verdicts call a text."""
PAGE = 3
"""Orders on a page, each with up to a dozen texts."""
TEXTS_PAGE = 30
MOST_EXPORTED = 2000


# The brand's rules and voices


def rules_of(session: Session, project_ids: Sequence[str]) -> dict[str, Rules]:
    """Rules by brand; the ids must be of the visitor's own workspace. Brands without rules are there with none."""
    rows = session.scalars(select(TextRules).where(TextRules.project_id.in_(project_ids)))
    return dict.fromkeys(project_ids, Rules()) | {row.project_id: Rules.model_validate(row.rules) for row in rows}


def voices(session: Session, *, workspace_id: str, project_id: str) -> list[Adapter]:
    """The brand's voice adapters that are not put away, the newest first; those that were stopped early come last."""
    return list(
        session.scalars(
            select(Adapter)
            .where(
                Adapter.workspace_id == workspace_id,
                Adapter.project_id == project_id,
                Adapter.modality == "text",
                Adapter.archived_at.is_(None),
            )
            .order_by(case((is_whole(), 0), else_=1), Adapter.version.desc())
        )
    )


def voice(session: Session, *, workspace_id: str, project_id: str, adapter_id: str) -> Adapter:
    """A voice of the brand. Raises ``NoSuchVoice``."""
    found = session.scalar(
        select(Adapter).where(
            Adapter.id == adapter_id,
            Adapter.workspace_id == workspace_id,
            Adapter.project_id == project_id,
            Adapter.modality == "text",
        )
    )
    if found is None:
        raise NoSuchVoice()
    return found


def ready_bases(session: Session, *, workspace_id: str) -> list[TextModelEntry]:
    """The language models whose files are there, the workspace's own last. The one that comes along always is."""
    states = base_files.states(session, workspace_id=workspace_id)
    offered = base_models.text_offered(session, workspace_id=workspace_id)
    return [one for one in offered if one.ready or (one.key in states and states[one.key].is_here)]


def usual_base(bases: Sequence[TextModelEntry], language: str) -> TextModelEntry:
    """The first that knows the language and answers orders, else the first."""
    return next((one for one in bases if language in one.languages and one.has_chat_template), bases[0])


# Orders


@dataclass(frozen=True)
class VariantView:
    """A text with what the brand's rules have against it."""

    variant: WritingVariant
    writing: Writing
    channel: TextChannel
    findings: tuple[Finding, ...]
    segments: tuple[Segment, ...]
    verdict: VerdictView | None = None
    """What is in force; None where nobody has judged it."""

    @property
    def told(self) -> list[Finding]:
        return checks.told_once(self.findings)

    @property
    def problems(self) -> int:
        return sum(one.level == "problem" for one in self.told)


@dataclass(frozen=True)
class WritingView:
    """A writing with all that a page shows of it."""

    writing: Writing
    order: WritingOrder
    channel: TextChannel
    job: Job
    variants: tuple[VariantView, ...]
    """Sorted by arm and position."""
    adapter: Adapter | None
    base_name: str
    is_foreign: bool
    """The base model was not made for the language that was asked for."""
    asked_by: str
    waiting: QueuePosition | None

    @property
    def is_active(self) -> bool:
        return self.job.is_active

    @property
    def arms(self) -> list[tuple[Arm, list[VariantView]]]:
        return [(part.arm, [one for one in self.variants if one.variant.arm == part.arm]) for part in self.order.arms]

    @property
    def goes_on(self) -> bool:
        """The voice has learned plain texts: the brief is how the text begins."""
        return self.order.arms[0].recipe.kind == "plain_text"

    @property
    def held_coarser(self) -> str:
        """``int8`` or ``nf4`` where the memory alone decided so; else empty."""
        quantization = self.order.arms[0].recipe.quantization
        is_learned = self.adapter is not None and "recipe" in self.adapter.facts
        return "" if quantization == "none" or is_learned else quantization

    @property
    def written(self) -> int:
        return sum(one.variant.finished for one in self.variants)


def writing(session: Session, *, workspace_id: str, writing_id: str) -> Writing:
    """Raises ``NotFound`` for another workspace's writing too."""
    return own(session, Writing, writing_id, workspace_id)


def view(session: Session, *, workspace_id: str, writing_id: str) -> WritingView:
    """Raises ``NotFound``."""
    return views(session, [writing(session, workspace_id=workspace_id, writing_id=writing_id)])[0]


def views_of(session: Session, *, workspace_id: str, writing_ids: set[str]) -> dict[str, WritingView]:
    """By id; those of another workspace, and those that are gone, are left out."""
    rows = session.scalars(select(Writing).where(Writing.workspace_id == workspace_id, Writing.id.in_(writing_ids)))
    return {one.writing.id: one for one in views(session, list(rows))}


def recent(
    session: Session,
    *,
    workspace_id: str,
    project_id: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Writing]:
    """Orders, the newest first, at most ``limit`` + 1 (the last one says that there are more)."""
    wanted = select(Writing).where(Writing.workspace_id == workspace_id)
    if project_id is not None:
        wanted = wanted.where(Writing.project_id == project_id)
    if before is not None:
        wanted = wanted.where(tuple_(Writing.created_at, Writing.id) < tuple_(*before))
    return list(session.scalars(wanted.order_by(Writing.created_at.desc(), Writing.id.desc()).limit(limit + 1)))


def views(session: Session, writings: list[Writing]) -> list[WritingView]:
    """All that is shown of these orders of one workspace, in their order, with a handful of queries."""
    if not writings:
        return []
    ids = [one.id for one in writings]
    job_of = jobs.jobs_of(session, ids)
    texts = _texts_by_order(session, writings)
    adapter_ids = {one.adapter_id for one in writings if one.adapter_id}
    adapters = {row.id: row for row in session.scalars(select(Adapter).where(Adapter.id.in_(adapter_ids)))}
    names = accounts.names_of(session, {one.created_by for one in writings if one.created_by})
    positions = jobs.queue_positions(session, list(job_of.values()))
    orders = {one.id: WritingOrder.model_validate(one.recipe) for one in writings}
    keys = {one.id: orders[one.id].arms[0].recipe.base_model for one in writings}
    workspace_id = writings[0].workspace_id
    base_names = base_models.names(session, workspace_id=workspace_id, keys=set(keys.values()))
    bases = {key: base_models.find_text(session, workspace_id=workspace_id, key=key) for key in base_names}
    return [
        WritingView(
            writing=one,
            order=orders[one.id],
            channel=channels.channel(one.channel) or channels.CHANNELS[0],
            job=job_of[one.id],
            variants=tuple(texts[one.id]),
            adapter=adapters.get(one.adapter_id or ""),
            base_name=base_names[keys[one.id]],
            is_foreign=(base := bases[keys[one.id]]) is not None and base.is_foreign(one.language),
            asked_by=names.get(one.created_by or "", ""),
            waiting=positions.get(job_of[one.id].id),
        )
        for one in writings
    ]


def _texts_by_order(session: Session, writings: list[Writing]) -> dict[str, list[VariantView]]:
    rows = session.scalars(select(WritingVariant).where(WritingVariant.writing_id.in_([one.id for one in writings])))
    found: dict[str, list[VariantView]] = {one.id: [] for one in writings}
    for one in variant_views(session, list(rows), writings):
        found[one.writing.id].append(one)
    place = {arm: number for number, arm in enumerate(ARMS)}
    for texts in found.values():
        texts.sort(key=lambda one: (place[cast(Arm, one.variant.arm)], one.variant.position))
    return found


def variant_views(
    session: Session, variants: list[WritingVariant], writings: list[Writing] | None = None
) -> list[VariantView]:
    """These texts of one workspace, in their order, checked against their brands' rules as they are now."""
    if not variants:
        return []
    if writings is None:
        needed = {one.writing_id for one in variants}
        writings = list(session.scalars(select(Writing).where(Writing.id.in_(needed))))
    order_of = {one.id: one for one in writings}
    rules = rules_of(session, list({one.project_id for one in variants}))
    verdicts = sign_off.latest(
        session,
        workspace_id=variants[0].workspace_id,
        subject_kind=SUBJECT,
        subject_ids=[one.id for one in variants],
    )
    return [checked(one, order_of[one.writing_id], rules[one.project_id], verdicts.get(one.id)) for one in variants]


def checked(variant: WritingVariant, writing: Writing, rules: Rules, verdict: VerdictView | None = None) -> VariantView:
    """A text with its findings; one that is still being written has none yet."""
    channel = channels.channel(writing.channel) or channels.CHANNELS[0]
    findings: list[Finding] = []
    if variant.finished:
        findings = checks.check(variant.current, rules, channel, writing.language, variant.copied)
    segments = tuple(checks.segments(variant.current, findings))
    return VariantView(variant, writing, channel, tuple(findings), segments, verdict)


# Texts


def variant(session: Session, *, workspace_id: str, variant_id: str) -> WritingVariant:
    """Raises ``NotFound`` for another workspace's text too."""
    return own(session, WritingVariant, variant_id, workspace_id)


def history(session: Session, *, workspace_id: str, variant_id: str) -> list[VerdictView]:
    """All that was said of a text, the newest first. Raises ``NotFound``."""
    row = variant(session, workspace_id=workspace_id, variant_id=variant_id)
    return sign_off.history(session, workspace_id=workspace_id, subject_kind=SUBJECT, subject_id=row.id)


def variant_view(session: Session, *, workspace_id: str, variant_id: str) -> VariantView:
    """Raises ``NotFound``."""
    return variant_views(session, [variant(session, workspace_id=workspace_id, variant_id=variant_id)])[0]


def texts(
    session: Session,
    *,
    workspace_id: str,
    filters: TextFilters,
    before: tuple[datetime, str] | None = None,
    limit: int = TEXTS_PAGE,
) -> list[WritingVariant]:
    """Finished texts, the newest first, at most ``limit`` + 1 (the last one says that there are more)."""
    wanted = _filtered(workspace_id, filters)
    if before is not None:
        wanted = wanted.where(tuple_(WritingVariant.created_at, WritingVariant.id) < tuple_(*before))
    newest = wanted.order_by(WritingVariant.created_at.desc(), WritingVariant.id.desc())
    return list(session.scalars(newest.limit(limit + 1)))


def _filtered(workspace_id: str, filters: TextFilters) -> Select[Any]:
    wanted = (
        select(WritingVariant)
        .join(Writing, Writing.id == WritingVariant.writing_id)
        .where(WritingVariant.workspace_id == workspace_id, WritingVariant.finished.is_(True))
    )
    if filters.brand is not None:
        wanted = wanted.where(WritingVariant.project_id == filters.brand)
    if filters.channel is not None:
        wanted = wanted.where(Writing.channel == filters.channel)
    if filters.campaign is not None:
        wanted = wanted.where(Writing.campaign_id == filters.campaign)
    if filters.favourite:
        wanted = wanted.where(WritingVariant.favourite.is_(True))
    if filters.review is not None:
        wanted = wanted.where(WritingVariant.review == filters.review)
    if filters.q:
        current = func.coalesce(WritingVariant.edited, WritingVariant.text)
        wanted = wanted.where(
            or_(current.icontains(filters.q, autoescape=True), Writing.brief.icontains(filters.q, autoescape=True))
        )
    return wanted


def approved_for(session: Session, *, workspace_id: str, output_id: str) -> list[VariantView]:
    """Approved texts of a visual, the newest first."""
    rows = session.scalars(
        select(WritingVariant)
        .join(Writing, Writing.id == WritingVariant.writing_id)
        .where(
            Writing.output_id == output_id,
            WritingVariant.workspace_id == workspace_id,
            WritingVariant.review == "approved",
        )
        .order_by(WritingVariant.created_at.desc(), WritingVariant.id.desc())
    )
    return variant_views(session, list(rows))


def text_counts(session: Session, project_ids: Sequence[str]) -> dict[str, int]:
    """Finished texts by brand; the ids must be of the visitor's own workspace."""
    rows = session.execute(
        select(WritingVariant.project_id, func.count())
        .where(WritingVariant.project_id.in_(project_ids), WritingVariant.finished.is_(True))
        .group_by(WritingVariant.project_id)
    )
    return dict.fromkeys(project_ids, 0) | {str(project_id): int(count) for project_id, count in rows}


def brands_with_texts(session: Session, *, workspace_id: str) -> list[Project]:
    """Brands that texts were written for, by name; for the filters."""
    written = exists().where(Writing.project_id == Project.id)
    return list(
        session.scalars(select(Project).where(Project.workspace_id == workspace_id, written).order_by(Project.name))
    )
