"""Drafts of a campaign's words: three variants in the brand's voice, until a person takes one."""

from dataclasses import replace

from sqlalchemy.orm import Session

from app.matrix import queries, service
from app.matrix.cells import Author
from app.matrix.drafts.requests import DraftField, is_worded, writing_request
from app.matrix.errors import NoDrafts, NoSuchAudience
from app.writings import queries as writing_queries
from app.writings import requests
from app.writings import service as writings
from app.writings.models import Writing
from app.writings.queries import WritingView
from app.writings.recipe import WritingOrder
from app.writings.service import Composed


def compose(session: Session, author: Author, audience: str, locale: str, field: DraftField) -> Composed:
    """Work out what is asked for, outside a write transaction: the brand's voice alone writes, else the base alone.
    A picture's prompt is no matter of voice: the base writes it.

    Raises ``NotFound``, ``NoBrief``, ``NoSuchAudience``, ``NoDrafts``, and what ``writings.service.compose`` raises.
    """
    row = queries.brief_row(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    brief = queries.brief_of(row)
    whom = brief.audience(audience)
    if whom is None or locale not in brief.locales:
        raise NoSuchAudience()
    if not is_worded(locale):
        raise NoDrafts()
    of_picture = field == "picture"
    voice = None if of_picture else requests.NEWEST
    request = writing_request(brief, whom, field, locale, author.campaign_id, voice)
    where = {"workspace_id": author.workspace_id, "project_id": row.project_id}
    composed = writings.compose(session, **where, request=request)
    if composed.order.arms[0].recipe.kind == "plain_text":
        # A voice of plain texts goes on from a beginning; a brief is none.
        composed = writings.compose(session, **where, request=replace(request, adapter_id=None))
    arms = composed.order.arms
    return replace(composed, order=WritingOrder(arms=arms[-1:] if of_picture else arms[:1]))


def order(
    session: Session, author: Author, audience: str, locale: str, field: DraftField, composed: Composed
) -> Writing:
    """Ask for it, and remember it with the words. Raises ``NoBrief``, ``NoSuchAudience``, ``QueueFull``."""
    row = service.words_row(session, author, audience, locale)
    brief = queries.brief_row(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    writing = writings.request_texts(
        session,
        workspace_id=author.workspace_id,
        project_id=brief.project_id,
        user_id=author.user_id,
        composed=composed,
    )
    row.drafts = {**row.drafts, field: writing.id}
    session.flush()
    return writing


def views(session: Session, *, workspace_id: str, writing_ids: set[str]) -> dict[str, WritingView]:
    """By id; what was deleted is left out."""
    return writing_queries.views_of(session, workspace_id=workspace_id, writing_ids=writing_ids)
