"""What a person may decide about the training of a voice: the base, and any number of the recipe. All else follows.

Pure. The browser's form and the API send the same fields under the recipe's own names; None means "what fits".
"""

from typing import Any

from app.trainings.fields import decided_in, overrides_of
from app.trainings.voice.fields import TABLE


class VoiceOverrides(overrides_of(TABLE)):  # type: ignore[misc]
    """Nothing has to be said. Every field is the recipe's, within its bounds."""

    def changes(self) -> dict[str, Any]:
        """The recipe's fields that were decided, by name; without the base."""
        return decided_in(TABLE, self)
