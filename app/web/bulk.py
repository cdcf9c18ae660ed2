"""What can be done to several things at once: for each button its address, what it changes, and what is said then.

Pictures and texts have a table of these each; their routes are made from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from app.web.flashes import Flash
from app.web.language import counted


@dataclass(frozen=True)
class BulkAction:
    """A change that is the same for everything that was chosen."""

    name: str
    """The last part of the address."""
    audited_as: str
    """A key of ``app.audit.actions.ACTIONS``."""
    values: Mapping[str, Any]
    """What the room's service is to change, by the names of its parameters."""
    sentence: tuple[str, str]
    """What is said of one and of several, marked by ``ngettext``."""

    def done(self, request: Request, count: int) -> Flash:
        return Flash("ok", counted(request.state.locale, self.sentence, count))
