"""The diagnosis of a training set: what is wrong with which pictures, a score, and what would raise it most. Pure.

Each part is 0 to 100 and has a weight; the score is their weighted mean. A fault's share is taken of the sound pictures
and those with this fault alone, so that leaving out other pictures changes nothing about it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.images.captions import propose_caption
from app.images.diagnosis import captions, likeness
from app.images.diagnosis.measures import PictureMeasures

Part = Literal[
    "amount", "twins", "sharpness", "size", "compression", "lettering", "unity", "variety", "background", "captions"
]
Fault = Literal["twins", "sharpness", "size", "compression", "lettering", "unity"]
FAULTS: tuple[Fault, ...] = ("twins", "sharpness", "lettering", "unity", "compression", "size")
WEIGHTS: dict[Part, int] = {
    "amount": 20,
    "twins": 12,
    "sharpness": 12,
    "lettering": 12,
    "unity": 10,
    "captions": 16,
    "variety": 6,
    "background": 4,
    "compression": 4,
    "size": 4,
}
ENOUGH, ENOUGH_TO_COMPARE = 10, 8
MOST = 300
"""Pictures that are compared; of larger sets the newest."""
FULL_SHARE = 1 / 3
"""From this share of faulty pictures on a part is worth nothing."""
BLURRY, BLOCKY, SMALL_SIDE = 0.35, 0.2, 512
SAME_BACKGROUND, TOO_LIKE = 0.8, 0.85
VARIED_LIKENESS, VARIED_COLOURS = 0.5, 6.0
"""At most so much alike on average, and colours at least so many CIE76 apart, to be called varied."""
ACTS = 3


@dataclass(frozen=True)
class Facts:
    """A picture that training will see."""

    id: str
    filename: str
    caption: str
    short_side: int
    """Pixels of the original."""
    measures: PictureMeasures


@dataclass(frozen=True)
class PartScore:
    part: Part
    score: int
    ids: tuple[str, ...] = ()
    """The pictures that lower it."""
    told: tuple[str, ...] = ()
    """For captions the kinds of fault, for lettering what is written, for a background its colour."""


@dataclass(frozen=True)
class Act:
    """``part`` says what is done: captions are written for ``ids``, more is added for an amount, variety or background,
    and for any other part the pictures ``ids`` are left out."""

    part: Part
    ids: tuple[str, ...]
    gain: int
    """By how many points the score rises when this is done after the acts before it."""
    missing: int = 0
    """How many more pictures, where more are to be added."""

    @property
    def kind(self) -> Literal["captions", "add", "leave_out"]:
        if self.part == "captions":
            return "captions"
        return "add" if self.part in ("amount", "variety", "background") else "leave_out"


@dataclass(frozen=True)
class Diagnosis:
    score: int
    parts: tuple[PartScore, ...]
    acts: tuple[Act, ...]
    is_varied: bool
    """Only where it was measured: subjects and colours of enough pictures are far enough apart."""

    def part(self, key: Part) -> PartScore:
        return next(one for one in self.parts if one.part == key)


def diagnose(pictures: Sequence[Facts], *, trigger_word: str) -> Diagnosis:
    """Of pictures from the oldest to the newest, one at least. Raises ValueError for none."""
    if not pictures:
        raise ValueError("no pictures to diagnose")
    pictures = pictures[-MOST:]
    alike = _Alike(pictures)
    parts = _parts(pictures, alike, trigger_word)
    return Diagnosis(
        round(_total(parts)), parts, tuple(_acts(pictures, alike, parts, trigger_word)), alike.is_varied(parts)
    )


class _Alike:
    """What pictures have with one another, computed once for a set."""

    def __init__(self, pictures: Sequence[Facts]) -> None:
        rasters = likeness.rasters([one.measures for one in pictures])
        self.place = {one.id: at for at, one in enumerate(pictures)}
        self.between = likeness.likeness(rasters)
        self.colours = rasters.mean((1, 2))
        self.all = tuple(pictures)

    def twins(self, pictures: Sequence[Facts]) -> set[str]:
        """Those that repeat an older one, which is no twin itself."""
        kept: list[int] = []
        found = set()
        for one in pictures:
            at = self.place[one.id]
            if kept and float(self.between[at, kept].max()) >= likeness.TWIN_LIKENESS:
                found.add(one.id)
            else:
                kept.append(at)
        return found

    def repeated(self, ids: Sequence[str]) -> set[str]:
        """Those whose subject and place many others of these have too."""
        places = [self.place[one] for one in ids]
        near = (self.between[places][:, places] >= TOO_LIKE).sum(1) - 1
        return {one for one, count in zip(ids, near, strict=True) if count * 4 > len(ids)}

    def is_varied(self, parts: Sequence[PartScore]) -> bool:
        import numpy as np  # here: few requests compute with arrays

        faulty = {image_id for part in parts if part.part == "twins" for image_id in part.ids}
        places = [at for image_id, at in self.place.items() if image_id not in faulty]
        if len(places) < ENOUGH_TO_COMPARE:
            return False
        pairs = np.triu_indices(len(places), 1)
        mean_likeness = float(self.between[places][:, places][pairs].mean())
        colours = self.colours[places]
        apart = float(np.linalg.norm(colours[:, None] - colours[None], axis=2)[pairs].mean())
        return mean_likeness <= VARIED_LIKENESS and apart >= VARIED_COLOURS


def _parts(pictures: Sequence[Facts], alike: _Alike, trigger_word: str) -> tuple[PartScore, ...]:
    faulty = _faulty(pictures, alike)
    sound = [one for one in pictures if not any(one.id in ids for ids in faulty.values())]
    found = [PartScore("amount", round(100 * min(1.0, len(sound) / ENOUGH)))]
    for fault, ids in faulty.items():
        share = len(ids) / max(1, len(sound) + len(ids))
        told: tuple[str, ...] = ()
        if fault == "lettering":
            told = tuple(text for one in pictures for text in one.measures.lettering)[:5]
        in_order = tuple(one.id for one in pictures if one.id in ids)
        found.append(PartScore(fault, round(100 * (1 - min(1.0, share / FULL_SHARE))), in_order, told))
    found += [_variety(sound, alike), _background(sound), _captions(pictures, trigger_word)]
    return tuple(sorted(found, key=lambda one: -WEIGHTS[one.part]))


def _faulty(pictures: Sequence[Facts], alike: _Alike) -> dict[Fault, set[str]]:
    blurry = {one.id for one in pictures if one.measures.sharpest < BLURRY}
    # A blurred picture would be odd for its edges alone, and would spoil what is usual.
    clear = [one for one in pictures if one.id not in blurry]
    odd = {
        one.id
        for one, distance in zip(clear, likeness.oddness([one.measures for one in clear]), strict=True)
        if distance >= likeness.ODD_DISTANCE
    }
    if len(odd) * 5 > len(clear):
        odd = set()  # so many are no odd ones out: the set has no one style
    return {
        "twins": alike.twins(pictures),
        "sharpness": blurry,
        "lettering": {one.id for one in pictures if one.measures.lettering},
        "unity": odd,
        "compression": {one.id for one in pictures if (one.measures.blocking or 0) >= BLOCKY},
        "size": {one.id for one in pictures if one.short_side < SMALL_SIDE},
    }


def _variety(sound: Sequence[Facts], alike: _Alike) -> PartScore:
    if len(sound) < ENOUGH_TO_COMPARE:
        return PartScore("variety", 100)
    repeated = alike.repeated([one.id for one in sound])
    return PartScore(
        "variety", round(100 * (1 - len(repeated) / len(sound))), tuple(o.id for o in sound if o.id in repeated)
    )


def _background(sound: Sequence[Facts]) -> PartScore:
    """The same colour all round in most pictures is learned as a part of the style."""
    if len(sound) < ENOUGH_TO_COMPARE:
        return PartScore("background", 100)
    counted = Counter(_coarse(one.measures.border) for one in sound if one.measures.border)
    if not counted:
        return PartScore("background", 100)
    colour, most = counted.most_common(1)[0]
    share = most / len(sound)
    ids = tuple(one.id for one in sound if one.measures.border and _coarse(one.measures.border) == colour)
    if share <= SAME_BACKGROUND:
        return PartScore("background", 100)
    return PartScore("background", round(100 * (1 - share) / (1 - SAME_BACKGROUND)), ids)


def _coarse(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) // 24 for at in (1, 3, 5))


def _captions(pictures: Sequence[Facts], trigger_word: str) -> PartScore:
    found = captions.faults([one.caption for one in pictures], trigger_word)
    ids = tuple(one.id for one, fault in zip(pictures, found, strict=True) if fault)
    kinds = Counter(fault for fault in found if fault)
    return PartScore(
        "captions", round(100 * (1 - len(ids) / len(pictures))), ids, tuple(kind for kind, _ in kinds.most_common())
    )


def _total(parts: Sequence[PartScore]) -> float:
    return sum(WEIGHTS[one.part] * one.score for one in parts) / sum(WEIGHTS.values())


def captions_to_write(pictures: Sequence[Facts]) -> dict[str, str]:
    """Proposals by id for pictures without a caption, where the file's name or the background gives any."""
    return {
        one.id: text
        for one in pictures
        if not one.caption.strip() and (text := propose_caption(one.filename, one.measures.border))
    }


def _acts(pictures: Sequence[Facts], alike: _Alike, parts: tuple[PartScore, ...], trigger_word: str) -> Sequence[Act]:
    """The act that raises the score most, then the one that raises it most after that, and so on: each is tried on the
    set as it would be, so that following them never lowers the score."""
    now, found = list(pictures), list[Act]()
    parts_now, added = parts, set[Part]()
    while len(found) < ACTS:
        tried = []
        for part in parts_now:
            if part.score >= 100 or part.part in added:
                continue
            after, act = _try(now, part)
            if not after:
                continue
            then = _parts(after, alike, trigger_word)
            then = tuple(replace(one, score=100) if one.part in added | _added(act) else one for one in then)
            tried.append((_total(then) - _total(parts_now), act, after, then))
        best = max(tried, key=lambda one: one[0], default=None)
        if best is None or round(best[0]) < 1:
            break
        gain, act, now, parts_now = best
        added = added | _added(act)
        found.append(replace(act, gain=round(gain)))
    return found


def _added(act: Act) -> set[Part]:
    return {act.part} if act.kind == "add" else set()


def _try(pictures: list[Facts], part: PartScore) -> tuple[list[Facts], Act]:
    """The set as it would be, empty where nothing can be done with one click."""
    act = Act(part.part, part.ids, 0)
    if act.kind == "add":
        missing = max(1, ENOUGH - round(part.score * ENOUGH / 100)) if part.part == "amount" else 3
        return pictures, replace(act, missing=missing)
    if act.kind == "captions":
        texts = captions_to_write(pictures)
        if not texts:
            return [], act
        return [replace(one, caption=texts.get(one.id, one.caption)) for one in pictures], replace(
            act, ids=tuple(texts)
        )
    gone = set(part.ids)
    return [one for one in pictures if one.id not in gone], act
