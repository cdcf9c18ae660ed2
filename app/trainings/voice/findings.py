"""What nobody has decided about a brand's texts yet, said again where a training is about to read them."""

from app.errors import N_
from app.images.judging.findings import Act
from app.trainings.advice import Warning
from app.voice.queries import JudgedSet

PERSONAL = N_(
    "Texts with possible personal data and no decision yet: %(count)s. The voice learns them with this data masked."
)
REPEATS = N_(
    "Texts that repeat others, exactly or nearly: %(count)s. The voice memorises them rather than learning a "
    "style; exclude them, unless the repeats are intended."
)
LINES = N_(
    "Lines and sentences repeated in many texts: %(count)s. The voice learns them word for word, unless you "
    "cut them out."
)


MASK, LEAVE_OUT_REPEATS, LEAVE_OUT_NEAR = (
    N_("Mask all"),
    N_("Exclude exact repeats (%(count)s)"),
    N_("Exclude near repeats (%(count)s)"),
)
SHOW, GO_THROUGH = N_("Show them"), N_("Review lines")


def undecided(judged: JudgedSet) -> list[Warning]:
    """The most important first."""
    same, near = judged.count("duplicate"), judged.count("near")
    personal = (
        Act(MASK, "/voice/texts/personal", field=("everything", "personal")),
        Act(SHOW, "/voice?show=personal"),
    )
    leave_out = "/voice/texts/leave-out"
    repeats = (
        *((Act(LEAVE_OUT_REPEATS, leave_out, (("count", same),), ("everything", "duplicate")),) if same else ()),
        *((Act(LEAVE_OUT_NEAR, leave_out, (("count", near),), ("everything", "near")),) if near else ()),
        Act(SHOW, f"/voice?show={'duplicate' if same else 'near'}"),
    )
    counted = (
        ("personal", PERSONAL, judged.count("personal"), personal),
        ("repeats", REPEATS, same + near, repeats),
        ("lines", LINES, len(judged.lines), (Act(GO_THROUGH, "/voice"),)),
    )
    return [
        Warning(key, "caution", sentence, {"count": count}, acts) for key, sentence, count, acts in counted if count
    ]
