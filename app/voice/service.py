"""What may happen to a brand's written samples. Files are read before, in ``intake`` and ``mapping``: that is slow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.orm import Session

from app.db import Database, changed, now
from app.projects import queries as projects
from app.storage import Storage
from app.voice import queries
from app.voice.analysis import likeness, personal_data
from app.voice.errors import EmptyText, TooManySamples
from app.voice.imports import queries as imports
from app.voice.models import BoilerplateLine, TextSample, VoiceImport
from app.voice.queries import MOST_SAMPLES
from app.voice.reading.decoding import cleaned, one_line
from app.voice.reading.documents import LONGEST_TITLE
from app.voice.reading.mapping import LONGEST_BRIEF, LONGEST_SAMPLE, Draft

PERSONAL_CHOICES = ("keep", "mask", "")


@dataclass(frozen=True)
class Prepared:
    """A draft with everything that is measured of it; the facts of a row."""

    draft: Draft
    text_hash: str
    signature: str
    findings: tuple[personal_data.Finding, ...]


def prepare(drafts: Iterable[Draft]) -> list[Prepared]:
    """Measures drafts. Slow for thousands, so done before a transaction begins."""
    return [
        Prepared(
            draft,
            likeness.text_hash(draft.text),
            likeness.signature(draft.text),
            tuple(personal_data.find(draft.text)),
        )
        for draft in drafts
    ]


@dataclass(frozen=True)
class Added:
    """What an import brought. ``known`` counts the texts that were here already."""

    ids: list[str]
    known: int


def add_samples(
    session: Session,
    prepared: Sequence[Prepared],
    *,
    workspace_id: str,
    project_id: str,
    created_by: str | None,
    import_id: str | None = None,
    skip_known: bool = True,
) -> Added:
    """Rows for texts, in their order. With ``skip_known`` what the brand has already is left out.

    Raises ``NotFound``, ``TooManySamples``.
    """
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    wanted, known = list(prepared), 0
    if skip_known:
        seen = queries.known_hashes(session, workspace_id=workspace_id, project_id=project_id)
        fresh = []
        for one in prepared:
            if one.text_hash not in seen:
                fresh.append(one)
            seen.add(one.text_hash)
        wanted, known = fresh, len(prepared) - len(fresh)
    room = MOST_SAMPLES - queries.counts(session, [project_id])[project_id].all
    if len(wanted) > room:
        raise TooManySamples(limit=MOST_SAMPLES, room=max(0, room))
    moment = now()
    rows = [
        TextSample(
            workspace_id=workspace_id,
            project_id=project_id,
            import_id=import_id,
            position=position,
            passage=one.draft.passage,
            text=one.draft.text,
            title=one.draft.title,
            channel=one.draft.channel,
            language=one.draft.language,
            brief=one.draft.brief,
            findings=personal_data.to_json(one.findings),
            text_hash=one.text_hash,
            signature=one.signature,
            created_by=created_by,
            created_at=moment,
        )
        for position, one in enumerate(wanted)
    ]
    session.add_all(rows)
    session.flush()
    return Added([row.id for row in rows], known)


@dataclass(frozen=True)
class Change:
    """What to change of a sample; None stays as it is."""

    text: str | None = None
    title: str | None = None
    channel: str | None = None
    language: str | None = None
    brief: str | None = None
    included: bool | None = None
    personal_data: str | None = None


def change(session: Session, *, workspace_id: str, text_id: str, wanted: Change) -> TextSample:
    """Edit one sample. Raises ``NotFound``, ``EmptyText``."""
    row = queries.sample(session, workspace_id=workspace_id, text_id=text_id)
    before = _personal_words(row)
    if wanted.text is not None:
        text = cleaned(wanted.text)[:LONGEST_SAMPLE]
        if not text:
            raise EmptyText()
        if text != row.text:
            _rewrite(row, text)
    if wanted.title is not None:
        row.title = one_line(wanted.title, LONGEST_TITLE)
    if wanted.brief is not None:
        row.brief = one_line(wanted.brief, LONGEST_BRIEF)
    # A choice was made about what was there then.
    if _personal_words(row) - before:
        row.personal_data = ""
    row.channel = wanted.channel or row.channel
    row.language = wanted.language or row.language
    if wanted.included is not None:
        row.included = wanted.included
    if wanted.personal_data is not None:
        row.personal_data = wanted.personal_data
    session.flush()
    return row


def _rewrite(row: TextSample, text: str) -> None:
    """A new text is measured anew."""
    row.text, row.findings = text, personal_data.to_json(personal_data.find(text))
    row.text_hash, row.signature = likeness.text_hash(text), likeness.signature(text)


def _personal_words(row: TextSample) -> set[str]:
    about = queries.about_findings(row)
    return {
        words[one.start : one.end]
        for words, found in (
            (row.text, personal_data.from_json(row.findings)),
            (row.title, about["title"]),
            (row.brief, about["brief"]),
        )
        for one in found
    }


def change_many(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    text_ids: Sequence[str],
    included: bool | None = None,
    channel: str | None = None,
    language: str | None = None,
    personal: str | None = None,
) -> int:
    """The same change to several samples of a brand; returns how many there were. Raises ``NotFound``."""
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    values: dict[str, object] = {
        "included": included,
        "channel": channel,
        "language": language,
        "personal_data": personal,
    }
    values = {name: value for name, value in values.items() if value is not None}
    if not values:
        return 0
    return sum(
        changed(session, update(TextSample).where(*_own(workspace_id, project_id, part)).values(**values))
        for part in _parts(text_ids)
    )


def decide_line(session: Session, *, workspace_id: str, project_id: str, line: str, choice: str) -> int:
    """What is to be done with a line that many samples share: "keep", "cut" (training does not read it), "exclude"
    (samples with it are left out), or "undecided" to take an earlier choice back. Returns how many samples have it.

    Raises ``NotFound``.
    """
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    hashed = likeness.line_hash(line)
    having = [
        row.id
        for row in queries.all_samples(session, workspace_id=workspace_id, project_id=project_id)
        if likeness.has_line(row.text, frozenset((hashed,)))
    ]
    session.execute(
        delete(BoilerplateLine).where(
            BoilerplateLine.project_id == project_id,
            BoilerplateLine.workspace_id == workspace_id,
            BoilerplateLine.line_hash == hashed,
        )
    )
    if choice == "exclude":
        change_many(session, workspace_id=workspace_id, project_id=project_id, text_ids=having, included=False)
    elif choice != "undecided":
        session.add(
            BoilerplateLine(
                workspace_id=workspace_id, project_id=project_id, line_hash=hashed, line=line[:300], choice=choice
            )
        )
    session.flush()
    return len(having)


def delete_samples(
    session: Session, *, workspace_id: str, project_id: str, text_ids: Sequence[str]
) -> tuple[int, datetime]:
    """Take samples out of a brand, so that ``restore_samples`` can bring them back for a while. Returns how many, and
    the moment that names this deletion. Raises ``NotFound``."""
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    moment = now()
    count = sum(
        changed(session, update(TextSample).where(*_own(workspace_id, project_id, part)).values(deleted_at=moment))
        for part in _parts(text_ids)
    )
    return count, moment


def restore_samples(session: Session, *, workspace_id: str, project_id: str, moment: datetime) -> int:
    """Undo one deletion; returns how many samples came back."""
    return changed(
        session,
        update(TextSample)
        .where(
            TextSample.workspace_id == workspace_id,
            TextSample.project_id == project_id,
            TextSample.deleted_at == moment,
        )
        .values(deleted_at=None),
    )


def chosen_ids(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    text_ids: Sequence[str],
    everything: queries.Filter | None = None,
) -> list[str]:
    """The samples that an act is for: those named, or all under a filter. Raises ``NotFound``."""
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    if everything is None:
        return list(text_ids)
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
    return [text.id for text in judged.found(everything)]


AT_ONCE = 500


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]


def _own(workspace_id: str, project_id: str, ids: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        TextSample.id.in_(ids),
        TextSample.workspace_id == workspace_id,
        TextSample.project_id == project_id,
        TextSample.deleted_at.is_(None),
    )


def sweep_deleted(database: Database, storage: Storage, *, older_than: timedelta) -> int:
    """Remove for good what was deleted so long ago, and files that were sent and never taken in. Returns how many."""
    with database.write() as session:
        gone = queries.swept(session, older_than=older_than)
        session.execute(delete(TextSample).where(TextSample.id.in_(gone)))
        forgotten = imports.forgotten_imports(session, older_than=older_than)
        keys = [row.key for row in forgotten if row.key is not None]
        session.execute(delete(VoiceImport).where(VoiceImport.id.in_([row.id for row in forgotten])))
    for key in keys:
        storage.delete(key)
    return len(gone) + len(keys)
