"""What may happen to finished pictures: they are sorted and deleted (and judged, see ``judging``); their pixels never
change."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from app.campaigns import queries as campaigns
from app.db import Database, changed, now
from app.gallery import queries
from app.gallery.errors import NothingChosen, TooManyTags
from app.gallery.models import OutputTag
from app.generations import queries as generations
from app.generations.models import Generation, Output
from app.sign_off import service as sign_off
from app.sign_off.errors import TooLateToUndo
from app.storage import Storage

MOST_TAGS = 20
SWEPT_AT_ONCE = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def change(session: Session, *, workspace_id: str, output_ids: list[str], **values: Any) -> int:
    """Write ``campaign_id`` or ``deleted_at`` of these pictures. Says how many there were. Raises ``NothingChosen``."""
    if not output_ids:
        raise NothingChosen()
    return changed(
        session,
        update(Output)
        .where(
            Output.workspace_id == workspace_id,
            Output.id.in_(output_ids[: queries.MOST_CHOSEN]),
            Output.deleted_at.is_(None),
        )
        .values(**values)
        .execution_options(synchronize_session="fetch"),
    )


def move(session: Session, *, workspace_id: str, output_ids: list[str], campaign_id: str | None) -> int:
    """Into a campaign, or out of any. Raises ``NothingChosen``, ``NoSuchCampaign``."""
    if campaign_id is not None:
        campaigns.campaign_to_use(session, workspace_id=workspace_id, campaign_id=campaign_id)
    kept = {} if campaign_id is None else {"in_gallery": True}
    return change(session, workspace_id=workspace_id, output_ids=output_ids, campaign_id=campaign_id, **kept)


def add_tags(session: Session, *, workspace_id: str, output_ids: list[str], tags: list[str]) -> int:
    """Put these tags on every picture that has not got them. Says how many pictures there are.

    Raises ``NothingChosen``, ``TooManyTags``.
    """
    if not output_ids:
        raise NothingChosen()
    outputs = queries.chosen(session, workspace_id=workspace_id, output_ids=output_ids)
    _hold(session, [output.id for output in outputs])
    present = queries.tags_of(session, [output.id for output in outputs])
    for output in outputs:
        fresh = [tag for tag in tags if tag not in present[output.id]]
        if len(present[output.id]) + len(fresh) > MOST_TAGS:
            raise TooManyTags(most=MOST_TAGS)
        for tag in fresh:
            session.add(_tag(output, tag))
        output.in_gallery = output.in_gallery or bool(tags)
    session.flush()
    return len(outputs)


def set_tags(session: Session, *, workspace_id: str, output_id: str, tags: list[str]) -> None:
    """Exactly these tags. Raises ``NotFound``, ``TooManyTags``."""
    if len(tags) > MOST_TAGS:
        raise TooManyTags(most=MOST_TAGS)
    output = generations.output(session, workspace_id=workspace_id, output_id=output_id)
    _hold(session, [output.id])
    session.execute(delete(OutputTag).where(OutputTag.output_id == output.id))
    session.add_all([_tag(output, tag) for tag in tags])
    output.in_gallery = output.in_gallery or bool(tags)
    session.flush()


def remove_tag(session: Session, *, workspace_id: str, output_id: str, tag: str) -> None:
    """Raises ``NotFound`` for the picture; a tag that is not there is no error."""
    output = generations.output(session, workspace_id=workspace_id, output_id=output_id)
    session.execute(delete(OutputTag).where(OutputTag.output_id == output.id, OutputTag.tag == tag))


def _hold(session: Session, output_ids: list[str]) -> None:
    """Whoever else tags these pictures waits, so that no tag is put on twice."""
    session.execute(select(Output.id).where(Output.id.in_(output_ids)).order_by(Output.id).with_for_update())


def _tag(output: Output, tag: str) -> OutputTag:
    return OutputTag(output_id=output.id, tag=tag, workspace_id=output.workspace_id, created_at=output.created_at)


def delete_campaign(session: Session, *, workspace_id: str, campaign_id: str) -> str:
    """Its pictures stay, and so do orders that were meant for it. Returns its name. Raises ``NotFound``."""
    campaign = campaigns.campaign(session, workspace_id=workspace_id, campaign_id=campaign_id)
    session.execute(
        update(Output)
        .where(Output.campaign_id == campaign_id)
        .values(campaign_id=None)
        .execution_options(synchronize_session="fetch")
    )
    session.execute(update(Generation).where(Generation.campaign_id == campaign_id).values(campaign_id=None))
    session.delete(campaign)
    session.flush()
    return campaign.name


@dataclass(frozen=True)
class Deletion:
    """``number`` names it when it is to be undone."""

    number: int
    count: int


def remove(session: Session, *, workspace_id: str, output_ids: list[str]) -> Deletion:
    """Delete these pictures, to be undone for a while. Raises ``NothingChosen``."""
    moment = now()
    count = change(session, workspace_id=workspace_id, output_ids=output_ids, deleted_at=moment)
    return Deletion((moment - EPOCH) // timedelta(microseconds=1), count)


def undo(session: Session, *, workspace_id: str, number: int) -> int:
    """Bring back what one deletion took. Says how many pictures.

    Raises ``TooLateToUndo`` when nothing is left of it.
    """
    moment = EPOCH + timedelta(microseconds=number)
    result = session.execute(
        update(Output)
        .where(Output.workspace_id == workspace_id, Output.deleted_at == moment)
        .values(deleted_at=None)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    if result.rowcount == 0:
        raise TooLateToUndo()
    return result.rowcount


def sweep_deleted(database: Database, storage: Storage, *, older_than: timedelta) -> int:
    """Remove for good what was deleted longer ago than ``older_than``. Says how many pictures.

    Rows first, files after the commit: what fails in between leaves files that nobody points at, never a picture
    without its file. Safe to run from several processes at once.
    """
    swept = 0
    while True:
        with database.write() as session:
            gone = session.execute(
                select(Output.id, Output.key, Output.thumb_key)
                .where(Output.deleted_at < now() - older_than)
                .order_by(Output.deleted_at)
                .limit(SWEPT_AT_ONCE)
                .with_for_update(skip_locked=True)
            ).all()
            if gone:
                session.execute(delete(Output).where(Output.id.in_([row.id for row in gone])))
                sign_off.forget(session, subject_kind=queries.KIND, subject_ids=[row.id for row in gone])
        for row in gone:
            storage.delete(row.key)
            storage.delete(row.thumb_key)
        swept += len(gone)
        if len(gone) < SWEPT_AT_ONCE:
            return swept
