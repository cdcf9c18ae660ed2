"""The fonts that an ad is set in. Loads the layout engine, so that only workers import it."""

from dataclasses import dataclass
from pathlib import Path

from app.brand_kits.files import fonts_folder
from app.brand_kits.snapshot import KitSnapshot
from app.layouts.typesetting import DEFAULT_FAMILY, FONTS, families_of
from app.layouts.values import Finding
from app.storage import Storage


@dataclass(frozen=True)
class Typefaces:
    """Families by the layout engine's names, and the folder with their files. ``findings`` say where the brand's own
    font could not be taken."""

    folder: Path = FONTS
    headline: str = DEFAULT_FAMILY
    body: str = DEFAULT_FAMILY
    findings: tuple[Finding, ...] = ()


def fonts_for(storage: Storage, kit: KitSnapshot, folder: Path, *, live_text: bool = False) -> Typefaces:
    """Put the kit's fonts into ``folder``, which is there and empty. With ``live_text``, as in a PDF, only those that
    may be embedded. A role whose family has none left is set in the font that Livery ships, and a finding says so.

    Raises ``FileNotFoundError`` where the storage has lost one, ``StorageAway``.
    """
    written = {path.name for path in fonts_folder(storage, kit, folder, only_embeddable=live_text)}
    called = families_of(folder) if written else {}
    names: dict[str, str] = {}
    for font in kit.fonts:
        file = f"{font.sha256[:16]}.{font.format}"
        if file in called:
            names.setdefault(font.family, called[file])
    taken, findings = {"headline": DEFAULT_FAMILY, "body": DEFAULT_FAMILY}, []
    for role, family in (("headline", kit.font_roles.headline), ("body", kit.font_roles.body)):
        if family in names:
            taken[role] = names[family]
        elif family is not None:
            findings.append(Finding(_why(kit, family, live_text), role))
    return Typefaces(folder if written else FONTS, **taken, findings=tuple(findings))


def _why(kit: KitSnapshot, family: str, live_text: bool) -> str:
    cuts = [font for font in kit.fonts if font.family == family]
    if not cuts:
        return "font_missing"
    return "font_not_embeddable" if live_text and not any(font.may_embed for font in cuts) else "font_unusable"
