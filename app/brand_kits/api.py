"""Brand kits as JSON."""

from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import BaseModel, Field

from app.brand_kits import queries, service
from app.brand_kits.files import MOST_AT_ONCE
from app.brand_kits.forms import (
    About,
    Colour,
    Family,
    FileHash,
    LanguageTag,
    LeastWidth,
    Licence,
    Number,
    OptionalFamily,
    PersonaName,
    Share,
)
from app.brand_kits.service import Author
from app.brand_kits.snapshot import (
    MOST_AWAITED,
    MOST_FONTS,
    MOST_LOCALES,
    MOST_PERSONAS,
    Colours,
    FontRoles,
    KitSnapshot,
    LegalLines,
    LogoKind,
    Persona,
)
from app.brand_kits.upload_target import KitTargetDep
from app.errors import NotFound
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.files import send
from app.web.gate.signed_in import Editor, Viewer
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import RowId, Text

router = APIRouter(tags=["Brands"], route_class=DeferredRoute)
MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png", "ttf": "font/ttf", "otf": "font/otf"}
MOST_GIVEN = 60
Lines = Annotated[tuple[Text, ...], Field(max_length=MOST_GIVEN)]


class LogoOut(BaseModel, defer_build=True):
    """A logo of one kind: for `light` ground, for `dark` ground, or `mono`, in one colour."""

    kind: LogoKind
    sha256: str
    """Of the stored file, which was checked and written anew."""
    format: Literal["svg", "png"]
    filename: str
    byte_count: int
    width: int
    """Pixels of a PNG; an SVG's proportion at 1,000 on its longest side."""
    height: int
    transparent: bool
    clear_space: float
    """Nothing else may come nearer: a share of the logo's height."""
    least_width: int
    """Pixels."""


class FontOut(BaseModel, defer_build=True):
    """One cut of a family."""

    sha256: str
    """Of the stored file."""
    format: Literal["ttf", "otf"]
    """WOFF2 is kept as one of these."""
    filename: str
    byte_count: int
    family: str
    style: str
    weight: int
    italic: bool
    variable: bool
    glyphs: int
    fs_type: int
    """What the font itself says about embedding; the bit 2 forbids it."""
    licence: str
    may_embed: bool
    """What the team says."""


class RolesOut(BaseModel, defer_build=True):
    """Colours of the palette by their role, as `#rrggbb`."""

    primary: str | None
    accent: str | None
    ground: str | None
    text: str | None


class FontRolesOut(BaseModel, defer_build=True):
    """Families that ads are set in; null is the font that Livery ships."""

    headline: str | None
    body: str | None


class LegalOut(BaseModel, defer_build=True):
    """What must stand on ads in one language."""

    locale: str
    legal: list[str]
    disclaimers: list[str]


class PersonaOut(BaseModel, defer_build=True):
    """Somebody whom ads are made for."""

    name: str
    who: str
    motive: str
    """What moves them."""


class KitOut(BaseModel, defer_build=True):
    """Everything that finished ads need of a brand."""

    version: int
    """Counts every change; 0 for a brand that has no kit yet."""
    logos: list[LogoOut]
    fonts: list[FontOut]
    font_roles: FontRolesOut
    awaited: list[str]
    """Families that the guideline names and whose files are still to be added."""
    colours: RolesOut
    do_nots: list[str]
    legal: list[LegalOut]
    personas: list[PersonaOut]


class RolesChange(JsonBody):
    """All four roles; what is left out has no colour."""

    primary: Colour = None
    accent: Colour = None
    ground: Colour = None
    text: Colour = None


class FontRolesChange(JsonBody):
    """Both roles; what is left out is set in the font that Livery ships. A family is one of the kit's `fonts`."""

    headline: OptionalFamily = None
    body: OptionalFamily = None


class LegalChange(JsonBody):
    """The lines of one language, whose tag is such as `de` or `pt-BR`."""

    locale: LanguageTag
    legal: Lines = ()
    disclaimers: Lines = ()


class PersonaChange(JsonBody):
    """A persona, in short."""

    name: Annotated[PersonaName, Field(min_length=1)]
    who: About = ""
    motive: About = ""


class LogoChange(JsonBody):
    """How a logo is placed."""

    kind: LogoKind
    clear_space: Share | None = None
    least_width: LeastWidth | None = None


class FontChange(JsonBody):
    """What the team says of a font."""

    sha256: FileHash
    licence: Licence | None = None
    may_embed: bool | None = None


class KitChange(JsonBody):
    """What to change; what is left out stays as it is. With `version` a part that somebody changed after that version
    is not replaced: the answer is 409."""

    do_nots: Lines | None = None
    awaited: Annotated[list[Family], Field(max_length=MOST_AWAITED)] | None = None
    colours: RolesChange | None = None
    font_roles: FontRolesChange | None = None
    legal: Annotated[list[LegalChange], Field(max_length=MOST_LOCALES)] | None = None
    personas: Annotated[list[PersonaChange], Field(max_length=MOST_PERSONAS)] | None = None
    logos: Annotated[list[LogoChange], Field(max_length=3)] | None = None
    fonts: Annotated[list[FontChange], Field(max_length=MOST_FONTS)] | None = None
    version: Number | None = None


def kit_out(kit: KitSnapshot) -> KitOut:
    """A kit without its storage keys."""
    hidden = {"logos": {"__all__": {"key"}}, "fonts": {"__all__": {"key"}}}
    return KitOut.model_validate(kit.model_dump(mode="json", exclude=hidden))


@router.get("/projects/{project_id}/brand-kit", summary="Get a brand's kit")
def get_kit(
    session: ReadSession, visitor: Viewer, project_id: RowId, version: Annotated[Number | None, Query()] = None
) -> KitOut:
    """As it stands now, or as it was at a version."""
    where = {"workspace_id": visitor.workspace.id, "project_id": project_id}
    if version is None:
        return kit_out(queries.current(session, **where))
    return kit_out(queries.version(session, **where, number=version))


@router.patch("/projects/{project_id}/brand-kit", summary="Change a brand's kit")
@audited("kit.changed")
def change_kit(session: WriteSession, visitor: Editor, project_id: RowId, change: KitChange) -> KitOut:
    """A change makes a new version; saving what is there already makes none."""
    author = Author(visitor.workspace.id, project_id, visitor.user.id, change.version)
    kit = service.change_all(
        session,
        author,
        _parts(change),
        logos={one.kind: (one.clear_space, one.least_width) for one in change.logos or ()},
        fonts={one.sha256: (one.licence, one.may_embed) for one in change.fonts or ()},
    )
    return kit_out(kit)


def _parts(change: KitChange) -> dict[str, object]:
    parts: dict[str, object] = {}
    if change.do_nots is not None:
        parts["do_nots"] = change.do_nots
    if change.awaited is not None:
        parts["awaited"] = change.awaited
    if change.colours is not None:
        parts["colours"] = Colours(**change.colours.model_dump())
    if change.font_roles is not None:
        parts["font_roles"] = FontRoles(**change.font_roles.model_dump())
    if change.legal is not None:
        parts["legal"] = tuple(LegalLines.model_validate(one.model_dump()) for one in change.legal)
    if change.personas is not None:
        parts["personas"] = tuple(Persona(**one.model_dump()) for one in change.personas)
    return parts


@router.post("/projects/{project_id}/brand-kit/logos", status_code=201, summary="Upload a logo")
@audited("kit.logo_added")
def upload_logo(
    target: KitTargetDep,
    session: WriteSession,
    file: Annotated[UploadFile, File()],
    kind: Annotated[LogoKind, Form()],
    clear_space: Annotated[Share | None, Form()] = None,
    least_width: Annotated[LeastWidth | None, Form()] = None,
) -> KitOut:
    """SVG or PNG. It takes the place of the logo of that kind. What is stored is written anew: without scripts, outside
    files or metadata."""
    kept = target.logo(file)
    author = target.author
    return kit_out(service.set_logo(session, author, kept, kind, clear_space=clear_space, least_width=least_width))


@router.get("/projects/{project_id}/brand-kit/logos/{logo_kind}", summary="Download a logo", response_class=Response)
def download_logo(
    session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId, logo_kind: LogoKind
) -> Response:
    """The checked file."""
    logo = queries.current(session, workspace_id=visitor.workspace.id, project_id=project_id).logo(logo_kind)
    if logo is None:
        raise NotFound()
    name = f"{logo.kind}.{logo.format}"
    return send(storage, logo.key, MEDIA_TYPES[logo.format], download_name=name, keep=False)


@router.delete("/projects/{project_id}/brand-kit/logos/{logo_kind}", summary="Remove a logo")
@audited("kit.logo_removed")
def remove_logo(session: WriteSession, visitor: Editor, project_id: RowId, logo_kind: LogoKind) -> KitOut:
    """Older versions of the kit keep it."""
    author = Author(visitor.workspace.id, project_id, visitor.user.id)
    return kit_out(service.remove_logo(session, author, logo_kind))


@router.post("/projects/{project_id}/brand-kit/fonts", status_code=201, summary="Upload fonts")
@audited("kit.font_added")
def upload_fonts(
    target: KitTargetDep,
    session: WriteSession,
    file: Annotated[list[UploadFile], File(max_length=MOST_AT_ONCE)],
    licence: Annotated[Licence, Form()] = "",
    may_embed: Annotated[bool | None, Form()] = None,
) -> KitOut:
    """TTF, OTF or WOFF2, each a single cut; all of them or none are taken. A font may be embedded unless it forbids
    that itself or `may_embed` says otherwise."""
    kept = target.fonts(file)
    return kit_out(service.add_fonts(session, target.author, kept, licence=licence, may_embed=may_embed))


@router.get("/projects/{project_id}/brand-kit/fonts/{sha}", summary="Download a font", response_class=Response)
def download_font(
    session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId, sha: FileHash
) -> Response:
    """As TTF or OTF."""
    font = queries.current(session, workspace_id=visitor.workspace.id, project_id=project_id).font(sha)
    if font is None:
        raise NotFound()
    name = f"{font.family} {font.style}.{font.format}"
    return send(storage, font.key, MEDIA_TYPES[font.format], download_name=name, keep=False)


@router.delete("/projects/{project_id}/brand-kit/fonts/{sha}", summary="Remove a font")
@audited("kit.font_removed")
def remove_font(session: WriteSession, visitor: Editor, project_id: RowId, sha: FileHash) -> KitOut:
    """Older versions of the kit keep it."""
    author = Author(visitor.workspace.id, project_id, visitor.user.id)
    return kit_out(service.remove_font(session, author, sha))
