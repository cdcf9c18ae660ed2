"""``python -m tests.benchmarks.voice_plans``: how a voice would be trained over each language model of the catalogue on
cards of 8 to 80 GB, and why. Predictions alone; judges nothing.
"""

from app.base_models import catalogue
from app.machine.devices import GIGA, Device
from app.trainings.voice.freeze import freeze
from app.trainings.voice.planner import longest, plan_for
from app.trainings.voice.presets import voice_recipe_for
from tests.voices import NORDLICHT, samples

CARDS = (8, 12, 16, 24, 48, 80)
HELD = {"none": "as it is", "int8": "8 bits", "nf4": "4 bits"}


def main() -> None:
    given = samples(NORDLICHT, "en")
    for base in catalogue.text_models():
        print(f"\n{base.name}")
        for size in CARDS:
            recipe = voice_recipe_for(base, len(given))
            voice = freeze(given, recipe)
            recipe = voice_recipe_for(base, len(given), longest=longest(voice))
            plan = plan_for(recipe, base, voice, Device(f"{size} GB", "cuda", size * GIGA))
            way = f"{HELD[plan.quantization]}{', computed twice' if plan.gradient_checkpointing else ''}"
            print(f"  {size:>3} GB  {way:<26} {plan.memory_bytes / GIGA:>5.1f} GB  {plan.reason % plan.facts}")


if __name__ == "__main__":
    main()
