"""What a person may decide about a training: the purpose, the base, and any number of the recipe. All else follows.

Pure. The browser's form and the API send the same fields under the recipe's own names; None means "what fits".
"""

from typing import Annotated, Any

from pydantic import Field

from app.trainings.fields import decided_in, overrides_of
from app.trainings.look.fields import TABLE
from app.trainings.look.recipe import Purpose

LONGEST_PROMPT = 300
"""Of a sample prompt. The recipe has no such bound: the trigger word may go before a caption as long as this."""


class TrainingOverrides(overrides_of(TABLE)):  # type: ignore[misc]
    """Only ``purpose`` has to be said. Every other field is the recipe's, within its bounds."""

    purpose: Purpose = "style"
    min_snr_gamma: Annotated[float, Field(ge=0, le=100)] | None = None
    """0 switches it off."""

    def changes(self) -> dict[str, Any]:
        """The recipe's fields that were decided, by name; without purpose and base."""
        return decided_in(TABLE, self)
