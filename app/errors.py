"""Errors that people can act on, each with an HTTP status and a sentence. Knows nothing of HTTP libraries."""

import re
from typing import Any, ClassVar


def N_(sentence: str) -> str:
    """Mark a sentence for translation where it stands; it is translated where it is shown."""
    return sentence


class AppError(Exception):
    """``sentence`` is an English %-template; ``params`` fill it. Says what is wrong and what to do."""

    status: ClassVar[int] = 400
    sentence: ClassVar[str] = N_("That did not work. Please try again.")
    field: ClassVar[str | None] = None
    """Name of the one field of a form that it is about; the sentence then stands there."""

    def __init__(self, **params: Any) -> None:
        super().__init__(params)
        self.params = params

    @classmethod
    def code(cls) -> str:
        """What programs and tests know the error by, whatever its sentence says: ``too_few_images``."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    def __str__(self) -> str:
        return self.sentence % self.params if self.params else self.sentence


class NotFound(AppError):
    status = 404
    sentence = N_("Nothing was found at this address. It may be wrong, or the content may have been deleted.")


class SignInNeeded(AppError):
    status = 401
    sentence = N_("Please sign in first.")


class Forbidden(AppError):
    status = 403
    sentence = N_("Your role in this workspace does not allow that. Ask an owner of the workspace.")


class Conflict(AppError):
    status = 409
    sentence = N_("Something changed in the meantime. Reload the page and try again.")


class Invalid(AppError):
    status = 422
    sentence = N_("Something in this form is not valid. Please check your entries.")


class TooMany(AppError):
    status = 429
    sentence = N_("That was too much at once. Please wait %(seconds)s seconds and try again.")
