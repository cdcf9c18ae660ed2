"""What may happen to a guideline's proposals: they wait, and are taken over or dismissed by somebody, or forgotten."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.brand_kits import service as kits
from app.brand_kits.files import KeptFile
from app.brand_kits.guidelines import queries
from app.brand_kits.guidelines.errors import NothingTicked, OneColourEach, OneLogoEach, PaletteFull
from app.brand_kits.guidelines.files import ReadGuideline, guideline_folder
from app.brand_kits.guidelines.models import Guideline, GuidelineLogo
from app.brand_kits.guidelines.proposals import Found, Ticked
from app.brand_kits.service import Additions, Author
from app.brand_kits.snapshot import KitSnapshot
from app.db import Database, now
from app.errors import NotFound
from app.projects import queries as projects
from app.projects import service as projects_service
from app.storage import Storage

KEPT = timedelta(days=7)


def propose(session: Session, author: Author, read: ReadGuideline) -> Guideline:
    """Let the proposals wait; those of an earlier guideline of the brand go. Raises ``NotFound``."""
    where = {"workspace_id": author.workspace_id, "project_id": author.project_id}
    projects.project(session, **where)
    session.execute(
        delete(Guideline).where(
            Guideline.workspace_id == author.workspace_id, Guideline.project_id == author.project_id
        )
    )
    row = Guideline(
        id=read.id,
        **where,
        filename=read.filename,
        found=read.found.model_dump(mode="json"),
        created_by=author.user_id,
    )
    session.add(row)
    session.flush()
    for place, logo in enumerate(read.logos):
        session.add(GuidelineLogo(**where, guideline_id=row.id, place=place, **vars(logo)))
    session.flush()
    return row


def check_ticked(found: Found, ticked: Ticked) -> None:
    """Raises ``NothingTicked``, ``NotFound`` for a place that is not there, ``OneLogoEach``, ``OneColourEach``."""
    if not (ticked.colours or ticked.rules or ticked.families or ticked.logos):
        raise NothingTicked()
    for there, places in (
        (found.colours, ticked.colours),
        (found.rules, ticked.rules),
        (found.families, ticked.families),
        (found.logos, ticked.logos),
    ):
        if any(not 0 <= place < len(there) for place in places):
            raise NotFound()
    kinds, roles = list(ticked.logos.values()), [role for role in ticked.colours.values() if role is not None]
    if len(set(kinds)) < len(kinds):
        raise OneLogoEach()
    if len(set(roles)) < len(roles):
        raise OneColourEach()


def take_over(
    session: Session, author: Author, guideline_id: str, ticked: Ticked, logos: Mapping[int, KeptFile]
) -> tuple[KitSnapshot, str]:
    """Add what is ticked to the kit, in one version, and forget the rest. ``logos`` are the ticked ones, kept already.

    Returns the kit and the folder of the files that go after the commit. Raises what ``check_ticked`` and
    ``brand_kits.service.add_all`` raise, and ``PaletteFull``.
    """
    where = {"workspace_id": author.workspace_id, "project_id": author.project_id}
    row = queries.guideline(session, **where, guideline_id=guideline_id)
    found = queries.found(row)
    check_ticked(found, ticked)
    colours = [found.colours[place].hex for place in ticked.colours]
    palette = list(dict.fromkeys([*projects.project(session, **where).palette, *colours]))
    if len(palette) > projects_service.MOST_COLOURS:
        raise PaletteFull(most=projects_service.MOST_COLOURS)
    projects_service.set_palette(session, **where, colours=palette)
    kit = kits.add_all(
        session,
        author,
        Additions(
            roles={role: found.colours[place].hex for place, role in ticked.colours.items() if role is not None},
            do_nots=tuple(found.rules[place].text for place in sorted(ticked.rules)),
            awaited=tuple(found.families[place].name for place in sorted(ticked.families)),
            logos={kind: logos[place] for place, kind in ticked.logos.items()},
        ),
    )
    return kit, _forget(session, row)


def dismiss(session: Session, author: Author, guideline_id: str) -> str:
    """Forget the proposals; returns the folder of the files that go after the commit. Raises ``NotFound``."""
    where = {"workspace_id": author.workspace_id, "project_id": author.project_id}
    return _forget(session, queries.guideline(session, **where, guideline_id=guideline_id))


def sweep_old(database: Database, storage: Storage) -> int:
    """Forget proposals that nobody looked at for a week. Says how many."""
    with database.read() as session:
        old = session.execute(
            select(Guideline.id, Guideline.project_id).where(Guideline.created_at < now() - KEPT)
        ).all()
    for row in old:
        with database.write() as session:
            session.execute(delete(Guideline).where(Guideline.id == row.id))
        storage.delete_under(guideline_folder(row.project_id, row.id))
    return len(old)


def _forget(session: Session, row: Guideline) -> str:
    session.execute(delete(Guideline).where(Guideline.id == row.id, Guideline.workspace_id == row.workspace_id))
    return guideline_folder(row.project_id, row.id)
