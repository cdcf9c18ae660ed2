"""What the browser may send about people and workspaces."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from app.accounts.members import CURRENCIES
from app.web.text import Line, Name, RowId

Role = Literal["owner", "editor", "viewer"]
Locale = Literal["en", "de"]
Theme = Literal["auto", "light", "dark"]
Email = Annotated[Line, Field(min_length=3, max_length=254)]
Password = Annotated[str, Field(max_length=1000)]
"""Longer than any that is accepted, so that the sentence about its length is the service's."""
Address = Annotated[Line, Field(max_length=300)]
Signed = Annotated[str, Field(max_length=300)]
Currency = Annotated[str, Field(pattern=f"^({'|'.join(CURRENCIES)})$")]


def _as_people_write_it(value: Any) -> Any:
    """``12,50`` is as good as ``12.50``; nothing written means that nobody knows."""
    if not isinstance(value, str):
        return value
    return value.strip().replace(",", ".") or None


Price = Annotated[
    Annotated[Decimal, Field(ge=0, le=99_999, max_digits=7, decimal_places=2, allow_inf_nan=False)] | None,
    BeforeValidator(_as_people_write_it),
]


class SetupForm(BaseModel, defer_build=True):
    name: Name
    email: Email
    password: Password
    password_again: Password
    workspace_name: Name
    locale: Locale = "en"


class SignInForm(BaseModel, defer_build=True):
    email: Email
    password: Password
    next: Address = ""


class AcceptForm(BaseModel, defer_build=True):
    invitation: Signed
    name: Annotated[Line, Field(max_length=120)] = ""
    password: Password = ""


class PreferencesForm(BaseModel, defer_build=True):
    locale: Locale | None = None
    theme: Theme | None = None
    next: Address = ""


class NameForm(BaseModel, defer_build=True):
    name: Name


class PasswordForm(BaseModel, defer_build=True):
    present: Password
    password: Password
    password_again: Password
    revoke_tokens: bool = False


class ResetForm(BaseModel, defer_build=True):
    token: Signed
    password: Password
    password_again: Password
    revoke_tokens: bool = False


Credential = Annotated[str, Field(max_length=20_000)]
"""What ``navigator.credentials`` gave, as JSON."""
Code = Annotated[str, Field(min_length=1, max_length=60)]


class PresentForm(BaseModel, defer_build=True):
    """Empty where the sign-in was just now."""

    present: Password = ""


class AuthenticatorForm(PresentForm):
    sealed: Annotated[str, Field(max_length=500)]
    code: Code


class PasskeyForm(PresentForm):
    name: Name
    credential: Credential = ""


class CodeForm(BaseModel, defer_build=True):
    code: Code


class PasskeySignInForm(BaseModel, defer_build=True):
    credential: Credential
    next: Address = ""


class InviteForm(BaseModel, defer_build=True):
    email: Email
    role: Role = "editor"


class RoleForm(BaseModel, defer_build=True):
    role: Role


class SwitchForm(BaseModel, defer_build=True):
    workspace_id: RowId
    next: Address = ""


class WorkspaceForm(BaseModel, defer_build=True):
    name: Name
    price_per_hour: Price = None
    currency: Currency = "EUR"
    requires_second_factor: bool = False
    forbids_own_approval: bool = False
    viewers_download_open: bool = False


class TokenForm(BaseModel, defer_build=True):
    name: Name
    read_only: bool = False
