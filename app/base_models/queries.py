"""What may be seen of base models: those of the catalogue beside those that the workspace has added."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.base_models import catalogue
from app.base_models.catalogue import BaseModelEntry, Sentence, TextModelEntry, UnknownBaseModel
from app.base_models.models import OfferedBase, OwnBase
from app.base_models.recognition import Facts
from app.base_models.text_recognition import BEYOND_FLOAT16
from app.base_models.text_recognition import FAMILY as TEXT_FAMILY
from app.db import own
from app.errors import N_
from app.lora_files.families import known

ADDED_EN = "Added by your team: %(source)s."
ADDED_DE = "Von Ihrem Team hinzugefügt: %(source)s."
NOT_SAID = Sentence(
    en="Nobody has written down what its licence allows. Look it up before you use it for your business.",
    de="Niemand hat notiert, was die Lizenz erlaubt. Bitte sehen Sie nach, bevor Sie es gewerblich nutzen.",
)
NO_DEFAULTS = N_("The catalogue has no base model of this kind, so defaults and configuration are missing.")


def entry(session: Session, *, workspace_id: str, key: str) -> BaseModelEntry:
    """One base model for pictures, also one that was put away. Raises ``UnknownBaseModel``."""
    known = {one.key: one for one in catalogue.all_models()}
    if key in known:
        return known[key]
    row = find_own(session, workspace_id=workspace_id, key=key)
    found = entry_of(row) if row is not None else None
    if found is None:
        raise UnknownBaseModel(key=key[:80])
    return found


def find(session: Session, *, workspace_id: str, key: str) -> BaseModelEntry | None:
    """Like ``entry``; None where nobody knows it any more."""
    try:
        return entry(session, workspace_id=workspace_id, key=key)
    except UnknownBaseModel:
        return None


def offered(session: Session, *, workspace_id: str) -> list[BaseModelEntry]:
    """Every base model for pictures that an order may name: the catalogue's, then the workspace's own by name."""
    entries = (entry_of(row) for row in own_bases(session, workspace_id=workspace_id))
    return [*catalogue.all_models(), *(one for one in entries if one is not None)]


def text_entry(session: Session, *, workspace_id: str, key: str) -> TextModelEntry:
    """One language model, also one that was put away. Raises ``UnknownBaseModel``."""
    found = find_text(session, workspace_id=workspace_id, key=key)
    if found is None:
        raise UnknownBaseModel(key=key[:80])
    return found


def find_text(session: Session, *, workspace_id: str, key: str) -> TextModelEntry | None:
    """Like ``text_entry``; None where nobody knows it any more, and for a base model for pictures."""
    known = catalogue.find_text_model(key)
    if known is not None:
        return known
    row = find_own(session, workspace_id=workspace_id, key=key)
    return text_entry_of(row) if row is not None else None


def text_offered(session: Session, *, workspace_id: str) -> list[TextModelEntry]:
    """Every language model that an order may name: the catalogue's, then the workspace's own by name."""
    entries = (text_entry_of(row) for row in own_bases(session, workspace_id=workspace_id))
    return [*catalogue.text_models(), *(one for one in entries if one is not None)]


def names(session: Session, *, workspace_id: str, keys: Iterable[str]) -> dict[str, str]:
    """Key → what people call it, for base models for pictures and texts, put away or not; the key itself where nobody
    knows it."""
    found = {key: catalogue.catalogue_name(key) for key in keys}
    unknown = [key for key, name in found.items() if key == name]
    if not unknown:
        return found
    rows = session.execute(
        select(OwnBase.id, OwnBase.name).where(OwnBase.workspace_id == workspace_id, OwnBase.id.in_(unknown))
    )
    return found | {str(key): str(name) for key, name in rows}


def base_name(session: Session, *, workspace_id: str, key: str) -> str:
    return names(session, workspace_id=workspace_id, keys=[key])[key]


def own_bases(session: Session, *, workspace_id: str, archived: bool = False) -> list[OwnBase]:
    """The workspace's own, by name."""
    is_away = OwnBase.archived_at.is_not(None) if archived else OwnBase.archived_at.is_(None)
    return list(
        session.scalars(
            select(OwnBase).where(OwnBase.workspace_id == workspace_id, is_away).order_by(OwnBase.name, OwnBase.id)
        )
    )


def own_base(session: Session, *, workspace_id: str, base_id: str) -> OwnBase:
    """Raises ``NotFound`` for another workspace's too."""
    return own(session, OwnBase, base_id, workspace_id)


def find_own(session: Session, *, workspace_id: str, key: str) -> OwnBase | None:
    """The workspace's own of this key, also one that was put away."""
    return session.scalar(select(OwnBase).where(OwnBase.id == key, OwnBase.workspace_id == workspace_id))


def lying_ready(session: Session) -> list[OfferedBase]:
    """What the workers' folders of checkpoints hold, each name once."""
    found = session.scalars(select(OfferedBase).order_by(OfferedBase.name, OfferedBase.machine))
    return list({one.name: one for one in found}.values())


def like(family: str, *, is_distilled: bool = False, denoiser_width: int | None = None) -> BaseModelEntry | None:
    """The catalogue's entry that a checkpoint of this family takes its sizes and defaults from."""
    same = [one for one in catalogue.all_models() if one.family == family and one.source != "builtin"]
    same = [one for one in same if one.denoiser_width == denoiser_width] or same
    fitting = [one for one in same if one.distilled == is_distilled]
    return next(iter(fitting or same), None)


def families(*, as_one_file: bool = False) -> list[str]:
    """Those of which a checkpoint may be added; ``as_one_file``: one that is a single file in its makers' names."""
    if as_one_file:
        return [one.key for one in known.with_engine() if one.checkpoint is not None and one.checkpoint.parts]
    pictures = dict.fromkeys(one.family for one in catalogue.all_models() if one.source != "builtin")
    return [*pictures, TEXT_FAMILY]


def entry_of(row: OwnBase) -> BaseModelEntry | None:
    """The row as an entry of the catalogue; None while its family is not known."""
    facts = Facts.model_validate(row.facts) if row.facts else Facts(family=row.family)
    model = like(row.family, is_distilled=facts.is_distilled, denoiser_width=facts.denoiser_width)
    if model is None:
        return None
    resolution = facts.resolution if facts.resolution in model.resolutions else model.resolution
    return model.model_copy(
        update={
            "key": row.id,
            "name": row.name,
            "summary": _added(row),
            "source": row.source,
            "place": row.place,
            "file": row.file or None,
            "revision": row.revision or None,
            "prediction_type": facts.prediction_type or model.prediction_type,
            "resolution": resolution,
            "is_beyond_float16": facts.is_beyond_float16,
            "ready": row.place == "local",
            "gated": False,
            "download_mb": model.download_mb if row.place == "hub" else None,
            "licence": row.licence,
            "licence_url": "",
            "licence_sentence": _licence_sentence(row),
            "commercial": row.commercial,
            "forbids_uses": False,
        }
    )


def text_entry_of(row: OwnBase) -> TextModelEntry | None:
    """The row as a language model of the catalogue; None for another kind, and while its files are not known."""
    told = Facts.model_validate(row.facts).text if row.facts else None
    if told is None:
        return None
    return TextModelEntry(
        key=row.id,
        name=row.name,
        summary=_added(row),
        family=row.family,
        source=row.source,
        place="local" if row.place == "local" else "hub",
        revision=row.revision or None,
        parameters=told.parameters,
        embedding_parameters=told.embedding_parameters,
        parameters_per_rank=told.layout.parameters_per_rank(),
        context=told.context,
        layout=told.layout,
        packs=told.packs,
        is_beyond_float16=told.architecture in BEYOND_FLOAT16,
        has_chat_template=told.has_chat_template,
        languages=tuple(row.languages.split()),
        ready=row.place == "local",
        licence=row.licence,
        licence_url="",
        licence_sentence=_licence_sentence(row),
        commercial=row.commercial,
    )


def _added(row: OwnBase) -> Sentence:
    what = f"{row.source}/{row.file}" if row.file else row.source
    return Sentence(en=ADDED_EN % {"source": what}, de=ADDED_DE % {"source": what})


def _licence_sentence(row: OwnBase) -> Sentence:
    return Sentence(en=row.licence_sentence, de=row.licence_sentence) if row.licence_sentence else NOT_SAID
