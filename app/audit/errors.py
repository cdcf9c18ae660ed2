"""What can be wrong with a request to the audit log, and what must never happen to it."""

from app.errors import N_, AppError


class NotInstallationOwner(AppError):
    status = 403
    sentence = N_("Only owners of the first workspace can see the log of the whole installation.")


class Unrecorded(Exception):
    """A transaction changed something and does not say what that was, or who did it. It is rolled back."""
