"""Which samples belong together, so that none is measured on whose twin, or other half, was learned. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.voice.analysis import likeness
from app.voice.analysis.likeness import Compared
from app.voice.analysis.pairs import VoiceSample


def families(samples: Sequence[VoiceSample], *, largest: int) -> list[list[str]]:
    """The samples' ids in groups, each in their order.

    Together are texts that repeat one another, exactly or nearly, apart from lines that many share; and the parts of
    one text or one document, if these are at most ``largest``. Of a longer one each part counts for itself: otherwise a
    book could only be learned whole.
    """
    heads = {one.sample_id: one.sample_id for one in samples}

    def head(sample_id: str) -> str:
        while heads[sample_id] != sample_id:
            heads[sample_id] = heads[heads[sample_id]]
            sample_id = heads[sample_id]
        return sample_id

    for one, other in [*_parts(samples, largest), *likeness.alike(_compared(samples))]:
        heads[head(other)] = head(one)
    groups: dict[str, list[str]] = {}
    for sample in samples:
        groups.setdefault(head(sample.sample_id), []).append(sample.sample_id)
    return list(groups.values())


def _parts(samples: Sequence[VoiceSample], largest: int) -> Iterator[tuple[str, str]]:
    """Pairs of neighbours within one text, and within one document."""
    for names in ([one.passage for one in samples], [one.document for one in samples]):
        counts = Counter(names)
        by_name: dict[str, list[str]] = {}
        for name, sample in zip(names, samples, strict=True):
            if name and counts[name] <= largest:
                by_name.setdefault(name, []).append(sample.sample_id)
        for ids in by_name.values():
            yield from pairwise(ids)


def _compared(samples: Sequence[VoiceSample]) -> list[Compared]:
    """Drops lines that many texts share: a footer under every mail would make one text of them all."""
    shared = frozenset(line.line_hash for line in likeness.shared_lines([one.text for one in samples]))
    found = []
    for one in samples:
        text = likeness.without(one.text, likeness.places_of(one.text, shared)) or one.text
        signature = one.signature if text == one.text and one.signature else likeness.signature(text)
        found.append(Compared(one.sample_id, text, likeness.text_hash(text), signature))
    return found
