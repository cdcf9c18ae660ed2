"""Why a file is not read. Each sentence says what is wrong and what to do about it."""

from app.errors import N_, AppError


class Unreadable(AppError):
    """The file broke its reader, or asked for more time or memory than one file gets. Params: name."""

    status = 422
    sentence = N_(
        "“%(name)s” could not be read: it is damaged, or takes far more work than such a file should. "
        "Please save or export it again."
    )


class ReadersBusy(AppError):
    """Params: seconds."""

    status = 503
    sentence = N_("Too many files are being read just now. Please wait %(seconds)s seconds and try again.")
