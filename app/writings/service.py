"""What may happen with texts: ordered, written, judged, edited, voted on. What a model wrote is never changed."""

import random
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.adapters.models import Adapter
from app.base_models import queries as base_models
from app.base_models.catalogue import Quantization, TextModelEntry
from app.db import now
from app.errors import NotFound
from app.generations import queries as generations
from app.generations.seeds import random_seed
from app.jobs import claims, outcomes
from app.jobs import queries as job_queries
from app.jobs import service as jobs
from app.jobs.kinds import KINDS
from app.jobs.models import Job
from app.machine.devices import largest_device
from app.projects import queries as projects
from app.sign_off import service as sign_off
from app.trainings.voice.recipe import VoiceKind
from app.voice import queries as voice
from app.voice.analysis.style_guide import style_guide
from app.voice.analysis.stylometry import longest_overlap
from app.writings import queries, requests
from app.writings.checks import Rules
from app.writings.errors import AlreadyVoted, EmptyWording, NoSuchVisual, NotWrittenYet
from app.writings.filters import Review
from app.writings.models import BlindPair, BlindVote, TextRules, Writing, WritingVariant
from app.writings.recipe import Arm, WritingOrder
from app.writings.requests import Writer, WritingRequest
from app.writings.spec import WritingSpec
from app.writings.vote import queries as ballots

KIND = "writing"


@dataclass(frozen=True)
class Composed:
    """A request that is ready to be frozen, with all that had to be read and worked out for it."""

    request: WritingRequest
    order: WritingOrder
    adapter_id: str | None
    seed: int


def compose(session: Session, *, workspace_id: str, project_id: str, request: WritingRequest) -> Composed:
    """Work out a request. Reads every sample of the brand for the style guide, so do it outside a write transaction.

    Raises ``NotFound`` for another workspace's brand, ``EmptyBrief``, ``NoSuchTextChannel``, ``NoSuchVoice``,
    ``NoSuchVisual``, ``UnknownBaseModel``.
    """
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    channel = requests.checked_channel(request)
    adapter: Adapter | None = None
    if request.adapter_id == requests.NEWEST:
        adapter = next(iter(queries.voices(session, workspace_id=workspace_id, project_id=project.id)), None)
    elif request.adapter_id is not None:
        adapter = queries.voice(
            session, workspace_id=workspace_id, project_id=project.id, adapter_id=request.adapter_id
        )
    if request.base_model is not None:  # refused where there is none, also when a voice writes
        base = base_models.text_entry(session, workspace_id=workspace_id, key=request.base_model)
    else:
        base = queries.usual_base(queries.ready_bases(session, workspace_id=workspace_id), request.language)
    if adapter is not None:
        of_voice = base_models.find_text(session, workspace_id=workspace_id, key=adapter.base_model)
    if request.output_id is not None:
        _check_visual(session, workspace_id, request.output_id)
    samples = voice.training_set(session, workspace_id=workspace_id, project_id=project.id)
    seed = random_seed() if request.seed is None else request.seed
    order = requests.writing_order(
        request,
        channel,
        queries.rules_of(session, [project.id])[project.id],
        writer=_writer(session, adapter, of_voice)
        if adapter
        else Writer(base.key, kind=_usual_kind(base), quantization=_held(session, base)),
        guide=style_guide(samples, request.language) if samples else "",
        seed=seed,
    )
    return Composed(request, order, adapter.id if adapter else None, seed)


def _usual_kind(base: TextModelEntry | None) -> VoiceKind:
    """A base without a chat template knows no orders: it goes on from a beginning."""
    return "instructions" if base is None or base.has_chat_template else "plain_text"


def _held(session: Session, base: TextModelEntry | None) -> Quantization:
    """The precision on the device that would write."""
    workers = job_queries.workers_serving(session, KINDS[KIND].queue)
    return requests.quantization_on(base, largest_device(workers)) if base is not None else "none"


def _writer(session: Session, voice: Adapter, base: TextModelEntry | None) -> Writer:
    """Read from the recipe of the voice's training, which an adapter outlives; an imported voice has none."""
    recipe = voice.facts.get("recipe") or {"quantization": _held(session, base)}
    return Writer(
        voice.base_model,
        voice.id,
        quantization=recipe.get("quantization", "none"),
        kind=recipe.get("kind", _usual_kind(base)),
    )


def _check_visual(session: Session, workspace_id: str, output_id: str) -> None:
    try:
        generations.output(session, workspace_id=workspace_id, output_id=output_id)
    except NotFound as error:
        raise NoSuchVisual() from error


def request_texts(
    session: Session, *, workspace_id: str, project_id: str, user_id: str | None, composed: Composed
) -> Writing:
    """Freeze a composed request and queue it. Raises ``NotFound``, ``QueueFull``."""
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    request = composed.request
    writing = Writing(
        workspace_id=workspace_id,
        project_id=project.id,
        brief=request.brief.strip(),
        channel=request.channel,
        language=request.language,
        audience=request.audience,
        tone=request.tone,
        length=request.length,
        seed=composed.seed,
        count=request.count,
        recipe=composed.order.model_dump(mode="json"),
        adapter_id=composed.adapter_id,
        campaign_id=request.campaign_id,
        output_id=request.output_id,
        created_by=user_id,
    )
    return _queued(session, writing)


def again(session: Session, *, workspace_id: str, writing_id: str, user_id: str | None) -> Writing:
    """Make the same request once more; where it has been done, with a new seed, because it would give the same texts.
    Raises ``NotFound``."""
    before = queries.writing(session, workspace_id=workspace_id, writing_id=writing_id)
    same = (
        "workspace_id", "project_id", "brief", "channel", "language", "audience", "tone", "length", "seed", "count",
        "recipe", "adapter_id", "campaign_id", "output_id",
    )  # fmt: skip
    writing = Writing(**{name: getattr(before, name) for name in same}, created_by=user_id)
    if job_queries.job_of(session, writing_id).state == "done":
        writing.seed = random_seed()
        order = WritingOrder.model_validate(before.recipe)
        writing.recipe = order.with_seed(writing.seed).model_dump(mode="json")
    return _queued(session, writing)


def _queued(session: Session, writing: Writing) -> Writing:
    session.add(writing)
    session.flush()
    for part in WritingOrder.model_validate(writing.recipe).arms:
        session.add_all(
            WritingVariant(
                workspace_id=writing.workspace_id,
                project_id=writing.project_id,
                writing_id=writing.id,
                arm=part.arm,
                position=position,
            )
            for position in range(part.recipe.count)
        )
    jobs.enqueue(
        session,
        workspace_id=writing.workspace_id,
        project_id=writing.project_id,
        kind=KIND,
        subject_id=writing.id,
        title=writing.brief,
        created_by=writing.created_by,
    )
    return writing


def cancel(session: Session, *, workspace_id: str, writing_id: str) -> Job:
    """Ask for an end; finished texts stay. Raises ``NotFound``, ``AlreadyEnded``."""
    writing = queries.writing(session, workspace_id=workspace_id, writing_id=writing_id)
    job = job_queries.job_of(session, writing.id)
    return jobs.request_cancel(session, workspace_id=workspace_id, job_id=job.id)


# What the worker writes down


def note_text(
    session: Session,
    claim: claims.Claim,
    spec: WritingSpec,
    *,
    arm: Arm,
    position: int,
    text: str,
    tokens: int,
    seconds: float,
    finished: bool,
    copied: dict[str, Any] | None = None,
) -> None:
    """Keep a variant as far as it is written. One that was finished stays as it is. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, got_further=finished, with_result=True)
    row = session.scalars(
        select(WritingVariant).where(
            WritingVariant.writing_id == spec.writing_id,
            WritingVariant.arm == arm,
            WritingVariant.position == position,
        )
    ).one_or_none()
    if row is None or row.finished:
        return
    row.text, row.tokens, row.seconds, row.finished, row.copied = text, tokens, seconds, finished, copied
    session.flush()


def complete(session: Session, claim: claims.Claim, spec: WritingSpec) -> None:
    """End the job and lay out the pairs for the blind vote: every two arms, variant by variant, sides by chance.

    Raises ``LeaseLost``.
    """
    outcomes.finish(session, claim)
    by_position: dict[int, list[WritingVariant]] = {}
    for row in session.scalars(
        select(WritingVariant).where(WritingVariant.writing_id == spec.writing_id, WritingVariant.finished.is_(True))
    ):
        by_position.setdefault(row.position, []).append(row)
    session.execute(delete(BlindPair).where(BlindPair.writing_id == spec.writing_id))
    chance = random.SystemRandom()
    for rows in by_position.values():
        for number, one in enumerate(rows):
            for other in rows[number + 1 :]:
                if not one.text.strip() or not other.text.strip() or one.text.strip() == other.text.strip():
                    continue
                sides = [one.id, other.id]
                chance.shuffle(sides)
                session.add(
                    BlindPair(
                        workspace_id=spec.workspace_id,
                        project_id=spec.project_id,
                        writing_id=spec.writing_id,
                        left_id=sides[0],
                        right_id=sides[1],
                    )
                )
    session.flush()


# What people do with texts


def copied_from(session: Session, *, workspace_id: str, project_id: str, text: str) -> dict[str, Any]:
    """The longest run of words that ``text`` shares with one of the brand's samples. Reads all of them."""
    samples = voice.training_set(session, workspace_id=workspace_id, project_id=project_id)
    return overlap_in(text, [one.text for one in samples])


def overlap_in(text: str, samples: list[str]) -> dict[str, Any]:
    """The longest copied run, in the form that is kept with a variant."""
    found = longest_overlap(text, samples)
    return {"words": found.words, "start": found.start, "end": found.end}


def edit(
    session: Session,
    *,
    workspace_id: str,
    variant_id: str,
    text: str,
    copied: dict[str, Any] | None,
    user_id: str | None,
) -> WritingVariant:
    """Keep a person's wording beside the model's; the model's own text brings that back. An approval ends, because it
    was given to other words. Raises ``NotFound``, ``NotWrittenYet``, ``EmptyWording``."""
    row = _written(session, workspace_id, variant_id)
    if not text.strip():
        raise EmptyWording()
    if text == row.current:
        return row
    row.edited, row.edited_by = (None, None) if text == row.text else (text, user_id)
    row.copied = copied
    if row.review == "approved":
        _sign_off(session, row, "open", "", user_id)
    session.flush()
    return row


def change(
    session: Session,
    *,
    workspace_id: str,
    variant_id: str,
    favourite: bool | None,
    review: Review | None,
    user_id: str | None,
    reason: str = "",
) -> WritingVariant:
    """Set what is given; None leaves it. ``reason`` says why it is approved, rejected or open again. Raises
    ``NotFound``, ``NotWrittenYet``, ``OwnWork``."""
    if favourite is None and review is None:
        return queries.variant(session, workspace_id=workspace_id, variant_id=variant_id)
    row = _written(session, workspace_id, variant_id)
    row.favourite = row.favourite if favourite is None else favourite
    if review is not None and (reason or review != row.review):
        _sign_off(session, row, review, reason, user_id)
    session.flush()
    return row


def undo(
    session: Session, *, workspace_id: str, variant_id: str, verdict_id: str, user_id: str | None
) -> WritingVariant:
    """Take back what was said last of a text. Raises ``NotFound``, ``NotWrittenYet``, ``TooLateToUndo``."""
    row = _written(session, workspace_id, variant_id)
    row.review = sign_off.take_back_one(
        session,
        workspace_id=workspace_id,
        subject_kind=queries.SUBJECT,
        subject_id=variant_id,
        verdict_id=verdict_id,
        user_id=user_id,
    )
    session.flush()
    return row


def _sign_off(session: Session, row: WritingVariant, review: Review, reason: str, user_id: str | None) -> None:
    """A text is whose who requested it and whose wording it is."""
    ordered_by = session.scalar(select(Writing.created_by).where(Writing.id == row.writing_id))
    is_own = user_id is not None and user_id in (ordered_by, row.edited_by)
    sign_off.record(
        session,
        workspace_id=row.workspace_id,
        subject_kind=queries.SUBJECT,
        subject_ids=[row.id],
        state=review,
        reason=reason,
        user_id=user_id,
        own_ids=[row.id] if is_own else [],
        projects={row.id: row.project_id},
    )
    row.review = review


def _written(session: Session, workspace_id: str, variant_id: str) -> WritingVariant:
    row = queries.variant(session, workspace_id=workspace_id, variant_id=variant_id)
    if not row.finished:
        raise NotWrittenYet()
    return row


def set_rules(session: Session, *, workspace_id: str, project_id: str, rules: Rules) -> TextRules:
    """Keep a brand's rules; texts that exist are measured by them from now on. Raises ``NotFound``."""
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    row = session.scalar(select(TextRules).where(TextRules.project_id == project.id))
    if row is None:
        row = TextRules(workspace_id=workspace_id, project_id=project.id)
        session.add(row)
    row.rules, row.changed_at = rules.model_dump(mode="json"), now()
    session.flush()
    return row


def vote(session: Session, *, workspace_id: str, pair_id: str, user_id: str, choice: str) -> BlindVote:
    """Count a member's vote on a pair, once. Raises ``NotFound``, ``AlreadyVoted``."""
    pair = ballots.pair(session, workspace_id=workspace_id, pair_id=pair_id)
    if ballots.vote_of(session, pair_id=pair.id, user_id=user_id) is not None:
        raise AlreadyVoted()
    ballot = BlindVote(
        workspace_id=workspace_id, project_id=pair.project_id, pair_id=pair.id, user_id=user_id, choice=choice
    )
    try:
        with session.begin_nested():
            session.add(ballot)
            session.flush()
    except IntegrityError as error:
        raise AlreadyVoted() from error
    return ballot
