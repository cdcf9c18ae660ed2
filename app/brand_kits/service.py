"""What may happen to a brand kit. Every change is a new version, and saving what is there already is none.

A change names the version that it began with. It is refused only where somebody has changed the same part since: two
people may work on fonts and legal lines at the same time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.brand_kits import queries
from app.brand_kits.errors import KitChanged, TooManyFonts
from app.brand_kits.files import KeptFile
from app.brand_kits.models import KitFile, KitVersion
from app.brand_kits.parts import check_families, check_palette, tidied
from app.brand_kits.snapshot import (
    CLEAR_SPACE,
    LEAST_WIDTH,
    LOGO_KINDS,
    MOST_FONTS,
    Font,
    FontRoles,
    KitSnapshot,
    Logo,
    LogoKind,
    Role,
)
from app.errors import NotFound
from app.projects.models import Project

Part = Callable[[KitSnapshot], object]
"""What a kit says about one thing, to be held against what another says."""


@dataclass(frozen=True)
class Author:
    """Whose kit, who changes it, and the version that the change began with; None replaces whatever there is."""

    workspace_id: str
    project_id: str
    user_id: str | None
    began_with: int | None = None
    over: int | None = None
    """A later version that was seen since and is replaced on purpose."""


def change(session: Session, author: Author, parts: Mapping[str, Any]) -> KitSnapshot:
    """Keep these parts of the kit, by their names in ``KitSnapshot``: colours, font_roles, do_nots, legal,
    personas.

    Raises ``NotFound``, ``KitChanged``, ``NotInPalette``, ``NoSuchFamily``, ``KitTooFull``, ``KitLineTooLong``.
    """
    return change_all(session, author, parts, logos={}, fonts={})


def change_all(
    session: Session,
    author: Author,
    parts: Mapping[str, Any],
    *,
    logos: Mapping[LogoKind, tuple[float | None, int | None]],
    fonts: Mapping[str, tuple[str | None, bool | None]],
) -> KitSnapshot:
    """``change``, and what is said of logos by kind and of fonts by hash, as one version.

    Raises what ``change``, ``place_logo`` and ``describe_font`` raise.
    """
    project, kit = _held(session, author)
    wanted = kit.model_copy(update=tidied(parts))
    _refuse_stale(session, author, kit, wanted, lambda one: [getattr(one, name) for name in parts])
    if "colours" in parts:
        check_palette(wanted.colours, kit.colours, project.palette)
    check_families(wanted, kit)
    for kind, (clear_space, least_width) in logos.items():
        wanted = _with_placed(session, author, wanted, kit, kind, clear_space, least_width)
    for sha, (licence, may_embed) in fonts.items():
        wanted = _with_said(session, author, wanted, kit, sha, licence, may_embed)
    return _kept(session, author, kit, wanted)


@dataclass(frozen=True)
class Additions:
    """What comes to a kit beside what it has: colours by role, lines, names of families, and kept logos by kind."""

    roles: Mapping[Role, str]
    do_nots: Sequence[str]
    awaited: Sequence[str]
    logos: Mapping[LogoKind, KeptFile]


def add_all(session: Session, author: Author, more: Additions) -> KitSnapshot:
    """Add all of this in one version. Raises ``NotFound``, ``NotInPalette``, ``KitTooFull``, ``KitLineTooLong``."""
    project, kit = _held(session, author)
    there = {family.casefold() for family in kit.families}
    parts = {
        "colours": kit.colours.model_copy(update={str(role): colour for role, colour in more.roles.items()}),
        "do_nots": (*kit.do_nots, *more.do_nots),
        "awaited": (*kit.awaited, *(one for one in more.awaited if one.casefold() not in there)),
    }
    wanted = kit.model_copy(update=tidied(parts))
    check_palette(wanted.colours, kit.colours, project.palette)
    for kind, kept in more.logos.items():
        wanted = wanted.model_copy(update={"logos": _with_logo(wanted, _placed_logo(kit, kept, kind))})
        _note_file(session, author, kept)
    return _kept(session, author, kit, wanted)


def set_logo(
    session: Session,
    author: Author,
    kept: KeptFile,
    kind: LogoKind,
    *,
    clear_space: float | None = None,
    least_width: int | None = None,
) -> KitSnapshot:
    """Put a kept file in the place of the logo of that kind. What is not said of its placing stays as it was.

    Raises ``NotFound``.
    """
    _project, kit = _held(session, author)
    logo = _placed_logo(kit, kept, kind, clear_space, least_width)
    _note_file(session, author, kept)
    return _kept(session, author, kit, kit.model_copy(update={"logos": _with_logo(kit, logo)}))


def place_logo(
    session: Session, author: Author, kind: LogoKind, *, clear_space: float | None, least_width: int | None
) -> KitSnapshot:
    """Say how the logo of that kind is placed; None leaves it. Raises ``NotFound``, ``KitChanged``."""
    return change_all(session, author, {}, logos={kind: (clear_space, least_width)}, fonts={})


def remove_logo(session: Session, author: Author, kind: LogoKind) -> KitSnapshot:
    """Take a logo out of the kit; older versions keep it. Raises ``NotFound``."""
    _project, kit = _held(session, author)
    if kit.logo(kind) is None:
        raise NotFound()
    rest = tuple(logo for logo in kit.logos if logo.kind != kind)
    return _kept(session, author, kit, kit.model_copy(update={"logos": rest}))


def add_fonts(
    session: Session, author: Author, kept: Sequence[KeptFile], *, licence: str = "", may_embed: bool | None = None
) -> KitSnapshot:
    """Add kept files as fonts, in one version. One that is there already stays as it is. With ``may_embed`` None a font
    may be embedded unless it forbids that itself. The first family of a kit gets both roles.

    Raises ``NotFound``, ``TooManyFonts``.
    """
    _project, kit = _held(session, author)
    known = {font.sha256 for font in kit.fonts}
    fresh = {one.sha256: one for one in kept if one.sha256 not in known}
    if len(known) + len(fresh) > MOST_FONTS:
        raise TooManyFonts(most=MOST_FONTS)
    for one in fresh.values():
        _note_file(session, author, one)
    fonts = _sorted_fonts((*kit.fonts, *(one.font(licence, may_embed) for one in fresh.values())))
    there = {font.family.casefold() for font in fonts}
    awaited = tuple(one for one in kit.awaited if one.casefold() not in there)
    wanted = kit.model_copy(update={"fonts": fonts, "awaited": awaited})
    if fonts and not kit.fonts and kit.font_roles == FontRoles():
        first = FontRoles(headline=fonts[0].family, body=fonts[0].family)
        wanted = wanted.model_copy(update={"font_roles": first})
    return _kept(session, author, kit, wanted)


def stop_awaiting(session: Session, author: Author, family: str) -> KitSnapshot:
    """Await the file of a family no longer. Raises ``NotFound``."""
    _project, kit = _held(session, author)
    if family not in kit.awaited:
        raise NotFound()
    rest = tuple(one for one in kit.awaited if one != family)
    return _kept(session, author, kit, kit.model_copy(update={"awaited": rest}))


def describe_font(
    session: Session, author: Author, sha: str, *, licence: str | None, may_embed: bool | None
) -> KitSnapshot:
    """Keep what the team says of a font; None leaves it. Raises ``NotFound``, ``KitChanged``."""
    return change_all(session, author, {}, logos={}, fonts={sha: (licence, may_embed)})


def remove_font(session: Session, author: Author, sha: str) -> KitSnapshot:
    """Take a font out of the kit; older versions keep it. Raises ``NotFound``."""
    _project, kit = _held(session, author)
    font = kit.font(sha)
    if font is None:
        raise NotFound()
    rest = tuple(one for one in kit.fonts if one.sha256 != font.sha256)
    return _kept(session, author, kit, kit.model_copy(update={"fonts": rest}))


def put_back(session: Session, author: Author, number: int) -> KitSnapshot:
    """Undo what version ``number`` took away: its fonts come back, and its logos where nobody has put another one
    since. What else has been changed stays. Raises ``NotFound``, ``TooManyFonts``."""
    _project, kit = _held(session, author)
    where = {"workspace_id": author.workspace_id, "project_id": author.project_id}
    after = queries.version(session, **where, number=number)
    before = queries.version(session, **where, number=max(0, number - 1))
    back = kit
    for logo in before.logos:
        taken = _file_of(after, logo.kind)
        if taken != logo.sha256 and taken == _file_of(kit, logo.kind):
            back = back.model_copy(update={"logos": _with_logo(back, logo)})
    fonts = [font for font in before.fonts if after.font(font.sha256) is None and kit.font(font.sha256) is None]
    if len(kit.fonts) + len(fonts) > MOST_FONTS:
        raise TooManyFonts(most=MOST_FONTS)
    return _kept(session, author, kit, back.model_copy(update={"fonts": _sorted_fonts((*kit.fonts, *fonts))}))


def restore(session: Session, author: Author, number: int) -> KitSnapshot:
    """The whole kit as it was at version ``number``, as a new version. Raises ``NotFound``."""
    _project, kit = _held(session, author)
    then = queries.version(session, workspace_id=author.workspace_id, project_id=author.project_id, number=number)
    return _kept(session, author, kit, then)


def _file_of(kit: KitSnapshot, kind: LogoKind) -> str | None:
    logo = kit.logo(kind)
    return logo.sha256 if logo is not None else None


def _held(session: Session, author: Author) -> tuple[Project, KitSnapshot]:
    """The brand and its kit. The brand's row is locked, so that no two changes count on from the same version."""
    wanted = select(Project).where(Project.id == author.project_id, Project.workspace_id == author.workspace_id)
    project = session.scalar(wanted.with_for_update())
    if project is None:
        raise NotFound()
    return project, queries.current(session, workspace_id=author.workspace_id, project_id=author.project_id)


def _kept(session: Session, author: Author, kit: KitSnapshot, wanted: KitSnapshot) -> KitSnapshot:
    if wanted.same_as(kit):
        return kit
    # Read anew, so that nothing is kept which could not be read again.
    snapshot = KitSnapshot.model_validate({**wanted.model_dump(mode="json"), "version": kit.version + 1})
    session.add(
        KitVersion(
            workspace_id=author.workspace_id,
            project_id=author.project_id,
            number=snapshot.version,
            snapshot=snapshot.model_dump(mode="json"),
            changed_by=author.user_id,
        )
    )
    session.flush()
    return snapshot


def _refuse_stale(session: Session, author: Author, kit: KitSnapshot, wanted: KitSnapshot, part: Part) -> None:
    """``part`` says of a kit what the change is about. Nobody is in the way of who wants the same."""
    if author.began_with is None or kit.version in (author.began_with, author.over) or part(wanted) == part(kit):
        return
    try:
        seen = queries.version(
            session, workspace_id=author.workspace_id, project_id=author.project_id, number=author.began_with
        )
    except NotFound as error:
        raise KitChanged(version=kit.version) from error
    if part(seen) != part(kit):
        raise KitChanged(version=kit.version)


def _placed_logo(
    kit: KitSnapshot, kept: KeptFile, kind: LogoKind, clear_space: float | None = None, least_width: int | None = None
) -> Logo:
    """What is not said of its placing stays as it was of the logo of that kind."""
    before = kit.logo(kind)
    return kept.logo(
        kind,
        clear_space=clear_space if clear_space is not None else before.clear_space if before else CLEAR_SPACE,
        least_width=least_width if least_width is not None else before.least_width if before else LEAST_WIDTH,
    )


def _note_file(session: Session, author: Author, kept: KeptFile) -> None:
    there = session.scalar(
        select(KitFile.id).where(
            KitFile.workspace_id == author.workspace_id,
            KitFile.project_id == author.project_id,
            KitFile.sha256 == kept.sha256,
        )
    )
    if there is None:
        session.add(
            KitFile(
                workspace_id=author.workspace_id,
                project_id=author.project_id,
                sha256=kept.sha256,
                byte_count=kept.byte_count,
                key=kept.key,
                preview_key=kept.preview_key,
                created_by=author.user_id,
            )
        )


def _with_placed(
    session: Session,
    author: Author,
    wanted: KitSnapshot,
    kit: KitSnapshot,
    kind: LogoKind,
    clear_space: float | None,
    least_width: int | None,
) -> KitSnapshot:
    before = kit.logo(kind)
    if before is None:
        raise NotFound()
    given = {"clear_space": clear_space, "least_width": least_width}
    logo = before.model_copy(update={name: value for name, value in given.items() if value is not None})
    wanted = wanted.model_copy(update={"logos": _with_logo(wanted, logo)})
    _refuse_stale(session, author, kit, wanted, lambda one: _placed(one.logo(kind)))
    return wanted


def _with_said(
    session: Session,
    author: Author,
    wanted: KitSnapshot,
    kit: KitSnapshot,
    sha: str,
    licence: str | None,
    may_embed: bool | None,
) -> KitSnapshot:
    before = kit.font(sha)
    if before is None:
        raise NotFound()
    given = {"licence": licence, "may_embed": may_embed}
    font = before.model_copy(update={name: value for name, value in given.items() if value is not None})
    fonts = tuple(font if one.sha256 == font.sha256 else one for one in wanted.fonts)
    wanted = wanted.model_copy(update={"fonts": fonts})
    _refuse_stale(session, author, kit, wanted, lambda one: _said(one.font(sha)))
    return wanted


def _placed(logo: Logo | None) -> object:
    return logo and (logo.clear_space, logo.least_width)


def _said(font: Font | None) -> object:
    return font and (font.licence, font.may_embed)


def _with_logo(kit: KitSnapshot, logo: Logo) -> tuple[Logo, ...]:
    return _sorted_logos((*(one for one in kit.logos if one.kind != logo.kind), logo))


def _sorted_logos(logos: tuple[Logo, ...]) -> tuple[Logo, ...]:
    return tuple(sorted(logos, key=lambda one: LOGO_KINDS.index(one.kind)))


def _sorted_fonts(fonts: tuple[Font, ...]) -> tuple[Font, ...]:
    return tuple(sorted(fonts, key=lambda one: (one.family.casefold(), one.weight, one.italic, one.style, one.sha256)))
