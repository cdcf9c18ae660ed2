"""What the planner chooses for cards of 8 to 80 GB, with its reasons: ``python -m tests.benchmarks.plans``.

Nothing is run; the memory is the planner's prediction. The second table holds it against what others have published.
"""

from dataclasses import dataclass

from app.base_models import catalogue
from app.machine.devices import GIGA, Device
from app.trainings.look.needs import Way, memory_of
from app.trainings.look.planner import plan_for
from app.trainings.look.recipe import Quantization, TargetModules, TrainingRecipe
from app.trainings.plans import Plan

CARDS = (8, 12, 16, 24, 80)
BASES = ("stable-diffusion-xl", "flux-1-dev", "flux-2-klein-base-4b")


@dataclass(frozen=True)
class Published:
    """A run that somebody has written about; all with checkpointing, one picture at a time, AdamW."""

    where: str
    base: str
    side: int
    rank: int
    target_modules: TargetModules
    quantization: Quantization
    gigabytes: float


PUBLISHED = (
    # 512 x 768 is the area of a square of 627.
    Published("Hugging Face, FLUX.1-dev on consumer hardware, 2025", "flux-1-dev", 624, 4, "attention", "none", 26),
    Published("Hugging Face, FLUX.1-dev on consumer hardware, 2025", "flux-1-dev", 624, 4, "attention", "nf4", 9),
    Published("SimpleTuner, FLUX quickstart", "flux-1-dev", 1024, 16, "all_layers", "none", 30),
    Published("SimpleTuner, FLUX quickstart", "flux-1-dev", 1024, 16, "all_layers", "int8", 18),
    Published("SimpleTuner, FLUX quickstart", "flux-1-dev", 1024, 16, "all_layers", "nf4", 9),
    Published(
        "sd-scripts with SDXL in its low mode, user's report", "stable-diffusion-xl", 1024, 16, "attention", "none", 7.6
    ),
)


def recipe(base: str, side: int, rank: int, target_modules: TargetModules, **changes: object) -> TrainingRecipe:
    return TrainingRecipe.model_validate(
        {
            "base_model": base,
            "purpose": "style",
            "trigger_word": "brandx",
            "rank": rank,
            "alpha": rank,
            "target_modules": target_modules,
            "learning_rate": 1e-4,
            "steps": 1000,
            "resolution": side,
        }
        | changes
    )


def predicted(run: Published) -> float:
    """Gigabytes for a published run."""
    memory = memory_of(
        recipe(run.base, run.side, run.rank, run.target_modules),
        catalogue.get(run.base),
        Way("bfloat16", run.quantization, gradient_checkpointing=True, micro_batch_size=1),
    )
    return memory / GIGA


def plan_on(card: int, key: str, batch_size: int = 4) -> Plan:
    """The plan for a card of so many gigabytes, 1024 pixels, rank 16."""
    base = catalogue.get(key)
    made = plan_for(
        recipe(key, base.resolution, 16, "attention", batch_size=batch_size),
        base,
        Device(f"{card} GB", "cuda", card * GIGA),
    )
    assert made is not None, key
    return made


def main() -> None:
    for key in BASES:
        print(f"\n{catalogue.get(key).name}: 1024 pixels, rank 16 on the attention layers, 4 pictures to a step")
        for card in CARDS:
            plan = plan_on(card, key)
            held = plan.precision if plan.quantization == "none" else plan.quantization
            again = "computed again" if plan.gradient_checkpointing else "kept"
            again += ", blocks waiting in the machine's memory" if plan.block_offload else ""
            fits = "" if plan.fits else "  DOES NOT FIT"
            print(
                f"  {card:3} GB: base in {held}, activations {again}, {plan.micro_batch_size} at a time, "
                f"{plan.memory_low / GIGA:.1f}-{plan.memory_high / GIGA:.1f} GB{fits}\n"
                f"          {plan.reason % plan.facts}"
            )
    print("\npublished runs                                             published  predicted")
    for run in PUBLISHED:
        ours = predicted(run)
        what = f"{run.base}, {run.quantization}, rank {run.rank}, {run.side} px"
        print(f"  {what:56} {run.gigabytes:6.1f} GB  {ours:6.1f} GB  {ours / run.gigabytes - 1:+.0%}  {run.where}")


if __name__ == "__main__":
    main()
