"""Why a file is not read. Each sentence says what is wrong and what to do about it."""

from app.errors import N_, AppError


class Unreadable(AppError):
    """The file broke its reader, or asked for more time or memory than one file gets. Params: name."""

    status = 422
    sentence = N_(
        "“%(name)s” could not be read: the file is damaged, or far more complex than it should be. Please save "
        "or export it again."
    )


class ReadersBusy(AppError):
    """Params: seconds."""

    status = 503
    sentence = N_("Too many files are being read at the moment. Please wait %(seconds)s seconds and try again.")
