"""What should be said before a training starts. Pure: looks at the pictures' facts and the recipe."""

from collections.abc import Sequence
from typing import Literal, Protocol

from app.errors import N_
from app.images.look_alikes import find_look_alikes
from app.trainings.advice import NOT_READY, Warning
from app.trainings.look.recipe import TrainingRecipe

FEWEST = 5
FEW = 10
MANY = 50
SMALL_SHARE = 0.75
"""A picture whose shorter side is below this share of the training size is visibly enlarged."""


class PictureFacts(Protocol):
    width: int
    height: int
    caption: str
    dhash: str


TOO_FEW = N_(
    "Too few pictures to learn from: %(count)s. At least %(needed)s are needed; 10 to 30 varied ones are best."
)
FEW_PICTURES = N_(
    "%(count)s pictures are few. It will work, but details of single pictures may come back. 10 to 30 are better."
)
MANY_PICTURES = N_("%(count)s pictures are plenty. Beyond about 50 the result hardly gets better, only slower.")
NO_CAPTIONS = N_(
    "None of the pictures has a caption. With captions it learns what is the look and what is only the subject."
)
SOME_WITHOUT_CAPTION = N_("Without a caption: %(count)s of %(all)s pictures.")
UNKNOWN_WORDS = N_(
    "%(count)s of %(all)s captions use words that the built-in model does not know, such as “%(word)s”. It learns from "
    "them all the same, but what is the subject and what the look stays less clear."
)
TWINS = N_(
    "Nearly the same as another one: %(count)s of %(all)s pictures. They count double; keep the best of each pair."
)
SMALL = N_(
    "Smaller than the training size of %(side)s pixels: %(count)s of %(all)s pictures. Their softness is learned too."
)
DISTILLED = N_(
    "This base model was made to draw in four steps, and learning wears that off a little with every step. It works "
    "for short trainings; FLUX.2 [klein] is made for learning and is just as free."
)
GATED = N_(
    "Before the worker can fetch this base model, its licence must be accepted on the model's page, and a token of the "
    "same account given on the page Base models."
)


def warnings_for(
    pictures: Sequence[PictureFacts],
    recipe: TrainingRecipe,
    *,
    ready: bool,
    gated: bool = False,
    distilled: bool = False,
    unknown_words: Sequence[str] = (),
) -> list[Warning]:
    """The most important first; ``ready``, ``gated`` and ``distilled`` are the base model's, ``unknown_words`` one of
    each caption in which there are any. One of kind ``bad`` means that the training is refused."""
    found: list[Warning] = []
    count = len(pictures)
    if count < FEWEST:
        found.append(Warning("too_few", "bad", TOO_FEW, {"count": count, "needed": FEWEST}))
    elif count < FEW:
        found.append(Warning("few_pictures", "caution", FEW_PICTURES, {"count": count}))
    elif count > MANY:
        found.append(Warning("many_pictures", "info", MANY_PICTURES, {"count": count}))
    bare = sum(not picture.caption.strip() for picture in pictures)
    if count and bare == count:
        found.append(Warning("no_captions", "caution", NO_CAPTIONS, {}))
    elif bare:
        found.append(Warning("some_without_caption", "info", SOME_WITHOUT_CAPTION, {"count": bare, "all": count}))
    if unknown_words:
        some = len(unknown_words)
        found.append(
            Warning("unknown_words", "info", UNKNOWN_WORDS, {"count": some, "all": count, "word": unknown_words[0]})
        )
    twins = {pair.second for pair in find_look_alikes([picture.dhash for picture in pictures])} if count > 1 else set()
    if twins:
        kind: Literal["caution", "info"] = "caution" if len(twins) * 4 >= count else "info"
        found.append(Warning("twins", kind, TWINS, {"count": len(twins), "all": count}))
    small = sum(min(picture.width, picture.height) < recipe.resolution * SMALL_SHARE for picture in pictures)
    if small:
        found.append(Warning("small", "caution", SMALL, {"count": small, "all": count, "side": recipe.resolution}))
    if distilled:
        found.append(Warning("distilled", "caution", DISTILLED, {}))
    if not ready:
        found.append(Warning("gated", "caution", GATED, {}) if gated else Warning("not_ready", "info", NOT_READY, {}))
    return found
