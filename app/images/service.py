"""What may happen to a brand's pictures. The slow part of an upload is in ``uploads``; here are only rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import Database, changed, now
from app.errors import N_, NotFound
from app.images import captions, queries
from app.images.errors import ImageRefused
from app.images.models import Image
from app.images.reading.notes import Note
from app.images.uploads import ALREADY_HERE, CaptionFile, KnownImage, LeftOut, StoredImage, Taken
from app.projects import queries as projects
from app.storage import Storage

CAPTION_FILLED = N_("The caption of “%(name)s” was added.")


class CaptionWithoutPicture(ImageRefused):
    """Params: name."""

    status = 422
    sentence = N_("There is no picture called “%(name)s” here yet. Add the picture, then try again.")


@dataclass
class Added:
    """What an upload changed. ``images`` are to be shown, new or not; ``new`` counts the new ones, ``known`` those that
    were here already, each of which has its note too."""

    images: list[Image] = field(default_factory=list)
    new: int = 0
    known: int = 0
    notes: list[Note] = field(default_factory=list)


def add_all(
    session: Session, taken: Iterable[Taken], *, workspace_id: str, project_id: str, created_by: str | None
) -> Added:
    """Rows for what an upload brought, captions for pictures that are here. Raises ``NotFound`` for a brand that has
    gone meanwhile, ``CaptionWithoutPicture`` for a lone caption file."""
    everything, added = list(taken), Added()
    for one in everything:
        if isinstance(one, StoredImage):
            image, is_new = add_image(
                session, one, workspace_id=workspace_id, project_id=project_id, created_by=created_by
            )
            added.new += is_new
            added.images.append(image)
            if not is_new:
                added.known += 1
                added.notes.append(Note(ALREADY_HERE, {"name": one.filename}))
        elif isinstance(one, KnownImage):
            known = queries.by_hash(session, workspace_id=workspace_id, project_id=project_id, sha256=one.sha256)
            if known is not None and known not in added.images:
                known.caption = one.caption or known.caption
                added.images.append(known)
            added.known += 1
            added.notes.append(Note(ALREADY_HERE, {"name": one.filename}))
        elif isinstance(one, LeftOut):
            added.notes.append(one.note)
    for one in everything:
        if isinstance(one, CaptionFile):
            _fill_caption(session, one, added, len(everything), workspace_id=workspace_id, project_id=project_id)
    session.flush()
    return added


def _fill_caption(
    session: Session, file: CaptionFile, added: Added, of: int, *, workspace_id: str, project_id: str
) -> None:
    found = queries.by_stem(session, workspace_id=workspace_id, project_id=project_id, filename=file.filename)
    if not found:
        if of == 1:
            raise CaptionWithoutPicture(name=file.filename)
        added.notes.append(Note(CaptionWithoutPicture.sentence, {"name": file.filename}))
        return
    for image in found:
        image.caption = file.caption
        if image not in added.images:
            added.images.append(image)
    added.notes.append(Note(CAPTION_FILLED, {"name": found[0].filename}))


def add_image(
    session: Session, stored: StoredImage, *, workspace_id: str, project_id: str, created_by: str | None
) -> tuple[Image, bool]:
    """A row for a stored picture, and whether it is new: the same bytes in the same brand are one picture, however many
    requests bring them at once. One that was deleted a moment ago comes back.

    Raises ``NotFound`` for a brand that has gone meanwhile.
    """
    before = queries.by_hash(session, workspace_id=workspace_id, project_id=project_id, sha256=stored.sha256)
    if before is not None:
        return _again(before)
    image = Image(
        workspace_id=workspace_id,
        project_id=project_id,
        created_by=created_by,
        filename=stored.filename,
        format=stored.format,
        sha256=stored.sha256,
        byte_count=stored.byte_count,
        width=stored.width,
        height=stored.height,
        working_width=stored.working_width,
        working_height=stored.working_height,
        original_key=stored.original_key,
        working_key=stored.working_key,
        thumb_key=stored.thumb_key,
        small_thumb_key=stored.small_thumb_key,
        placeholder=stored.placeholder,
        dhash=stored.dhash,
        sharpness=stored.sharpness,
        notes=[[note.msgid, dict(note.params)] for note in stored.notes],
        caption=stored.caption,
    )
    try:
        with session.begin_nested():
            session.add(image)
            session.flush()
    except IntegrityError:
        # Another request was faster by a moment, or the brand is gone.
        before = queries.by_hash(session, workspace_id=workspace_id, project_id=project_id, sha256=stored.sha256)
        if before is None:
            raise NotFound() from None
        return _again(before)
    return image, True


def _again(image: Image) -> tuple[Image, bool]:
    was_deleted = image.deleted_at is not None
    if was_deleted:
        image.deleted_at, image.created_at = None, now()
    return image, was_deleted


def write_caption(session: Session, *, workspace_id: str, image_id: str, caption: str) -> Image:
    """Raises ``NotFound``."""
    image = queries.image(session, workspace_id=workspace_id, image_id=image_id)
    image.caption = " ".join(caption.split())[: captions.MAX_CAPTION]
    session.flush()
    return image


def aim(session: Session, *, workspace_id: str, image_id: str, focus_x: float, focus_y: float) -> Image:
    """Move the centre of the crop that training sees. Raises ``NotFound``."""
    image = queries.image(session, workspace_id=workspace_id, image_id=image_id)
    image.focus_x, image.focus_y = focus_x, focus_y
    session.flush()
    return image


def include(session: Session, *, workspace_id: str, image_id: str, included: bool) -> Image:
    """Let training see a picture, or not. Raises ``NotFound``."""
    image = queries.image(session, workspace_id=workspace_id, image_id=image_id)
    image.included = included
    session.flush()
    return image


def change_many(
    session: Session, *, workspace_id: str, project_id: str, image_ids: Sequence[str], included: bool
) -> int:
    """The same for several pictures of a brand; returns how many there were. Raises ``NotFound``."""
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    return changed(
        session,
        update(Image)
        .where(
            Image.id.in_(image_ids),
            Image.workspace_id == workspace_id,
            Image.project_id == project_id,
            Image.deleted_at.is_(None),
        )
        .values(included=included),
    )


def replace_in_captions(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    image_ids: Sequence[str] | None,
    find: str,
    replace: str,
    whole_words: bool,
    match_case: bool,
) -> int:
    """Find and replace in the captions of these pictures (None: of all); returns how many captions changed.

    Raises ``NotFound``.
    """
    return _rewrite(
        session,
        lambda texts: captions.find_and_replace(texts, find, replace, whole_words=whole_words, match_case=match_case),
        workspace_id=workspace_id,
        project_id=project_id,
        image_ids=image_ids,
    )


def put_in_front(
    session: Session, *, workspace_id: str, project_id: str, image_ids: Sequence[str] | None, words: str
) -> int:
    """Begin the captions of these pictures (None: of all) with ``words``, where they are not there already; returns how
    many captions changed. Raises ``NotFound``."""
    return _rewrite(
        session,
        lambda texts: [captions.with_trigger(text, words) for text in texts],
        workspace_id=workspace_id,
        project_id=project_id,
        image_ids=image_ids,
    )


def _rewrite(
    session: Session,
    rewrite: Callable[[list[str]], list[str]],
    *,
    workspace_id: str,
    project_id: str,
    image_ids: Sequence[str] | None,
) -> int:
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    pictures = queries.all_images(session, workspace_id=workspace_id, project_id=project_id)
    if image_ids is not None:
        wanted = set(image_ids)
        pictures = [picture for picture in pictures if picture.id in wanted]
    count = 0
    for picture, caption in zip(pictures, rewrite([picture.caption for picture in pictures]), strict=True):
        if caption[: captions.MAX_CAPTION] != picture.caption:
            picture.caption = caption[: captions.MAX_CAPTION]
            count += 1
    session.flush()
    return count


def delete_images(
    session: Session, *, workspace_id: str, project_id: str, image_ids: Sequence[str]
) -> tuple[int, datetime]:
    """Take pictures out of a brand, so that ``restore_images`` can bring them back for a while. Returns how many, and
    the moment that names this deletion. Files stay until the sweep, as a training may still need them.

    Raises ``NotFound``.
    """
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    moment = now()
    count = changed(
        session,
        update(Image)
        .where(
            Image.id.in_(image_ids),
            Image.workspace_id == workspace_id,
            Image.project_id == project_id,
            Image.deleted_at.is_(None),
        )
        .values(deleted_at=moment),
    )
    return count, moment


def restore_images(session: Session, *, workspace_id: str, project_id: str, moment: datetime) -> int:
    """Undo one deletion; returns how many pictures came back."""
    return changed(
        session,
        update(Image)
        .where(Image.workspace_id == workspace_id, Image.project_id == project_id, Image.deleted_at == moment)
        .values(deleted_at=None),
    )


def sweep_deleted(database: Database, storage: Storage, *, older_than: timedelta) -> int:
    """Remove for good what was deleted so long ago: rows first, files after the commit. Returns how many."""
    with database.write() as session:
        gone = [
            (row.id, (row.original_key, row.working_key, row.thumb_key, row.small_thumb_key))
            for row in queries.swept(session, older_than=older_than)
        ]
        session.execute(delete(Image).where(Image.id.in_([image_id for image_id, _ in gone])))
    for _, keys in gone:
        for key in keys:
            storage.delete(key)
    return len(gone)
