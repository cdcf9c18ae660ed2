"""Adapters on their way to a model hub."""

import re
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.adapters import queries
from app.adapters.files import file_of
from app.adapters.hub.addresses import REPOSITORY
from app.adapters.hub.card import CardFacts
from app.adapters.models import Adapter, Publication
from app.adapters.voice.files import CONFIGURATION_FILE, TENSORS, voice_file_name
from app.base_models import queries as base_models
from app.errors import N_, Invalid, NotFound
from app.jobs import outcomes
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.sealing import seal

KIND = "adapter_publish"
LANGUAGE = re.compile("[a-z]{2,3}")
TOKEN_PURPOSE = "hub token"  # noqa: S105 - names what is sealed, and is no secret


class BadPublishingRepository(Invalid):
    sentence = N_("Please write the repository as owner/name, using letters, digits, “-”, “_” and “.”.")


@dataclass(frozen=True)
class PublishOrder:
    repository: str
    is_private: bool
    card: CardFacts
    diffusers: tuple[str, str] | None
    """Name in the repository, and key of the file that it is made from, without what tells about the pictures; None for
    a voice."""
    keys: tuple[tuple[str, str], ...]
    """Names in the repository and keys in the storage of what goes there as it is."""


def order(
    session: Session,
    *,
    workspace_id: str,
    adapter_id: str,
    repository: str,
    token: str,
    signing_key: bytes,
    licence: str,
    is_private: bool,
    has_samples: bool,
    created_by: str | None,
) -> Publication:
    """Put the adapter on its way. Raises ``NotFound``, ``BadPublishingRepository``, ``QueueFull``."""
    adapter = queries.adapter(session, workspace_id=workspace_id, adapter_id=adapter_id)
    if not REPOSITORY.fullmatch(repository):
        raise BadPublishingRepository()
    row = Publication(
        workspace_id=workspace_id,
        adapter_id=adapter.id,
        repository=repository,
        is_private=is_private,
        has_samples=has_samples and adapter.modality == "image",
        licence=licence,
        created_by=created_by,
    )
    session.add(row)
    session.flush()
    jobs.enqueue(
        session,
        workspace_id=workspace_id,
        project_id=adapter.project_id,
        kind=KIND,
        subject_id=row.id,
        title=repository,
        created_by=created_by,
        sealed_secret=seal(signing_key, TOKEN_PURPOSE, token),
    )
    return row


def publication(session: Session, *, workspace_id: str, publication_id: str) -> Publication:
    """Raises ``NotFound`` for another workspace's too."""
    found = session.get(Publication, publication_id)
    if found is None or found.workspace_id != workspace_id:
        raise NotFound()
    return found


def order_of(session: Session, workspace_id: str, publication_id: str) -> PublishOrder:
    """Everything that the worker needs. Raises ``NotFound``."""
    row = publication(session, workspace_id=workspace_id, publication_id=publication_id)
    adapter = queries.adapter(session, workspace_id=workspace_id, adapter_id=row.adapter_id)
    if adapter.modality == "text":
        card, keys = _voice_card(session, adapter, row), _voice_keys(adapter)
        return PublishOrder(row.repository, row.is_private, card, None, tuple(keys))
    diffusers = file_of(adapter, "diffusers")
    return PublishOrder(
        row.repository,
        row.is_private,
        _card(session, adapter, row),
        (diffusers.name, diffusers.key),
        tuple(_keys(adapter, row)),
    )


def complete(session: Session, claim: Claim, url: str) -> None:
    """It is there. Raises ``LeaseLost``."""
    session.execute(update(Publication).where(Publication.id == claim.subject_id).values(url=url[:500]))
    outcomes.finish(session, claim)


def _keys(adapter: Adapter, row: Publication) -> list[tuple[str, str]]:
    # The clean one: what is published tells nothing about the training pictures, in its header neither.
    # There is no other beside it there, so it bears the plain name.
    keys = [(file_of(adapter, "kohya").name, adapter.clean_key)] if adapter.kohya_key else []
    if row.has_samples:
        keys += [(name, key) for name, key, _ in _samples(adapter)]
    return keys


def _voice_keys(adapter: Adapter) -> list[tuple[str, str]]:
    # Names that PEFT looks for in a repository; the configuration beside it is made from the file's header.
    keys = [(TENSORS, adapter.diffusers_key)]
    return keys + ([(voice_file_name(adapter, "gguf"), adapter.gguf_key)] if adapter.gguf_key else [])


def _samples(adapter: Adapter) -> list[tuple[str, str, str]]:
    """Names, keys and prompts of the visuals that were drawn at the end of the training."""
    listed = [one for one in adapter.facts.get("samples", []) if one.get("step", 0) > 0]
    return [(f"samples/{number}.webp", one["key"], one.get("prompt", "")) for number, one in enumerate(listed[:8], 1)]


def _is_product(adapter: Adapter) -> bool:
    """Whether it is of LyCORIS's kinds, from elsewhere or of our own training; diffusers loads neither."""
    return bool(adapter.facts.get("own_form")) or adapter.facts.get("recipe", {}).get("network") == "lokr"


def _card(session: Session, adapter: Adapter, row: Publication) -> CardFacts:
    base = base_models.find(session, workspace_id=adapter.workspace_id, key=adapter.base_model)
    return CardFacts(
        name=adapter.name,
        purpose=adapter.purpose,
        version=adapter.version,
        base_name=base.name if base is not None else adapter.base_model,
        base_repository=base.source if base is not None and REPOSITORY.fullmatch(base.source) else "",
        base_licence=base.licence if base is not None else "",
        licence=row.licence,
        trigger_word=adapter.trigger_word,
        strength=adapter.recommended_strength,
        rank=adapter.rank,
        alpha=adapter.alpha,
        note=adapter.note,
        samples=[(name, prompt) for name, _, prompt in _samples(adapter)] if row.has_samples else (),
        is_product=_is_product(adapter),
        is_imported="brought" in adapter.facts,
        is_only_for_livery=base is not None and base.source == "builtin",
    )


def _voice_card(session: Session, adapter: Adapter, row: Publication) -> CardFacts:
    base = base_models.find_text(session, workspace_id=adapter.workspace_id, key=adapter.base_model)
    repository = (base.hub_name or base.source) if base is not None else ""
    files = [(f"{CONFIGURATION_FILE}, {TENSORS}", "PEFT, transformers")]
    if adapter.gguf_key:
        files.append((voice_file_name(adapter, "gguf"), "llama.cpp, Ollama"))
    return CardFacts(
        name=adapter.name,
        purpose=adapter.purpose,
        version=adapter.version,
        base_name=base.name if base is not None else adapter.base_model,
        base_repository=repository if REPOSITORY.fullmatch(repository) else "",
        base_licence=base.licence if base is not None else "",
        licence=row.licence,
        trigger_word="",
        strength=adapter.recommended_strength,
        rank=adapter.rank,
        alpha=adapter.alpha,
        note=adapter.note,
        files=files,
        languages=tuple(
            one for one in [adapter.facts.get("language")] if isinstance(one, str) and LANGUAGE.fullmatch(one)
        ),
    )
