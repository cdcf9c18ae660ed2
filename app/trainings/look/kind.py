"""The kind of training that learns a look from a brand's pictures: a style, a character or a product."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from app.base_models import catalogue
from app.base_models import queries as base_models
from app.base_models.catalogue import BaseModelEntry
from app.base_models.told_words import told_words
from app.images import queries as images
from app.images.captions import TRIGGER_PLACEHOLDER
from app.images.judging.findings import findings
from app.projects.models import Project
from app.trainings.advice import Warning
from app.trainings.errors import BadResolution, DoraAlone, LokrAlone, NoTextEncoder, TooFewPictures
from app.trainings.estimates import Circumstances, Estimate
from app.trainings.kind import Draft, Kind
from app.trainings.look import freeze, planner, queries
from app.trainings.look.estimate import estimate_for
from app.trainings.look.freeze import FrozenPicture
from app.trainings.look.overrides import TrainingOverrides
from app.trainings.look.presets import known_to, recipe_for, unheard
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.look.retry import retries
from app.trainings.look.warnings import FEWEST, SMALL_SHARE, warnings_for
from app.trainings.models import Training
from app.trainings.plans import Plan

Pictures = tuple[FrozenPicture, ...]
LookDraft = Draft[TrainingRecipe, Pictures]


def _base(session: Session, workspace_id: str, key: str | None) -> BaseModelEntry:
    return base_models.entry(session, workspace_id=workspace_id, key=key or catalogue.all_models()[0].key)


def _draft(session: Session, project: Project, base: BaseModelEntry, overrides: TrainingOverrides) -> LookDraft:
    """From the brand's included pictures. Raises like ``check_recipe``."""
    pictures = images.all_images(session, workspace_id=project.workspace_id, project_id=project.id, only_included=True)
    changes = overrides.changes()
    recipe = recipe_for(
        overrides.purpose,
        base,
        trigger_word=changes.pop("trigger_word", project.trigger_word),
        captions=[picture.caption for picture in pictures],
        changes=changes,
    )
    check_recipe(recipe, base)
    return Draft(
        recipe,
        freeze.freeze(pictures, recipe.resolution, base.multiple),
        frozenset(known_to(base, changes)),
        tuple(unheard(changes, recipe, base)),
        tuple(pictures),
    )


def check_recipe(recipe: TrainingRecipe, base: BaseModelEntry) -> None:
    """Whether this base can do it. Raises ``BadResolution``, ``NoTextEncoder``, ``LokrAlone``, ``DoraAlone``."""
    smallest, largest = min(base.resolutions), max(base.resolutions)
    for side in (recipe.resolution, *recipe.extra_resolutions):
        if side % base.multiple or not smallest <= side <= largest:
            raise BadResolution(
                base=base.name, smallest=smallest, largest=largest, multiple=base.multiple, resolution=side
            )
    if recipe.train_text_encoder and not base.trains_text_encoder:
        raise NoTextEncoder(base=base.name)
    if recipe.train_text_encoder and recipe.network == "lokr":
        raise LokrAlone()
    if recipe.train_text_encoder and recipe.network == "dora":
        raise DoraAlone()


def _refuse_too_few(pictures: Pictures) -> None:
    if len(pictures) < FEWEST:
        raise TooFewPictures(count=len(pictures), needed=FEWEST)


def _columns(recipe: TrainingRecipe, pictures: Pictures) -> dict[str, Any]:
    return {"purpose": recipe.purpose, "pictures": [asdict(picture) for picture in pictures]}


def _estimate(
    session: Session, base: BaseModelEntry, draft: LookDraft, plan: Plan | None, now: Circumstances
) -> Estimate:
    return estimate_for(
        draft.recipe,
        base,
        queries.measurements(session, base.key),
        now,
        plan,
    )


def _warnings(
    session: Session, project: Project, base: BaseModelEntry, draft: LookDraft, _devices: Sequence[str], ready: bool
) -> list[Warning]:
    own = (TRIGGER_PLACEHOLDER, draft.recipe.trigger_word)
    told = [told_words(base, picture.caption, own) for picture in draft.pictures]
    judged = images.judged_set(
        session,
        workspace_id=project.workspace_id,
        project_id=project.id,
        small_side=round(draft.recipe.resolution * SMALL_SHARE),
    )
    return warnings_for(
        judged.included,
        findings(judged),
        ready=ready,
        gated=base.gated,
        distilled=base.distilled,
        unknown_words=[words[0].word for words in told if words],
    )


def _passport(session: Session, training: Training) -> dict[str, Any]:
    drawn = queries.samples(session, training.id)
    last = max((one.step for one in drawn), default=0)
    base = base_models.find(session, workspace_id=training.workspace_id, key=training.base_model)
    return {
        "base_edition": base.edition if base else 1,
        "picture_count": len(training.pictures),
        "image_ids": [picture["image_id"] for picture in training.pictures],
        "planned_steps": training.recipe["steps"],
        "samples": [
            {
                "step": one.step,
                "position": one.position,
                "prompt": one.prompt,
                "seed": one.seed,
                "key": one.key,
                "width": one.width,
                "height": one.height,
            }
            for one in drawn
            if one.step in (0, last)
        ],
    }


LOOK: Kind[TrainingRecipe, BaseModelEntry, Pictures, TrainingOverrides] = Kind(
    modality="image",
    job_kind="training",
    recipe=TrainingRecipe,
    sentences=planner.SENTENCES,
    base=_base,
    known_base=lambda session, workspace_id, key: base_models.find(session, workspace_id=workspace_id, key=key),
    draft=_draft,
    refuse_too_few=_refuse_too_few,
    columns=_columns,
    frozen=lambda training: freeze.from_row(training.pictures),
    plan_for=lambda recipe, base, _, device, decided: planner.plan_for(recipe, base, device, decided),
    fallback_for=lambda recipe, base, _, device, plan: planner.fallback_for(recipe, base, device, plan),
    decided_in=lambda recipe, base, _: None,
    as_plan=lambda recipe, base, _, device: None,
    estimate=_estimate,
    warnings=_warnings,
    retries=retries,
    trigger_word=lambda recipe: recipe.trigger_word,
    passport=_passport,
)
