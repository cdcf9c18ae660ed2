"""What the worker needs to make a pack, and where it writes what came out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.ad_files.manifest import ManifestRow
from app.adapters.models import Adapter
from app.brand_kits import queries as kits
from app.brand_kits.snapshot import KitSnapshot
from app.db import now
from app.errors import NotFound
from app.generations.models import Generation, Output
from app.generations.recipe import GenerationRecipe
from app.jobs import claims, outcomes
from app.jobs.claims import Claim
from app.matrix import queries
from app.matrix.labels import made_with_ai
from app.matrix.models import CellVersion, Pack
from app.matrix.packs.contents import Contents, Failure, PackedAd
from app.matrix.packs.queries import AT_ONCE
from app.matrix.spec import CellSpec
from app.sign_off.models import Verdict


@dataclass(frozen=True)
class AdWork:
    """One ad of a pack. ``key`` is its finished PNG; ``row`` tells of it all but the file."""

    packed: PackedAd
    campaign_id: str
    spec: CellSpec
    key: str | None
    picture_key: str | None
    created_at: datetime
    findings: tuple[tuple[str, dict[str, float]], ...]
    row: ManifestRow


@dataclass(frozen=True)
class PackWork:
    """A pack that is to be made, and the kits that its ads name, by number."""

    pack_id: str
    project_id: str
    contents: Contents
    ads: tuple[AdWork, ...]
    kits: dict[int, KitSnapshot]

    @property
    def folder(self) -> str:
        """Of the storage, for files that wait to be packed; the ZIP lies beside it."""
        return f"projects/{self.project_id}/ads/packs/{self.pack_id}"


def work(session: Session, workspace_id: str, pack_id: str) -> PackWork:
    """Raises ``NotFound`` for a pack that is gone."""
    pack = session.get(Pack, pack_id)
    if pack is None or pack.workspace_id != workspace_id:
        raise NotFound()
    brief = queries.brief_row(session, workspace_id=workspace_id, campaign_id=pack.campaign_id)
    contents = Contents.model_validate(pack.contents)
    ads: list[AdWork] = []
    for start in range(0, len(contents.ads), AT_ONCE):
        ads += _some(session, pack, contents.ads[start : start + AT_ONCE])
    snapshots = {
        number: kits.version(session, workspace_id=workspace_id, project_id=brief.project_id, number=number)
        for number in {ad.spec.kit_version for ad in ads}
    }
    return PackWork(pack.id, brief.project_id, contents, tuple(ads), snapshots)


def _some(session: Session, pack: Pack, packed: Sequence[PackedAd]) -> list[AdWork]:
    mine = CellVersion.workspace_id == pack.workspace_id, CellVersion.id.in_([one.version_id for one in packed])
    versions = {row.id: row for row in session.scalars(select(CellVersion).where(*mine))}
    if len(versions) < len(packed):
        raise NotFound()
    specs = {row.id: CellSpec.model_validate(row.spec) for row in versions.values()}
    approvals = _approvals(session, pack.workspace_id, packed)
    drawn = _drawn(session, pack.workspace_id, {spec.output_id for spec in specs.values()})
    found = []
    for one in packed:
        version, spec = versions[one.version_id], specs[one.version_id]
        picture_key, facts = drawn.get(spec.output_id, (None, ManifestRow("")))
        by, at = approvals.get(one.verdict_id or "", ("", ""))
        found.append(
            AdWork(
                packed=one,
                campaign_id=pack.campaign_id,
                spec=spec,
                key=version.key,
                picture_key=picture_key,
                created_at=version.created_at,
                findings=tuple((finding["code"], finding["numbers"]) for finding in version.findings),
                row=_row(one, spec, facts, by, at),
            )
        )
    return found


def _row(packed: PackedAd, spec: CellSpec, drawn: ManifestRow, by: str, at: str) -> ManifestRow:
    hidden = set(spec.hidden)
    return ManifestRow(
        file="",
        channel=spec.place.key,
        width_px=spec.place.width_px,
        height_px=spec.place.height_px,
        locale=spec.locale,
        audience=packed.audience,
        alt_text=spec.words.alternative,
        headline=spec.headline,
        body="" if "body" in hidden else spec.words.body,
        call_to_action="" if "call_to_action" in hidden else spec.words.call_to_action,
        legal="" if "legal" in hidden else spec.legal,
        prompt=drawn.prompt,
        negative_prompt=drawn.negative_prompt,
        seed=drawn.seed,
        base_model=drawn.base_model,
        adapter=drawn.adapter,
        adapter_version=drawn.adapter_version,
        kit_version=spec.kit_version,
        layout=spec.layout,
        theme=spec.theme,
        approved_by=by,
        approved_at=at,
        ai_statement=made_with_ai(spec.locale),
    )


def _approvals(session: Session, workspace_id: str, packed: Sequence[PackedAd]) -> dict[str, tuple[str, str]]:
    """By verdict who approved, and when (ISO 8601)."""
    ids = [one.verdict_id for one in packed if one.verdict_id]
    rows = session.scalars(select(Verdict).where(Verdict.workspace_id == workspace_id, Verdict.id.in_(ids))).all()
    names = accounts.names_of(session, {row.by_user for row in rows if row.by_user})
    return {row.id: (names.get(row.by_user or "", ""), row.created_at.isoformat(timespec="seconds")) for row in rows}


def _drawn(session: Session, workspace_id: str, ids: set[str]) -> dict[str, tuple[str, ManifestRow]]:
    """By picture its file, and how it was drawn. Deleted pictures too, as long as their rows are there."""
    rows = session.execute(
        select(Output, Generation, Adapter)
        .join(Generation, Generation.id == Output.generation_id)
        .outerjoin(Adapter, Adapter.id == Output.adapter_id)
        .where(Output.workspace_id == workspace_id, Output.id.in_(ids))
    )
    found = {}
    for output, generation, adapter in rows:
        recipe = GenerationRecipe.model_validate(generation.recipe)
        found[output.id] = (
            output.key,
            ManifestRow(
                "",
                prompt=recipe.prompt,
                negative_prompt=recipe.negative_prompt,
                seed=output.seed,
                base_model=recipe.base_model,
                adapter=adapter.name if adapter is not None else "",
                adapter_version=adapter.version if adapter is not None else None,
            ),
        )
    return found


def got_further(session: Session, claim: Claim) -> None:
    """One file more is ready. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, got_further=True)


def keep(session: Session, claim: Claim, pack_id: str, made: dict[str, Any], failures: list[Failure]) -> None:
    """The pack is there, and its job done, in one transaction. ``made`` is its key, byte_count and sha256.

    Raises ``LeaseLost``, ``NotFound``.
    """
    claims.assert_lease(session, claim, with_result=True)
    row = session.get(Pack, pack_id)
    if row is None:
        raise NotFound()
    row.key, row.byte_count, row.sha256, row.finished_at = made["key"], made["byte_count"], made["sha256"], now()
    row.contents = row.contents | {"failures": [one.model_dump(mode="json") for one in failures]}
    session.flush()
    outcomes.finish(session, claim)


def is_kept(session: Session, pack_id: str, key: str) -> bool:
    """Whether this file is the pack's."""
    row = session.get(Pack, pack_id)
    return row is not None and row.key == key
