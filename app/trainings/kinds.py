"""Both kinds of training, by what they learn from."""

from app.trainings.kind import AnyKind
from app.trainings.look.kind import LOOK
from app.trainings.models import Training
from app.trainings.voice.kind import VOICE

KINDS: dict[str, AnyKind] = {kind.modality: kind for kind in (LOOK, VOICE)}


def kind_of(training: Training) -> AnyKind:
    return KINDS[training.modality]
