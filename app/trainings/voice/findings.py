"""What nobody has decided about a brand's texts yet, said again where a training is about to read them."""

from app.errors import N_
from app.images.judging.findings import Act
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


MASK, LEAVE_OUT_REPEATS, LEAVE_OUT_NEAR = (
    N_("Mask all"),
    N_("Leave out exact repeats (%(count)s)"),
    N_("Leave out near repeats (%(count)s)"),
)
SHOW, GO_THROUGH = N_("Show them"), N_("Go through them")


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
