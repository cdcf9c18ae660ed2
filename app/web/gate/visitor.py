"""Who is asking: plain values, valid for one request."""

from dataclasses import dataclass

from app.accounts.models import ROLES


@dataclass(frozen=True)
class VisitorUser:
    id: str
    name: str
    email: str
    locale: str
    theme: str


@dataclass(frozen=True)
class VisitorWorkspace:
    id: str
    name: str
    viewers_download_open: bool = False
    """Whether viewers may download what is not approved."""


@dataclass(frozen=True)
class VisitorToken:
    id: str
    name: str


@dataclass(frozen=True)
class Visitor:
    """A signed-in person or a token, in the one workspace that it looks at."""

    user: VisitorUser
    workspace: VisitorWorkspace
    role: str
    session_id: str | None
    """None for an API token."""
    read_only: bool = False
    token: VisitorToken | None = None
    needs_second_factor: bool = False
    """Whether this workspace asks for one and the person has none: then nothing is open here but setting one up."""

    def may(self, role: str) -> bool:
        """Whether this visitor's role is at least ``role``."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def can_edit(self) -> bool:
        return self.may("editor") and not self.read_only

    @property
    def downloads_open(self) -> bool:
        """Whether this visitor may download what is not approved."""
        return self.may("editor") or self.workspace.viewers_download_open

    @property
    def is_owner(self) -> bool:
        return self.may("owner") and not self.read_only
