"""The door: first set-up, sign in and out, an invitation, and how one likes to see the pages."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from app.accounts import errors, members, passwords, queries, service
from app.accounts.forms import AcceptForm, Address, PreferencesForm, SetupForm, Signed, SignInForm
from app.accounts.pages.second_step_routes import leave, passkeys_work, welcome, welcome_or_ask
from app.audit import service as audit
from app.errors import N_
from app.web.answers import go, own_path
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.middleware import LOCALE_COOKIE, THEME_COOKIE
from app.web.gate.session_cookie import count_try, forget_tries, let_out
from app.web.gate.signed_in import Viewer
from app.web.language import translate
from app.web.session_deps import AppSettings, PasswordTurn, ReadSession, WriteSession
from app.web.templating import page

router = APIRouter(route_class=DeferredRoute)
YEAR = 365 * 24 * 3600


@router.get("/setup")
def setup(request: Request, session: ReadSession) -> Response:
    if not service.needs_owner(session):
        return RedirectResponse("/sign-in", 303)
    return page(request, "pages/setup.html", minimum=passwords.MINIMUM_PASSWORD)


@router.post("/setup")
@audited("installation.set_up")
def make_owner(
    request: Request,
    form: Annotated[SetupForm, Form()],
    _turn: PasswordTurn,
    reading: ReadSession,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    if not service.needs_owner(reading):
        raise errors.AlreadySetUp()
    reading.close()  # nothing is held while a password is hashed
    if form.password != form.password_again:
        raise errors.PasswordsDiffer()
    password_hash = passwords.hash_password(form.password)
    user, _workspace = service.create_owner(
        session,
        name=form.name,
        email=form.email,
        password_hash=password_hash,
        workspace_name=form.workspace_name,
        locale=form.locale,
    )
    audit.by(session, id=user.id, name=user.name)
    return welcome(request, session, user, settings)


@router.get("/sign-in")
def sign_in_page(
    request: Request, session: ReadSession, settings: AppSettings, next: Annotated[Address, Query()] = ""
) -> Response:
    if service.needs_owner(session):
        return RedirectResponse("/setup", 303)
    if request.state.visitor is not None:
        return RedirectResponse(own_path(next), 303)
    return page(request, "pages/sign_in.html", next=own_path(next), passkeys_work=passkeys_work(request, settings))


@router.post("/sign-in")
@audited("session.opened")
def sign_in(
    request: Request,
    form: Annotated[SignInForm, Form()],
    _turn: PasswordTurn,
    reading: ReadSession,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    count_try(request, settings, form.email)
    known = service.check_password(reading, email=form.email, password=form.password)
    forget_tries(request, settings, form.email)
    return welcome_or_ask(request, reading, session, known, settings, next=form.next)


@router.post("/sign-out")
@audited("session.closed")
def sign_out(request: Request, visitor: Viewer, session: WriteSession) -> Response:
    leave(request, session)
    text = translate(request.state.locale, N_("You are signed out."))
    response = go(request, "/sign-in", Flash("ok", text))
    let_out(response)
    return response


@router.post("/preferences")
@audited("person.changed")
def prefer(request: Request, form: Annotated[PreferencesForm, Form()], session: WriteSession) -> Response:
    """Language and brightness: kept with the person, and in the browser for when nobody is signed in."""
    if request.state.visitor is not None:
        service.prefer(session, user_id=request.state.visitor.user.id, locale=form.locale, theme=form.theme)
    response = go(request, own_path(form.next))
    for name, value in ((LOCALE_COOKIE, form.locale), (THEME_COOKIE, form.theme)):
        if value is not None:
            response.set_cookie(name, value, max_age=YEAR, samesite="lax", httponly=True)
    return response


@router.get("/invitations/accept")
def invitation_page(request: Request, session: ReadSession, invitation: Annotated[Signed, Query()] = "") -> Response:
    found = members.open_invitation(session, request.app.state.signing_key, invitation)
    return page(
        request,
        "pages/accept_invitation.html",
        signed=invitation,
        invitation=found,
        workspace=queries.workspace(session, found.workspace_id),
        known=queries.is_known(session, found.email),
        minimum=passwords.MINIMUM_PASSWORD,
    )


@router.post("/invitations/accept")
@audited("member.joined")
def accept(
    request: Request,
    form: Annotated[AcceptForm, Form()],
    _turn: PasswordTurn,
    reading: ReadSession,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    """Three ways in: as the person who is signed in, as one who gives their password, as somebody new."""
    invitation = members.open_invitation(reading, request.app.state.signing_key, form.invitation)
    visitor = request.state.visitor
    if visitor is not None:
        audit.by(session, id=visitor.user.id, name=visitor.user.name, link=invitation.id)
        workspace_id = members.accept_invitation(session, invitation_id=invitation.id, user_id=visitor.user.id)
        members.switch_workspace(
            session, user_id=visitor.user.id, session_id=visitor.session_id, workspace_id=workspace_id
        )
        return go(request, "/")
    if queries.is_known(reading, invitation.email):
        count_try(request, settings, invitation.email)
        known = service.check_password(reading, email=invitation.email, password=form.password)
        forget_tries(request, settings, invitation.email)
        return welcome_or_ask(request, reading, session, known, settings, invitation_id=invitation.id)
    reading.close()
    password_hash = passwords.hash_password(form.password)
    user = service.create_person(
        session, name=form.name, email=invitation.email, password_hash=password_hash, locale=request.state.locale
    )
    return welcome(request, session, user, settings, invitation_id=invitation.id)
