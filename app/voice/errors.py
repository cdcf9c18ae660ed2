"""Why a file of texts is refused, or a change to samples: each kind says what to do."""

from app.errors import N_, AppError


class TextsRefused(AppError):
    """Base of all kinds about files below."""

    status = 422
    sentence = N_("“%(name)s” could not be read. Please save it again and retry.")


class UnsupportedTexts(TextsRefused):
    """Params: name."""

    status = 415
    sentence = N_(
        "Livery cannot read “%(name)s”. Please export the texts as TXT, Markdown, CSV, XLSX, JSON, JSONL, DOCX or HTML."
    )


class TextsTooLarge(TextsRefused):
    """Params: name, size_mb, limit_mb."""

    status = 413
    sentence = N_("“%(name)s” is %(size_mb)s MB; the limit is %(limit_mb)s MB. Please split it into several files.")


class UnpacksTooLarge(TextsRefused):
    """Params: name, limit_mb."""

    status = 413
    sentence = N_("“%(name)s” unpacks to more than %(limit_mb)s MB. Please save its texts as CSV or as plain text.")


class EncryptedTexts(TextsRefused):
    """Params: name."""

    sentence = N_("“%(name)s” is password-protected. Please save it without a password.")


class NoTexts(TextsRefused):
    """Params: name."""

    sentence = N_("“%(name)s” contains no text.")


class NothingPasted(NoTexts):
    sentence = N_("There is no text yet. Paste one or more texts.")


class TooManyRows(TextsRefused):
    """Params: name, limit."""

    status = 413
    sentence = N_("“%(name)s” has more than %(limit)s rows. Please split it into several files.")


class TooManyLines(TextsRefused):
    """Params: name, limit."""

    status = 413
    sentence = N_("“%(name)s” has more than %(limit)s lines. Please split it into several files.")


class TooManyBrokenRows(TextsRefused):
    """Params: name, count."""

    sentence = N_(
        "More than %(count)s rows of “%(name)s” could not be read, so nothing was imported. Check that the "
        "file really is a CSV file, and export it again with UTF-8 and quotation marks around texts."
    )


class TooManySamples(AppError):
    """Params: limit, room."""

    status = 409
    sentence = N_(
        "A brand can have at most %(limit)s texts; there is room for %(room)s more. Choose the most typical: "
        "300 good texts are enough for a voice."
    )


class EmptyText(AppError):
    status = 422
    sentence = N_("A text cannot be empty. Delete or exclude it instead.")


class AlreadyTakenIn(AppError):
    status = 409
    sentence = N_("This file has already been imported. Upload it again to import it once more.")


class NoTextColumn(AppError):
    status = 422
    sentence = N_("Please choose the column that holds the texts.")
