"""What should be said before a training starts. Pure: looks at what is found in the pictures and at the base model."""

from collections.abc import Sequence
from typing import Literal

from app.errors import N_
from app.images.judging.findings import Act, Finding
from app.trainings.advice import ADD_PICTURES, NOT_READY, Warning

FEWEST = 5
FEW = 10
MANY = 50
SMALL_SHARE = 0.75
"""A picture whose shorter side is below this share of the training size is visibly enlarged."""


TOO_FEW = N_(
    "Too few pictures to learn from: %(count)s. At least %(needed)s are needed; 10 to 30 varied ones are best."
)
FEW_PICTURES = N_(
    "%(count)s pictures are few. Training will work, but details of individual pictures may reappear. 10 to 30 "
    "are better."
)
MANY_PICTURES = N_(
    "%(count)s pictures are plenty. More than about 50 hardly improve the result and slow training down."
)
UNKNOWN_WORDS = N_(
    "%(count)s of %(all)s captions use words that the built-in model does not know, such as “%(word)s”. The "
    "model still learns from these captions, but separates subject and look less clearly."
)
DISTILLED = N_(
    "This base model was made to draw in four steps, and training wears that ability down a little with every "
    "step. It works for short trainings; FLUX.2 [klein] is made for training and is just as free."
)
GATED = N_(
    "The worker can download this base model only after its licence is accepted on the model's page and a "
    "token from the same account is entered on the Base models page."
)


INFO = ("some_without_caption",)
"""Findings that are no reason to change anything."""


def warnings_for(
    count: int,
    findings: Sequence[Finding],
    *,
    ready: bool,
    gated: bool = False,
    distilled: bool = False,
    unknown_words: Sequence[str] = (),
) -> list[Warning]:
    """The most important first, of ``count`` pictures and what is found in them; ``ready``, ``gated`` and ``distilled``
    are the base model's, ``unknown_words`` one of each caption in which there are any. One of kind ``bad`` means that
    the training is refused."""
    found: list[Warning] = []
    add = (Act(ADD_PICTURES, "/images"),)
    if count < FEWEST:
        found.append(Warning("too_few", "bad", TOO_FEW, {"count": count, "needed": FEWEST}, add))
    elif count < FEW:
        found.append(Warning("few_pictures", "caution", FEW_PICTURES, {"count": count}, add))
    elif count > MANY:
        found.append(Warning("many_pictures", "info", MANY_PICTURES, {"count": count}))
    found += [_of(one) for one in findings]
    if unknown_words:
        some: dict[str, str | int] = {"count": len(unknown_words), "all": count, "word": unknown_words[0]}
        found.append(Warning("unknown_words", "info", UNKNOWN_WORDS, some))
    if distilled:
        found.append(Warning("distilled", "caution", DISTILLED, {}))
    if not ready:
        found.append(Warning("gated", "caution", GATED, {}) if gated else Warning("not_ready", "info", NOT_READY, {}))
    return found


def _of(finding: Finding) -> Warning:
    kind: Literal["grave", "caution", "info"] = "grave" if finding.is_most else "caution"
    if finding.key in INFO or (finding.key == "twins" and finding.count * 4 < finding.all):
        kind = "info"
    return Warning(finding.key, kind, finding.msgid, finding.params, finding.acts)
