"""What is to be said of a whole set of pictures, and what to do about it: on the page of the pictures and before a
training alike. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.errors import N_
from app.images.queries import JudgedSet

Key = Literal["blurry", "small", "twins", "no_captions", "some_without_caption"]

BLURRY = N_("Blurry: %(count)s of %(all)s pictures. The model learns the blur too.")
SMALL = N_(
    "Smaller than %(side)s pixels: %(count)s of %(all)s pictures. Training enlarges them, and the model learns "
    "the softness."
)
TWINS = N_("Almost identical to another: %(count)s of %(all)s pictures. They count double; keep the best of each pair.")
NO_CAPTIONS = N_("None of the pictures has a caption. Captions separate the look from what is merely in the picture.")
SOME_WITHOUT_CAPTION = N_("Without a caption: %(count)s of %(all)s pictures.")
LEAVE_OUT = N_("Exclude %(count)s")
SHOW = N_("Show them")
WRITE_CAPTIONS = N_("Write captions")


@dataclass(frozen=True)
class Act:
    """What can be done about a finding with one click."""

    msgid: str
    path: str
    """Below the brand's own address."""
    params: tuple[tuple[str, int], ...] = ()
    field: tuple[str, str] | None = None
    """Name and value of what is sent there; without one the act is a link."""

    @property
    def pair(self) -> tuple[str, dict[str, int]]:
        return self.msgid, dict(self.params)


@dataclass(frozen=True)
class Finding:
    """Something about the pictures that training will see. ``is_most``: it is said of more than half of them, or has
    the largest part where blurry, small and twin pictures together are more than half."""

    key: Key
    msgid: str
    count: int
    all: int
    side: int
    """Pixels below which the shorter side of a picture counts as small here."""
    acts: tuple[Act, ...]
    is_most: bool = False

    @property
    def params(self) -> dict[str, int]:
        return {"count": self.count, "all": self.all, "side": self.side}

    @property
    def pair(self) -> tuple[str, dict[str, int]]:
        return self.msgid, self.params


def findings(judged: JudgedSet) -> list[Finding]:
    """The gravest first; nothing is said of pictures that are left out."""
    count, side = judged.included, judged.small_side
    if not count:
        return []
    weak: list[tuple[Key, Literal["blurry", "small", "twin"], str]] = [
        ("blurry", "blurry", BLURRY),
        ("small", "small", SMALL),
        ("twins", "twin", TWINS),
    ]
    counted = sorted(((judged.count(kind), key, kind, msgid) for key, kind, msgid in weak), reverse=True)
    is_bad = sum(some for some, *_ in counted) * 2 > count
    found = [
        Finding(key, msgid, some, count, side, _leave_out(kind, some, side), is_most=is_bad and place == 0)
        for place, (some, key, kind, msgid) in enumerate(counted)
        if some
    ]
    return [*found, *_without_caption(judged, count, side)]


def _leave_out(kind: str, some: int, side: int) -> tuple[Act, ...]:
    # Which pictures are small depends on the size of the training; who is left out is who was counted.
    return (
        Act(LEAVE_OUT, f"/images/leave-out?small_side={side}", (("count", some),), ("everything", kind)),
        Act(SHOW, f"/images?show={kind}"),
    )


def _without_caption(judged: JudgedSet, count: int, side: int) -> Sequence[Finding]:
    bare = sum(picture.included and not picture.has_caption for picture in judged.pictures)
    write = (Act(WRITE_CAPTIONS, "/images?show=no-caption"),)
    if bare == count:
        return [Finding("no_captions", NO_CAPTIONS, bare, count, side, write)]
    return [Finding("some_without_caption", SOME_WITHOUT_CAPTION, bare, count, side, write)] if bare else []
