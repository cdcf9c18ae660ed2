"""One's own account: name, password, and the browsers one is signed in with."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.accounts import errors, passwords, queries, recovery, second_factors, service
from app.accounts.browsers import words_for
from app.accounts.forms import NameForm, PasswordForm
from app.errors import N_
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.session_cookie import count_try, forget_tries, let_in
from app.web.gate.signed_in import Viewer
from app.web.language import translate
from app.web.session_deps import AppSettings, PasswordTurn, ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(prefix="/account", route_class=DeferredRoute)


def _done(request: Request, sentence: str) -> Response:
    return go(request, "/account", Flash("ok", translate(request.state.locale, sentence)))


@router.get("")
def my_account(request: Request, visitor: Viewer, session: ReadSession) -> Response:
    browsers = [(browser, words_for(browser.user_agent)) for browser in queries.browsers_of(session, visitor.user.id)]
    return page(
        request,
        "pages/my_account.html",
        browsers=browsers,
        minimum=passwords.MINIMUM_PASSWORD,
        state=second_factors.state(session, visitor.user.id),
    )


@router.post("/name")
@audited("person.changed")
def rename(request: Request, form: Annotated[NameForm, Form()], visitor: Viewer, session: WriteSession) -> Response:
    service.rename_person(session, user_id=visitor.user.id, name=form.name)
    return _done(request, N_("Name changed."))


@router.post("/password")
@audited("person.password_changed")
def change_password(
    request: Request,
    form: Annotated[PasswordForm, Form()],
    _turn: PasswordTurn,
    visitor: Viewer,
    reading: ReadSession,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    """A right present password first: a browser left open is not enough to take an account."""
    if form.password != form.password_again:
        raise errors.PasswordsDiffer()
    count_try(request, settings, visitor.user.email)
    try:
        proven = service.check_password(reading, email=visitor.user.email, password=form.present)
    except errors.WrongCredentials as error:
        raise errors.WrongPassword() from error
    forget_tries(request, settings, visitor.user.email)
    password_hash = passwords.hash_password(form.password)
    service.still(session, proven)
    token = service.change_password(
        session,
        user_id=visitor.user.id,
        password_hash=password_hash,
        workspace_id=visitor.workspace.id,
        user_agent=request.headers.get("user-agent", ""),
        life=settings.sign_in_life,
    )
    if form.revoke_tokens:
        recovery.revoke_all_tokens(session, visitor.user.id)
    response = _done(request, N_("Password changed. All other browsers have been signed out."))
    let_in(request, response, token)
    return response


@router.post("/browsers/{session_id}/sign-out")
@audited("session.ended")
def sign_browser_out(request: Request, session_id: RowId, visitor: Viewer, session: WriteSession) -> Response:
    service.close_session(session, user_id=visitor.user.id, session_id=session_id)
    return _done(request, N_("The browser has been signed out."))


@router.post("/browsers/sign-out-others")
@audited("session.others_ended")
def sign_others_out(request: Request, visitor: Viewer, session: WriteSession) -> Response:
    service.close_other_sessions(session, user_id=visitor.user.id, kept_session_id=visitor.session_id)
    return _done(request, N_("All other browsers have been signed out."))
