"""Planted faults against the diagnosis of a set: ``python -m tests.benchmarks.diagnosis [sets]``.

Twenty sets of 30 pictures with 6 near-twins, 3 blurred, 2 watermarked and 1 of another style. A fault counts as found
where the picture, or of two twins either one, is named for that very fault. Any other naming is a false alarm.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.images.captions import uniform_border
from app.images.diagnosis.scoring import FAULTS, Diagnosis, Facts, captions_to_write, diagnose
from tests.app.images.make_pictures import encoded
from tests.faulty_sets import Planted, proving_set
from worker.engines.image.measuring.picture_measures import measure

FIRST = 100
"""Seed of the first set; those before were seen while the measures were made."""
SETS, PLANTED, LEAST_FOUND, MOST_FALSE = 20, 12, 0.95, 1
CALLED = {"twin": "twins", "blurry": "sharpness", "lettering": "lettering", "odd": "unity"}


@dataclass(frozen=True)
class Outcome:
    found: int
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]
    scores: tuple[int, ...]
    """At first and after each act."""


def facts_of(planted: Sequence[Planted]) -> list[Facts]:
    """As a worker measures them; names are those of a camera, so half of the captions have to be written by people."""
    found = []
    for place, one in enumerate(planted):
        border = uniform_border(encoded(one.picture, "PNG"))
        measures = measure(one.picture, border=border, is_original_size=True)
        found.append(Facts(str(place), f"thing {place}.png", "", min(one.picture.size), measures))
    return found


def outcome(planted: Sequence[Planted], facts: list[Facts]) -> Outcome:
    known = diagnose(facts, trigger_word="zanti")
    named = {(part.part, int(one)) for part in known.parts if part.part in FAULTS for one in part.ids}
    missed, explained = [], set()
    for place, one in enumerate(planted):
        if one.fault:
            right = {(CALLED[one.fault], place), (CALLED[one.fault], place if one.twin_of is None else one.twin_of)}
            explained |= right
            if not right & named:
                missed.append(f"{one.fault} {place}")
    false = tuple(f"{part} {place}" for part, place in sorted(named - explained))
    return Outcome(PLANTED - len(missed), tuple(missed), false, tuple(follow(known, facts)))


def follow(known: Diagnosis, facts: list[Facts]) -> list[int]:
    """The score at first and after each act that needs no new pictures; every act is also done alone."""
    scores, now = [known.score], facts
    for act in known.acts:
        alone = done(act.part, act.ids, facts)
        if act.kind != "add":
            assert diagnose(alone, trigger_word="zanti").score >= known.score, f"{act} alone lowers the score"
            now = done(act.part, act.ids, now)
            scores.append(diagnose(now, trigger_word="zanti").score)
    return scores


def done(part: str, ids: Sequence[str], facts: list[Facts]) -> list[Facts]:
    if part == "captions":
        texts = captions_to_write(facts)
        return [replace(one, caption=texts.get(one.id, one.caption)) for one in facts]
    return [one for one in facts if one.id not in ids]


def holds(outcomes: Sequence[Outcome]) -> bool:
    found = sum(one.found for one in outcomes) / (PLANTED * len(outcomes))
    calm = all(len(one.false_alarms) <= MOST_FALSE for one in outcomes)
    rising = all(list(one.scores) == sorted(one.scores) for one in outcomes)
    return found >= LEAST_FOUND and calm and rising


def main() -> None:
    outcomes, sets = [], int(sys.argv[1]) if len(sys.argv) > 1 else SETS
    for seed in range(FIRST, FIRST + sets):
        planted = proving_set(seed)
        outcomes.append(outcome(planted, facts_of(planted)))
        one = outcomes[-1]
        sys.stdout.write(f"set {seed}: {one.found}/{PLANTED} found, missed {one.missed}, ")
        sys.stdout.write(f"false alarms {one.false_alarms}, scores {one.scores}\n")
        sys.stdout.flush()
    found = sum(one.found for one in outcomes)
    sys.stdout.write(f"{found} of {PLANTED * len(outcomes)} found; holds: {holds(outcomes)}\n")


if __name__ == "__main__":
    main()
