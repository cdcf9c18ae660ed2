"""Both kinds of training, by what they learn from."""

from pydantic import BaseModel

from app.trainings.fields import Fact
from app.trainings.kind import AnyKind
from app.trainings.look import fields as look_fields
from app.trainings.look.kind import LOOK
from app.trainings.models import Training
from app.trainings.voice import fields as voice_fields
from app.trainings.voice.kind import VOICE

KINDS: dict[str, AnyKind] = {kind.modality: kind for kind in (LOOK, VOICE)}
TABLES = {table.recipe: table for table in (look_fields.TABLE, voice_fields.TABLE)}


def kind_of(training: Training) -> AnyKind:
    return KINDS[training.modality]


def facts(recipe: BaseModel) -> list[Fact]:
    """What a recipe's numbers are, for people; what nobody touched is left out."""
    return TABLES[type(recipe)].facts(recipe)
