"""What may be seen of a brand's written samples. Deleted ones that can still come back are never among them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Integer, Select, cast, func, select
from sqlalchemy.orm import Session

from app.db import now, own
from app.errors import NotFound
from app.voice.analysis import likeness, pairs, personal_data
from app.voice.analysis.likeness import Compared, SharedLine
from app.voice.analysis.pairs import VoiceSample
from app.voice.models import BoilerplateLine, TextSample, VoiceImport
from app.voice.reading.intake import DOCUMENTS

PAGE = 40
LEAST_SAMPLES = 20
"""A training is refused with fewer texts."""
ENOUGH_SAMPLES, MANY_SAMPLES = 100, 300
"""So many make a good voice; more help a little."""
MOST_SAMPLES = 5000
"""The most texts that a brand may have."""

EXCERPT = (40, 240)
"""Characters of a text that stands for the brand's voice on its front page."""

Filter = Literal["all", "included", "left-out", "personal", "duplicate", "near", "boilerplate", "short"]
FILTERS: tuple[Filter, ...] = ("all", "included", "left-out", "personal", "duplicate", "near", "boilerplate", "short")
SHORT_CHARACTERS = 25
"""Below this a text that is no headline teaches little."""


@dataclass(frozen=True)
class Judged:
    """One text of a set and what is to be said about it. ``same_as`` and ``near_to`` are the ids of older texts."""

    id: str
    created_at: datetime
    position: int
    included: bool
    channel: str
    language: str
    searched: str
    """What a search looks through, in small letters."""
    has_personal_data: bool
    is_undecided: bool
    """It has personal data, and nobody has said what is to be done with it."""
    same_as: str | None
    near_to: str | None
    has_boilerplate: bool
    is_short: bool

    def answers(self, wanted: Filter) -> bool:
        """Whether the text belongs under this filter."""
        match wanted:
            case "all":
                return True
            case "included":
                return self.included
            case "left-out":
                return not self.included
            case "personal":
                return self.included and self.is_undecided
            case "duplicate":
                return self.same_as is not None
            case "near":
                return self.near_to is not None
            case "boilerplate":
                return self.included and self.has_boilerplate
            case "short":
                return self.included and self.is_short

    @property
    def place(self) -> tuple[float, str]:
        """Its place in the order of the page: the newest import first, within it the order of the file."""
        return -self.created_at.timestamp(), place_of(self.position, self.id)


def place_of(position: int, text_id: str) -> str:
    """Position and id as one word that sorts as they do, for the cursor of a page."""
    return f"{position:08d}-{text_id}"


@dataclass(frozen=True)
class JudgedSet:
    """All texts of a brand in the order of the page, and the lines and sentences that many of them share."""

    texts: tuple[Judged, ...]
    lines: tuple[SharedLine, ...]
    """Those that nobody has decided about."""

    def of(self, text_id: str) -> Judged:
        """Raises ``NotFound``."""
        for text in self.texts:
            if text.id == text_id:
                return text
        raise NotFound()

    def count(self, wanted: Filter) -> int:
        return sum(text.answers(wanted) for text in self.texts)

    def found(self, wanted: Filter, *, channel: str = "", words: str = "") -> list[Judged]:
        """The texts under a filter, of a channel, with these words in them."""
        folded = words.casefold()
        return [
            text
            for text in self.texts
            if text.answers(wanted) and channel in ("", text.channel) and folded in text.searched
        ]

    @property
    def included(self) -> int:
        return self.count("included")

    def by_channel(self) -> dict[str, int]:
        """How many texts training reads of each channel."""
        return self._tally([text.channel for text in self.texts if text.included])

    def by_language(self) -> dict[str, int]:
        """How many texts training reads of each language, the most frequent first."""
        return self._tally([text.language for text in self.texts if text.included])

    @staticmethod
    def _tally(values: list[str]) -> dict[str, int]:
        return dict(Counter(values).most_common())


def page_of(
    found: Sequence[Judged], *, after: tuple[datetime, str] | None, limit: int = PAGE
) -> tuple[list[Judged], Judged | None]:
    """The texts that come after ``after``, and the last one of the page if more follow."""
    if after is not None:
        place = (-after[0].timestamp(), after[1])
        found = [text for text in found if text.place > place]
    return list(found[:limit]), (found[limit - 1] if len(found) > limit else None)


@dataclass(frozen=True)
class Counts:
    """How many samples a brand has, and how many of them training will read."""

    all: int = 0
    included: int = 0


def _of_project(workspace_id: str, project_id: str) -> Select[TextSample]:
    return (
        select(TextSample)
        .where(
            TextSample.project_id == project_id,
            TextSample.workspace_id == workspace_id,
            TextSample.deleted_at.is_(None),
        )
        .order_by(TextSample.created_at, TextSample.position, TextSample.id)
    )


def sample(session: Session, *, workspace_id: str, text_id: str) -> TextSample:
    """Raises ``NotFound`` for another workspace's sample too."""
    return own(session, TextSample, text_id, workspace_id, TextSample.deleted_at.is_(None))


def samples(session: Session, *, workspace_id: str, text_ids: Sequence[str]) -> list[TextSample]:
    """Those of the samples that exist in this workspace, in the order given."""
    found = session.scalars(
        select(TextSample).where(
            TextSample.id.in_(text_ids), TextSample.workspace_id == workspace_id, TextSample.deleted_at.is_(None)
        )
    )
    by_id = {row.id: row for row in found}
    return [by_id[text_id] for text_id in text_ids if text_id in by_id]


def all_samples(session: Session, *, workspace_id: str, project_id: str) -> list[TextSample]:
    """Whole rows, the oldest first."""
    return list(session.scalars(_of_project(workspace_id, project_id)))


def excerpt(session: Session, *, workspace_id: str, project_id: str) -> str | None:
    """A text of the brand that can be read at a glance, for its front page: the oldest of a sentence or two in which
    nothing looks like personal data."""
    short = _of_project(workspace_id, project_id).where(
        TextSample.included.is_(True), func.length(TextSample.text).between(*EXCERPT)
    )
    return next((row.text for row in session.scalars(short.limit(PAGE)) if not row.findings), None)


def cut_lines(session: Session, *, workspace_id: str, project_id: str) -> frozenset[str]:
    """Hashes of the boilerplate lines that training is not to read."""
    return frozenset(
        line.line_hash for line in decided_lines(session, workspace_id, project_id) if line.choice == "cut"
    )


def decided_lines(session: Session, workspace_id: str, project_id: str) -> list[BoilerplateLine]:
    return list(
        session.scalars(
            select(BoilerplateLine)
            .where(BoilerplateLine.project_id == project_id, BoilerplateLine.workspace_id == workspace_id)
            .order_by(BoilerplateLine.created_at, BoilerplateLine.id)
        )
    )


def training_text(row: TextSample, cut: frozenset[str]) -> str:
    """The text as training reads it: boilerplate cut out, and of what is left personal data masked unless somebody said
    to keep it."""
    findings = personal_data.from_json(row.findings) if row.personal_data != "keep" else []
    cuts = likeness.places_of(row.text, cut)
    if not cuts:
        return personal_data.mask(row.text, findings, row.language)
    parts, at = list[str](), 0
    for start, end in [*cuts, (len(row.text), len(row.text))]:
        parts.append(personal_data.mask(row.text[at:start], personal_data.within(findings, at, start), row.language))
        at = end
    return likeness.closed("".join(parts))


def about_findings(row: TextSample) -> dict[str, list[personal_data.Finding]]:
    """What looks like personal data in its title and its brief: these are short enough to be looked through whenever
    they are read."""
    return {"title": personal_data.find(row.title), "brief": personal_data.find(row.brief)}


def _has_personal_data(row: TextSample) -> bool:
    return bool(row.findings) or any(about_findings(row).values())


def _asks(row: TextSample, cut: frozenset[str]) -> bool:
    """Whether nobody has decided about personal data that training would read."""
    if row.personal_data:
        return False
    cuts = likeness.places_of(row.text, cut) if row.findings else []
    findings = personal_data.from_json(row.findings)
    left = any(not any(start <= one.start and one.end <= end for start, end in cuts) for one in findings)
    return left or any(about_findings(row).values())


def _about(row: TextSample) -> tuple[str, str]:
    """Title and brief as training reads them."""
    if row.personal_data == "keep":
        return row.title, row.brief
    found = about_findings(row)
    return (
        personal_data.mask(row.title, found["title"], row.language),
        personal_data.mask(row.brief, found["brief"], row.language),
    )


def as_read(
    rows: Sequence[TextSample], cut: frozenset[str], documents: frozenset[str] = frozenset()
) -> list[VoiceSample]:
    """These samples as training reads them, each with its brief; ones of which nothing is left are not among them.
    ``documents`` are the ids of imports that were one."""
    texts = {row.id: training_text(row, cut) for row in rows}
    about = {row.id: _about(row) for row in rows}
    vocabulary = pairs.Vocabulary.of((texts[row.id], row.language) for row in rows)
    return [
        VoiceSample(
            sample_id=row.id,
            text=texts[row.id],
            title=about[row.id][0],
            channel=row.channel,
            language=row.language,
            brief=about[row.id][1]
            or pairs.derive_brief(
                texts[row.id], title=about[row.id][0], channel=row.channel, language=row.language, vocabulary=vocabulary
            ),
            signature=row.signature if texts[row.id] == row.text else "",
            passage=f"{row.import_id}/{row.passage}" if row.passage is not None else "",
            document=row.import_id if row.import_id in documents else "",
        )
        for row in rows
        if texts[row.id]
    ]


def read_one(session: Session, *, workspace_id: str, row: TextSample) -> VoiceSample | None:
    """One sample as training would read it, also if it is left out; None if nothing of it would be left."""
    rows = list(session.scalars(_of_project(workspace_id, row.project_id).where(TextSample.included.is_(True))))
    if all(other.id != row.id for other in rows):
        rows.append(row)
    read = as_read(rows, cut_lines(session, workspace_id=workspace_id, project_id=row.project_id))
    return next((one for one in read if one.sample_id == row.id), None)


def training_set(session: Session, *, workspace_id: str, project_id: str) -> list[VoiceSample]:
    """The samples that a training will read, the oldest first, as it will read them."""
    rows = session.scalars(_of_project(workspace_id, project_id).where(TextSample.included.is_(True))).all()
    documents = session.scalars(
        select(VoiceImport.id).where(
            VoiceImport.project_id == project_id,
            VoiceImport.workspace_id == workspace_id,
            VoiceImport.format.in_(DOCUMENTS),
        )
    )
    cut = cut_lines(session, workspace_id=workspace_id, project_id=project_id)
    return as_read(rows, cut, frozenset(documents))


def counts(session: Session, project_ids: Sequence[str]) -> dict[str, Counts]:
    """Counts by brand; the ids must be of the visitor's own workspace. Brands without samples are there with zeros."""
    rows = session.execute(
        select(TextSample.project_id, func.count(), func.sum(cast(TextSample.included, Integer)))
        .where(TextSample.project_id.in_(project_ids), TextSample.deleted_at.is_(None))
        .group_by(TextSample.project_id)
    )
    found = {project_id: Counts(total, int(included or 0)) for project_id, total, included in rows}
    return {project_id: found.get(project_id, Counts()) for project_id in project_ids}


def main_language(session: Session, *, workspace_id: str, project_id: str) -> str | None:
    """The language of most texts that training reads; None for a brand without texts."""
    return session.scalar(
        select(TextSample.language)
        .where(
            TextSample.workspace_id == workspace_id,
            TextSample.project_id == project_id,
            TextSample.deleted_at.is_(None),
            TextSample.included.is_(True),
        )
        .group_by(TextSample.language)
        .order_by(func.count().desc(), TextSample.language)
        .limit(1)
    )


def judged_set(session: Session, *, workspace_id: str, project_id: str) -> JudgedSet:
    """Every text of the brand with what is to be said about it. Texts that are left out repeat nothing."""
    rows = all_samples(session, workspace_id=workspace_id, project_id=project_id)
    taking_part = [row for row in rows if row.included]
    same, near = likeness.repeats([Compared(row.id, row.text, row.text_hash, row.signature) for row in taking_part])
    choices = {line.line_hash: line.choice for line in decided_lines(session, workspace_id, project_id)}
    cut = frozenset(hashed for hashed, choice in choices.items() if choice == "cut")
    lines = [line for line in likeness.shared_lines([row.text for row in taking_part]) if line.line_hash not in choices]
    shared = frozenset(line.line_hash for line in lines)
    texts = [
        Judged(
            id=row.id,
            created_at=row.created_at,
            position=row.position,
            included=row.included,
            channel=row.channel,
            language=row.language,
            searched=f"{row.title}\n{row.text}\n{row.brief}".casefold(),
            has_personal_data=_has_personal_data(row),
            is_undecided=_asks(row, cut),
            same_as=same.get(row.id),
            near_to=near.get(row.id),
            has_boilerplate=bool(shared) and likeness.has_line(row.text, shared),
            is_short=row.channel != "headline" and len(row.text) < SHORT_CHARACTERS,
        )
        for row in rows
    ]
    return JudgedSet(tuple(sorted(texts, key=lambda text: text.place)), tuple(lines))


def known_hashes(session: Session, *, workspace_id: str, project_id: str) -> set[str]:
    """Hashes of every text that the brand has."""
    return set(
        session.scalars(
            select(TextSample.text_hash).where(
                TextSample.project_id == project_id,
                TextSample.workspace_id == workspace_id,
                TextSample.deleted_at.is_(None),
            )
        )
    )


def swept(session: Session, *, older_than: timedelta, limit: int = 500) -> list[str]:
    """Ids of texts that were deleted so long ago that nobody will want them back."""
    return list(
        session.scalars(
            select(TextSample.id).where(TextSample.deleted_at < now() - older_than).order_by(TextSample.id).limit(limit)
        )
    )
