"""Why a picture or an archive is not taken in. Each sentence says what is wrong and what to do about it."""

from app.errors import N_, AppError


class ImageRefused(AppError):
    """Base of all kinds below, so that a caller with many files can go on with the next one."""


class UnsupportedImage(ImageRefused):
    """Params: name."""

    status = 415
    sentence = N_(
        "“%(name)s” is not an image we can read. Livery reads JPEG, PNG, WebP, AVIF, HEIC, TIFF, GIF and SVG. "
        "Please export it in one of these formats."
    )


class TextsInstead(ImageRefused):
    """Params: name, kind."""

    status = 415
    sentence = N_("“%(name)s” is a %(kind)s file, not a picture. Please add texts under Voice.")


class DocumentInstead(ImageRefused):
    """Params: name, kind."""

    status = 415
    sentence = N_(
        "“%(name)s” is a %(kind)s file, not a picture. Export its pictures as PNG or JPEG, and paste its texts under "
        "Voice."
    )


class EmptyFile(ImageRefused):
    """Params: name."""

    status = 422
    sentence = N_("“%(name)s” is empty. Please copy or export the file again.")


class FileTooLarge(ImageRefused):
    """Params: name, size_mb, limit_mb."""

    status = 413
    sentence = N_(
        "“%(name)s” is %(size_mb)s MB; the limit is %(limit_mb)s MB per picture. Please export a smaller "
        "version: 2,048 pixels on the longest side are enough."
    )


class ImageTooLarge(ImageRefused):
    """Params: name, width, height, limit_mp, limit_side."""

    status = 413
    sentence = N_(
        "“%(name)s” is %(width)s × %(height)s pixels; the limit is %(limit_mp)s megapixels and %(limit_side)s "
        "pixels per side. Please export a smaller version: 2,048 pixels on the longest side are enough."
    )


class ImageTooSmall(ImageRefused):
    """Params: name, width, height, limit_side."""

    status = 422
    sentence = N_(
        "“%(name)s” is only %(width)s × %(height)s pixels. Each side needs at least %(limit_side)s pixels, "
        "and 1,024 or more give good results. Please use a larger version."
    )


class TruncatedImage(ImageRefused):
    """Params: name."""

    status = 422
    sentence = N_(
        "“%(name)s” is incomplete or damaged: part of the picture is missing. Please copy or export it again and retry."
    )


class UnsafeImage(ImageRefused):
    """A file built to use up memory or time. Params: name."""

    status = 422
    sentence = N_(
        "“%(name)s” contains far more hidden data than a picture needs, so we did not open it. "
        "Please export it again without metadata."
    )


class TooManyParts(ImageRefused):
    """Params: name, limit."""

    status = 422
    sentence = N_(
        "“%(name)s” has more than %(limit)s frames or pages, and Livery uses the first one. Please export that "
        "one as a separate file."
    )


class UnknownEncoding(ImageRefused):
    """Params: name."""

    status = 422
    sentence = N_("“%(name)s” uses a text encoding that drawings do not use. Please save it as UTF-8.")


class UnreadableImage(ImageRefused):
    """Reading it took more time or memory than a picture takes, or failed as nobody foresaw. Params: name."""

    status = 422
    sentence = N_(
        "“%(name)s” could not be read: it is damaged or far more complex than a picture should be. Please open "
        "it in a drawing program and export it again."
    )


class SvgTooComplex(ImageRefused):
    """Params: name."""

    status = 422
    sentence = N_("“%(name)s” is too complex to render. Please export it as PNG with 2,048 pixels on the longest side.")


class UnreadableArchive(AppError):
    """Params: name."""

    status = 422
    sentence = N_(
        "“%(name)s” is not a ZIP file we can read. Please create the ZIP again, or upload the pictures directly."
    )


class EncryptedArchive(AppError):
    """Params: name."""

    status = 422
    sentence = N_("“%(name)s” is password-protected. Please create the ZIP again without a password.")


class TooManyEntries(AppError):
    """Params: name, count, limit."""

    status = 413
    sentence = N_(
        "“%(name)s” contains %(count)s entries; the limit is %(limit)s. Please split it into several ZIP files."
    )


class ArchiveTooLarge(AppError):
    """Params: name, limit_mb."""

    status = 413
    sentence = N_("“%(name)s” unpacks to more than %(limit_mb)s MB. Please split it into several ZIP files.")
