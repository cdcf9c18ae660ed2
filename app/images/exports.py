"""Pictures and captions as they leave the house."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from zipstream import ZIP_DEFLATED, ZIP_STORED, ZipStream

from app.images import captions
from app.images.models import Image
from app.images.reading.formats import ImageFormat
from app.images.reading.prepared import HAD_LOCATION
from app.images.reading.readers import clean_original
from app.storage import Storage


@dataclass(frozen=True)
class Download:
    """A file to save: its bytes, or the key where they are when nothing had to be changed."""

    name: str
    media_type: str
    key: str
    data: bytes | None


def original(storage: Storage, image: Image) -> Download:
    """The uploaded file; without the place where it was taken, if it says so. Raises ``FileNotFoundError``."""
    image_format = ImageFormat(image.format)
    if not any(note[0] == HAD_LOCATION for note in image.notes):
        return Download(image.filename, image_format.media_type, image.original_key, None)
    clean = clean_original(storage.get(image.original_key), image_format, image.filename)
    name = image.filename
    if clean.is_reencoded:
        name = f"{PurePosixPath(name).stem}.{clean.format.extension}"
    return Download(name, clean.format.media_type, image.original_key, clean.data)


def caption_files(images: list[Image]) -> Iterator[bytes]:
    """A ZIP with a ``.txt`` for each picture, as they can be dropped in again."""
    archive = ZipStream(compress_type=ZIP_DEFLATED)
    for entry in captions.export_captions((image.filename, image.caption) for image in images):
        archive.add(entry.text, entry.text_name)
    return iter(archive)


def training_files(storage: Storage, images: list[Image], *, trigger_word: str) -> Iterator[bytes]:
    """A ZIP of working copies with a ``.txt`` beside each, the trigger word in it: what other trainers read."""
    archive = ZipStream(compress_type=ZIP_STORED)
    entries = captions.export_captions(
        (f"{PurePosixPath(image.filename).stem}.webp", captions.with_trigger(image.caption, trigger_word))
        for image in images
    )
    keys = [image.working_key for image in images]
    for entry, key in zip(entries, keys, strict=True):
        archive.add(storage.chunks(key), entry.picture_name)
        archive.add(entry.text, entry.text_name)
    return iter(archive)
