"""The door: first set-up, sign in and out, an invitation, and how one likes to see the pages."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from app.accounts import errors, members, passwords, queries, service
from app.accounts.forms import AcceptForm, Address, PreferencesForm, SetupForm, Signed, SignInForm
from app.audit import service as audit
from app.errors import N_
from app.web.answers import go, own_path
from app.web.audited import audited
from app.web.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate import LOCALE_COOKIE, THEME_COOKIE
from app.web.language import translate
from app.web.session_cookie import count_try, forget_tries, let_in, let_out, remember_device
from app.web.session_deps import AppSettings, PasswordTurn, ReadSession, WriteSession
from app.web.signed_in import Viewer
from app.web.templating import page

router = APIRouter(route_class=DeferredRoute)
YEAR = 365 * 24 * 3600


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


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
    response = go(request, "/")
    let_in(request, response, service.open_session(session, user, user_agent=_agent(request)))
    remember_device(request, response, user.email)
    return response


@router.get("/sign-in")
def sign_in_page(request: Request, session: ReadSession, next: Annotated[Address, Query()] = "") -> Response:
    if service.needs_owner(session):
        return RedirectResponse("/setup", 303)
    if request.state.visitor is not None:
        return RedirectResponse(own_path(next), 303)
    return page(request, "pages/sign_in.html", next=own_path(next))


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
    user = service.still(session, known)
    audit.by(session, id=user.id, name=user.name)
    _leave(request, session)
    response = go(request, own_path(form.next))
    let_in(request, response, service.open_session(session, user, user_agent=_agent(request)))
    remember_device(request, response, user.email)
    return response


def _leave(request: Request, session: WriteSession) -> None:
    """End the session that this browser had before, if any: nobody finds themselves in another's."""
    visitor = request.state.visitor
    if visitor is not None:
        service.close_session(session, user_id=visitor.user.id, session_id=visitor.session_id)


@router.post("/sign-out")
@audited("session.closed")
def sign_out(request: Request, visitor: Viewer, session: WriteSession) -> Response:
    _leave(request, session)
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
        user = service.still(session, known)
    else:
        reading.close()
        password_hash = passwords.hash_password(form.password)
        user = service.create_person(
            session,
            name=form.name,
            email=invitation.email,
            password_hash=password_hash,
            locale=request.state.locale,
        )
    audit.by(session, id=user.id, name=user.name, link=invitation.id)
    workspace_id = members.accept_invitation(session, invitation_id=invitation.id, user_id=user.id)
    response = go(request, "/")
    token = service.open_session(session, user, user_agent=_agent(request), workspace_id=workspace_id)
    let_in(request, response, token)
    remember_device(request, response, user.email)
    return response
