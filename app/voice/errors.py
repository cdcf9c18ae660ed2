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
        "“%(name)s” is not a file of texts that we can read. Livery reads TXT, Markdown, CSV, XLSX, JSON, JSONL, DOCX "
        "and HTML. Please export it in one of these formats."
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

    sentence = N_("“%(name)s” is protected with a password. Please save it without one.")


class NoTexts(TextsRefused):
    """Params: name."""

    sentence = N_("There is no text in “%(name)s”.")


class NothingPasted(NoTexts):
    sentence = N_("There is nothing to read yet. Paste one text or several.")


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
        "More than %(count)s rows of “%(name)s” could not be read, so nothing was taken in. Is it really a CSV file? "
        "Please export it again, with UTF-8 and quotation marks around texts."
    )


class TooManySamples(AppError):
    """Params: limit, room."""

    status = 409
    sentence = N_(
        "A brand holds at most %(limit)s texts; there is room for %(room)s more. 300 good ones are enough for a voice: "
        "choose the most typical."
    )


class EmptyText(AppError):
    status = 422
    sentence = N_("A text cannot be empty. Delete it instead, or leave it out.")


class AlreadyTakenIn(AppError):
    status = 409
    sentence = N_("This file was taken in already. Upload it again if you want to take it in anew.")


class NoTextColumn(AppError):
    status = 422
    sentence = N_("Please choose the column that holds the texts.")
