"""Pictures made larger: an order of its own kind, whose recipe stays that of the picture which it enlarges."""

from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters.models import Adapter
from app.errors import NotFound
from app.generations import queries, requests
from app.generations.enlarging.steps import EnlargementStep, Times, is_possible, read_kept
from app.generations.errors import TooLargeToEnlarge
from app.generations.models import Generation, Output
from app.generations.provenance import UsedAdapter
from app.generations.queries import AdapterSpec
from app.generations.recipe import GenerationRecipe
from app.jobs import claims
from app.jobs import service as jobs

KIND = "enlargement"


def enlarge(session: Session, *, workspace_id: str, output_id: str, user_id: str | None, times: Times) -> Generation:
    """Order this picture 2 or 4 times as wide and as high. Raises ``NotFound``, ``TooLargeToEnlarge``."""
    output = queries.output(session, workspace_id=workspace_id, output_id=output_id)
    if not is_possible(output.width, output.height, times):
        raise TooLargeToEnlarge(times=times, width=output.width * times, height=output.height * times)
    drawn = queries.generation(session, workspace_id=workspace_id, generation_id=output.generation_id)
    recipe = requests.as_drawn(GenerationRecipe.model_validate(drawn.recipe), drawn.drawing)
    step = EnlargementStep(times=times, width=output.width, height=output.height)
    generation = Generation(
        workspace_id=workspace_id,
        project_id=output.project_id,
        kind=KIND,
        # Of one picture, whose strength within a strip and whose seed stand with the picture itself.
        recipe=recipe.model_copy(update={"count": 1, "strengths": ()}).model_dump(mode="json"),
        channel=drawn.channel,
        image_key=drawn.image_key,
        mask_key=drawn.mask_key,
        words=drawn.words,
        enlargements=[one.model_dump(mode="json") for one in (*read_kept(drawn.enlargements), step)],
        campaign_id=output.campaign_id,
        source_output_id=output.id,
        created_by=user_id,
    )
    session.add(generation)
    session.flush()
    jobs.enqueue(
        session,
        workspace_id=workspace_id,
        project_id=generation.project_id,
        kind=KIND,
        subject_id=generation.id,
        title=recipe.prompt,
        created_by=user_id,
    )
    return generation


@dataclass(frozen=True)
class EnlargementSpec:
    """What a worker needs to enlarge a picture: plain values, to be carried out of the transaction."""

    generation_id: str
    workspace_id: str
    project_id: str
    recipe: GenerationRecipe
    adapters: tuple[AdapterSpec, ...]
    """Those of the recipe that are still there: they are told, not used."""
    source_key: str
    seed: int
    """Of the picture that is enlarged, as is ``multiplier``."""
    multiplier: float
    steps: tuple[EnlargementStep, ...]
    """The last one is to be done."""
    is_done: bool
    """Whether an earlier attempt has kept the picture."""


def spec_of(session: Session, *, workspace_id: str, generation_id: str) -> EnlargementSpec:
    """For the worker. A picture that was deleted meanwhile is enlarged as long as its file is there.

    Raises ``NotFound``.
    """
    generation = queries.generation(session, workspace_id=workspace_id, generation_id=generation_id)
    source = queries.output(
        session, workspace_id=workspace_id, output_id=generation.source_output_id or "", deleted_too=True
    )
    recipe = GenerationRecipe.model_validate(generation.recipe)
    wanted = [use.adapter_id for use in recipe.adapters]
    rows = session.scalars(select(Adapter).where(Adapter.workspace_id == workspace_id, Adapter.id.in_(wanted)))
    there = {row.id: row for row in rows}
    return EnlargementSpec(
        generation_id=generation.id,
        workspace_id=workspace_id,
        project_id=generation.project_id,
        recipe=recipe,
        adapters=tuple(
            AdapterSpec(
                UsedAdapter(row.id, row.name, row.version, row.sha256, use.strength),
                row.diffusers_key,
                row.trigger_word,
            )
            for use in recipe.adapters
            if (row := there.get(use.adapter_id)) is not None
        ),
        source_key=source.key,
        seed=source.seed,
        multiplier=source.strength,
        steps=read_kept(generation.enlargements),
        is_done=session.scalar(select(Output.id).where(Output.generation_id == generation.id)) is not None,
    )


def note_network(session: Session, claim: claims.Claim, spec: EnlargementSpec, network: str) -> EnlargementSpec:
    """Keep with the order which network enlarged its picture. Raises ``LeaseLost``, ``NotFound``."""
    claims.assert_lease(session, claim)
    generation = session.get(Generation, spec.generation_id)
    if generation is None:
        raise NotFound()
    *before, last = spec.steps
    steps = (*before, last.model_copy(update={"network": network}))
    generation.enlargements = [one.model_dump(mode="json") for one in steps]
    session.flush()
    return replace(spec, steps=steps)
