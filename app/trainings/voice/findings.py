"""What nobody has decided about a brand's texts yet, said again where a training is about to read them."""

from app.errors import N_
from app.trainings.advice import Warning
from app.voice.queries import JudgedSet

PERSONAL = N_(
    "Texts with what looks like personal data that nobody has decided about: %(count)s. They are learned with it "
    "masked."
)
REPEATS = N_(
    "Texts that repeat others, exactly or nearly: %(count)s. They are learned by heart rather than as a style; leave "
    "them out, unless you want that."
)
LINES = N_(
    "Lines and sentences that come back in many texts: %(count)s. They are learned word for word, unless you cut them "
    "out."
)


def undecided(judged: JudgedSet) -> list[Warning]:
    """The most important first."""
    counted = (
        ("personal", PERSONAL, judged.count("personal")),
        ("repeats", REPEATS, judged.count("duplicate") + judged.count("near")),
        ("lines", LINES, len(judged.lines)),
    )
    return [Warning(key, "caution", sentence, {"count": count}) for key, sentence, count in counted if count]
