"""The page of a one-time link: somebody who forgot their password sets a new one."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from app.accounts import errors, passwords, recovery, service
from app.accounts.forms import ResetForm, Signed
from app.audit import service as audit
from app.errors import N_
from app.settings import Settings
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate import rate_limit
from app.web.gate.session_cookie import address_of, let_out
from app.web.language import translate
from app.web.session_deps import AppSettings, PasswordTurn, ReadSession, WriteSession
from app.web.templating import page

router = APIRouter(prefix="/password-reset", route_class=DeferredRoute)


def _count(request: Request, settings: Settings) -> None:
    """Counted whether a link works or not, so that the count tells nothing of it either."""
    rate_limit.count(settings.broker_url, rate_limit.RESET_LINKS, address_of(request))


@router.get("")
def show(
    request: Request, session: ReadSession, settings: AppSettings, token: Annotated[Signed, Query()] = ""
) -> Response:
    """Looking uses nothing up: programs that preview links do so, too."""
    _count(request, settings)
    user = recovery.open_link(session, token)
    response = page(
        request, "pages/password_reset.html", token=token, email=user.email, minimum=passwords.MINIMUM_PASSWORD
    )
    # The link is the secret: what this page asks for must not carry it on. (Without any origin, plain HTTP's forms
    # could not be told from foreign ones.)
    response.headers["referrer-policy"] = "strict-origin"
    return response


@router.post("")
@audited("person.password_reset")
def set_password(
    request: Request,
    form: Annotated[ResetForm, Form()],
    _turn: PasswordTurn,
    reading: ReadSession,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    _count(request, settings)
    recovery.open_link(reading, form.token)
    reading.close()  # nothing is held while a password is hashed
    if form.password != form.password_again:
        raise errors.PasswordsDiffer()
    password_hash = passwords.hash_password(form.password)
    user = recovery.use_link(session, token=form.token, password_hash=password_hash, revoke_tokens=form.revoke_tokens)
    audit.by(session, id=user.id, name=user.name, link=user.id)
    visitor = request.state.visitor
    if visitor is not None and visitor.user.id != user.id:  # somebody else in this browser; the person is out already
        service.close_session(session, user_id=visitor.user.id, session_id=visitor.session_id)
    text = translate(request.state.locale, N_("Your new password is set. Sign in with it."))
    response = go(request, "/sign-in", Flash("ok", text))
    let_out(response)
    return response
