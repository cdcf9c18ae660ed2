"""What stands in the writing studio's form before anybody fills it in."""

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.adapters.models import Adapter
from app.base_models import queries as base_models
from app.base_models.catalogue import TextModelEntry
from app.errors import NotFound
from app.generations import queries as generations
from app.generations.models import Output
from app.generations.prompts import without_trigger_words
from app.generations.seeds import random_seed
from app.voice import queries as voice
from app.writings import channels, queries
from app.writings.channels import LANGUAGES
from app.writings.checks import Rules
from app.writings.recipe import WritingOrder
from app.writings.requests import WritingRequest


@dataclass(frozen=True)
class FormState:
    """The form's values, and what there is to choose from."""

    request: WritingRequest
    again: bool
    """Filled with an earlier request."""
    keep_seed: bool
    seed: int
    voices: tuple[Adapter, ...]
    """The brand's voices, the newest first."""
    going_on: frozenset[str]
    """Ids of those that have learned plain texts, and go on from a beginning."""
    bases: tuple[TextModelEntry, ...]
    """That are ready, for texts without a voice."""
    samples: int
    """That the style guide is made from."""
    rules: Rules
    visual: Output | None
    other_language: str
    """The language of most of the brand's texts, if orders are not worded in it; else empty."""
    foreign_base: str
    """Name of the base model that would write, if it was not made for the language chosen; else empty."""


def form_state(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    locale: str,
    writing_id: str | None = None,
    output_id: str | None = None,
    adapter_id: str | None = None,
    channel: str | None = None,
) -> FormState:
    """Fresh, filled with everything of a writing, with what a visual shows, or with a voice that a link names, which
    may be in the archive. Raises ``NotFound``, ``NoSuchVoice``."""
    voices = tuple(queries.voices(session, workspace_id=workspace_id, project_id=project_id))
    linked = voices[0].id if voices else None
    if adapter_id is not None:
        linked = adapter_id
        if adapter_id not in {adapter.id for adapter in voices}:
            given = queries.voice(session, workspace_id=workspace_id, project_id=project_id, adapter_id=adapter_id)
            voices = (*voices, given)
    seed, keep_seed = random_seed(), False
    last = queries.recent(session, workspace_id=workspace_id, project_id=project_id, limit=1)
    language = last[0].language if last else locale if locale in LANGUAGES else "en"
    request = WritingRequest(brief="", language=language, adapter_id=linked)
    visual = None
    if writing_id is not None:
        writing = queries.writing(session, workspace_id=workspace_id, writing_id=writing_id)
        there = {adapter.id for adapter in voices}
        request = WritingRequest(
            brief=writing.brief,
            channel=writing.channel,
            language=writing.language,
            audience=writing.audience,
            tone=writing.tone,
            length=writing.length,
            count=writing.count,
            adapter_id=writing.adapter_id if writing.adapter_id in there else None,
            base_model=WritingOrder.model_validate(writing.recipe).arms[0].recipe.base_model,
            campaign_id=writing.campaign_id,
            output_id=writing.output_id,
        )
        seed, keep_seed, output_id = writing.seed, True, writing.output_id
    if output_id is not None:
        visual = _visual(session, workspace_id, output_id, is_given=writing_id is None)
    if visual is not None and writing_id is None:
        request = replace(
            request,
            brief=_shown_in(session, visual),
            channel=channel if channel in channels.CHANNEL_KEYS else channels.CAPTION,
            campaign_id=visual.campaign_id,
            output_id=visual.id,
        )
    bases = queries.ready_bases(session, workspace_id=workspace_id)
    if request.base_model not in {one.key for one in bases}:
        request = replace(request, base_model=queries.usual_base(bases, request.language).key)
    main = voice.main_language(session, workspace_id=workspace_id, project_id=project_id)
    of_voice = next((one.base_model for one in voices if one.id == request.adapter_id), None)
    writes = base_models.find_text(session, workspace_id=workspace_id, key=of_voice or request.base_model or "")
    return FormState(
        request=request,
        again=writing_id is not None,
        keep_seed=keep_seed,
        seed=seed,
        voices=voices,
        going_on=frozenset(one.id for one in voices if one.facts.get("recipe", {}).get("kind") == "plain_text"),
        bases=tuple(bases),
        samples=voice.counts(session, [project_id])[project_id].included,
        rules=queries.rules_of(session, [project_id])[project_id],
        visual=visual,
        other_language=main if main is not None and main not in LANGUAGES else "",
        foreign_base=writes.name if writes is not None and writes.is_foreign(request.language) else "",
    )


def _visual(session: Session, workspace_id: str, output_id: str, *, is_given: bool) -> Output | None:
    """The visual; one that an old writing names may be gone. Raises ``NotFound`` for one that the address names."""
    try:
        return generations.output(session, workspace_id=workspace_id, output_id=output_id)
    except NotFound:
        if is_given:
            raise
        return None


def _shown_in(session: Session, visual: Output) -> str:
    """The visual's prompt as words about it: trigger words say nothing to a reader."""
    adapter = session.get(Adapter, visual.adapter_id) if visual.adapter_id else None
    return without_trigger_words(visual.prompt, [adapter.trigger_word] if adapter else [])[:1000]
