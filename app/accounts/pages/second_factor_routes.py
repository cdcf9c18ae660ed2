"""One's own second factor: an authenticator app, passkeys, recovery codes."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from markupsafe import Markup

from app.accounts import errors, passkeys, queries, second_factors, service
from app.accounts.forms import AuthenticatorForm, PasskeyForm, PresentForm
from app.accounts.pages.member_routes import base_url
from app.accounts.pages.second_step_routes import passkeys_work
from app.db import now
from app.errors import N_
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.second_step import ask, challenge_of, relying_party
from app.web.gate.session_cookie import count_try, forget_tries
from app.web.gate.signed_in import Viewer
from app.web.language import translate
from app.web.session_deps import AppSettings, PasswordTurn, ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(prefix="/account", route_class=DeferredRoute)


def _is_fresh(session: ReadSession | WriteSession, visitor: Viewer) -> bool:
    """Whether the person signed in just now, which is as good as their password once more."""
    return queries.signed_in_at(session, visitor.session_id or "") > now() - service.FRESH_FOR


def _prove(request: Request, visitor: Viewer, reading: ReadSession, settings: AppSettings, present: str) -> None:
    """A browser left open is not enough: a sign-in of the last minutes, or the present password. Raises
    ``PresentPasswordNeeded``, ``WrongPassword``, ``TooMany``."""
    if _is_fresh(reading, visitor):
        return
    if not present:
        raise errors.PresentPasswordNeeded()
    count_try(request, settings, visitor.user.email)
    try:
        service.check_password(reading, email=visitor.user.email, password=present)
    except errors.WrongCredentials as error:
        raise errors.WrongPassword() from error
    forget_tries(request, settings, visitor.user.email)


@dataclass(frozen=True)
class FactorChange:
    """A change of one's own second factor: who asks, and in which transaction."""

    request: Request
    visitor: Viewer
    reading: ReadSession
    session: WriteSession
    settings: AppSettings

    def prove(self, present: str) -> None:
        """Raises what ``_prove`` raises."""
        _prove(self.request, self.visitor, self.reading, self.settings, present)


def _change(
    request: Request,
    visitor: Viewer,
    _turn: PasswordTurn,
    reading: ReadSession,
    session: WriteSession,
    settings: AppSettings,
) -> FactorChange:
    return FactorChange(request, visitor, reading, session, settings)


OwnChange = Annotated[FactorChange, Depends(_change, scope="function")]


def _page(
    request: Request,
    visitor: Viewer,
    session: ReadSession | WriteSession,
    settings: AppSettings,
    codes: list[str] | None = None,
) -> Response:
    """The page; ``codes`` are recovery codes made just now, which are shown this once."""
    state = second_factors.state(session, visitor.user.id)
    proposal = None
    if state.authenticator is None:
        key = request.app.state.signing_key
        proposal = second_factors.propose(key, user_id=visitor.user.id, email=visitor.user.email)
    return page(
        request,
        "pages/second_factor.html",
        state=state,
        proposal=proposal,
        drawn=_drawn(proposal.uri) if proposal else None,
        codes=codes,
        is_fresh=_is_fresh(session, visitor),
        passkeys_work=passkeys_work(request, settings),
        is_needed=visitor.needs_second_factor and not state.is_set_up,
    )


def _drawn(uri: str) -> Markup:
    """The code that an app scans, dark on light in every theme, as cameras need it."""
    import segno

    # Nothing in it is anybody's text: segno draws squares.
    return Markup(segno.make(uri, micro=False, error="m").svg_inline(scale=4, border=3, dark="#000", light="#fff"))  # noqa: S704


def _first(
    request: Request, visitor: Viewer, session: WriteSession, settings: AppSettings, codes: list[str]
) -> Response:
    """With the first factor other browsers are signed out: they came in without one."""
    service.close_other_sessions(session, user_id=visitor.user.id, kept_session_id=visitor.session_id)
    return _page(request, visitor, session, settings, codes)


def _done(request: Request, sentence: str) -> Response:
    return go(request, "/account/second-factor", Flash("ok", translate(request.state.locale, sentence)))


@router.get("/second-factor")
def show(request: Request, visitor: Viewer, session: ReadSession, settings: AppSettings) -> Response:
    return _page(request, visitor, session, settings)


@router.post("/second-factor/authenticator")
@audited("authenticator.added")
def add_authenticator(change: OwnChange, form: Annotated[AuthenticatorForm, Form()]) -> Response:
    change.prove(form.present)
    key = change.request.app.state.signing_key
    codes = second_factors.add_authenticator(
        change.session, key, user_id=change.visitor.user.id, sealed=form.sealed, code=form.code
    )
    if codes:
        return _first(change.request, change.visitor, change.session, change.settings, codes)
    return _done(change.request, N_("App set up. Livery asks for its code when you sign in."))


@router.post("/second-factor/authenticator/remove")
@audited("authenticator.removed")
def remove_authenticator(change: OwnChange, form: Annotated[PresentForm, Form()]) -> Response:
    change.prove(form.present)
    second_factors.remove_authenticator(change.session, change.visitor.user.id)
    return _done(change.request, N_("App removed. Its codes no longer work."))


@router.post("/second-factor/recovery-codes")
@audited("recovery_codes.created")
def make_recovery_codes(change: OwnChange, form: Annotated[PresentForm, Form()]) -> Response:
    """The only answer that ever holds the codes, so this one is a page and not a way to the next."""
    change.prove(form.present)
    codes = second_factors.make_recovery_codes(change.session, change.visitor.user.id)
    return _page(change.request, change.visitor, change.session, change.settings, codes)


@router.post("/passkeys/options")
def passkey_options(
    request: Request,
    form: Annotated[PasskeyForm, Form()],
    visitor: Viewer,
    _turn: PasswordTurn,
    session: ReadSession,
    settings: AppSettings,
) -> Response:
    _prove(request, visitor, session, settings, form.present)
    user, party = visitor.user, relying_party(base_url(request, settings))
    ceremony = passkeys.registration(session, party, user_id=user.id, name=user.name, email=user.email)
    return ask(request, ceremony, f"add {visitor.session_id}")


@router.post("/passkeys")
@audited("passkey.added")
def add_passkey(
    request: Request,
    form: Annotated[PasskeyForm, Form()],
    visitor: Viewer,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    """The challenge was given to this sign-in after its proof, so it is the proof."""
    challenge = challenge_of(request, settings, f"add {visitor.session_id}")
    party = relying_party(base_url(request, settings))
    codes = passkeys.add(
        session, party, user_id=visitor.user.id, name=form.name, challenge=challenge, credential=form.credential
    )
    if codes:
        return _first(request, visitor, session, settings, codes)
    return _done(request, N_("Passkey set up."))


@router.post("/passkeys/{passkey_id}/remove")
@audited("passkey.removed")
def remove_passkey(change: OwnChange, passkey_id: RowId, form: Annotated[PresentForm, Form()]) -> Response:
    change.prove(form.present)
    passkeys.remove(change.session, user_id=change.visitor.user.id, passkey_id=passkey_id)
    return _done(change.request, N_("Passkey removed. Nobody can sign in with the device any more."))
