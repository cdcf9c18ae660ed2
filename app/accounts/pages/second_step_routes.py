"""The second step of a sign-in, and signing in with a passkey alone."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from app.accounts import errors, members, passkeys, second_factors, service
from app.accounts.forms import CodeForm, PasskeySignInForm
from app.accounts.models import User
from app.accounts.pages.member_routes import base_url
from app.accounts.service import Proven
from app.audit import service as audit
from app.web.answers import go, own_path
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.gate import rate_limit
from app.web.gate.second_step import (
    Pending,
    ask,
    challenge_of,
    count_code,
    forget_codes,
    forget_pending,
    pending,
    relying_party,
    wait_for_second_step,
)
from app.web.gate.session_cookie import address_of, let_in, remember_device
from app.web.session_deps import AppSettings, ReadSession, WriteSession
from app.web.templating import page

router = APIRouter(prefix="/sign-in", route_class=DeferredRoute)
PURPOSE = "sign in"


def leave(request: Request, session: WriteSession) -> None:
    """End the session that this browser had before, if any: nobody finds themselves in another's."""
    visitor = request.state.visitor
    if visitor is not None:
        service.close_session(session, user_id=visitor.user.id, session_id=visitor.session_id)


def welcome(
    request: Request,
    session: WriteSession,
    user: User,
    settings: AppSettings,
    *,
    next: str = "",
    invitation_id: str = "",
) -> Response:
    """Let somebody in who has proved who they are; an invitation that brought them here is accepted on the way."""
    audit.by(session, id=user.id, name=user.name, link=invitation_id or None)
    leave(request, session)
    workspace_id = None
    if invitation_id:
        audit.named(session, "member.joined")
        workspace_id = members.accept_invitation(session, invitation_id=invitation_id, user_id=user.id)
    token = service.open_session(
        session,
        user,
        user_agent=request.headers.get("user-agent", ""),
        workspace_id=workspace_id,
        life=settings.sign_in_life,
    )
    response = go(request, own_path(next))
    let_in(request, response, token)
    remember_device(request, response, user.email)
    forget_pending(request, response)
    return response


def welcome_or_ask(
    request: Request,
    reading: ReadSession,
    session: WriteSession,
    proven: Proven,
    settings: AppSettings,
    *,
    next: str = "",
    invitation_id: str = "",
) -> Response:
    """After a right password: in, or on to the second step where the person has one."""
    if not second_factors.has_one(reading, proven.user_id):
        user = service.still(session, proven)
        return welcome(request, session, user, settings, next=next, invitation_id=invitation_id)
    response = go(request, "/sign-in/second-step")
    wait_for_second_step(request, response, proven, next=own_path(next), invitation_id=invitation_id)
    return response


def _waiting(request: Request, session: ReadSession | WriteSession) -> tuple[Pending, User]:
    """Raises ``SignInTooOld`` without a right password some minutes ago."""
    waiting = pending(request)
    user = service.find(session, waiting.user_id) if waiting else None
    if waiting is None or user is None or not waiting.fits(user):
        raise errors.SignInTooOld()
    return waiting, user


@router.get("/second-step")
def second_step(request: Request, session: ReadSession, settings: AppSettings) -> Response:
    try:
        _pending, user = _waiting(request, session)
    except errors.SignInTooOld:
        return RedirectResponse("/sign-in", 303)
    return page(
        request,
        "pages/second_step.html",
        state=second_factors.state(session, user.id),
        passkeys_work=passkeys_work(request, settings),
    )


def passkeys_work(request: Request, settings: AppSettings) -> bool:
    """Whether browsers allow them under the address that Livery is reached by."""
    try:
        relying_party(base_url(request, settings))
    except errors.PasskeysNeedAName:
        return False
    return True


@router.post("/second-step")
@audited("session.opened")
def check_code(
    request: Request,
    form: Annotated[CodeForm, Form()],
    reading: ReadSession,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    waiting, known = _waiting(request, reading)
    count_code(request, settings, known)
    _pending, user = _waiting(request, session)
    second_factors.check_code(session, request.app.state.signing_key, user_id=user.id, code=form.code)
    forget_codes(request, settings, user)
    return welcome(request, session, user, settings, next=waiting.next, invitation_id=waiting.invitation_id)


@router.post("/passkey/options")
def passkey_options(request: Request, session: ReadSession, settings: AppSettings) -> Response:
    """For the person whose password was right, their passkeys; for anybody else whatever their device knows."""
    try:
        user_id = _waiting(request, session)[1].id
    except errors.SignInTooOld:
        user_id = None
    party = relying_party(base_url(request, settings))
    return ask(request, passkeys.sign_in(session, party, user_id=user_id), PURPOSE)


@router.post("/passkey")
@audited("session.opened")
def passkey(
    request: Request, form: Annotated[PasskeySignInForm, Form()], session: WriteSession, settings: AppSettings
) -> Response:
    """A passkey has asked for a finger, face or PIN, so it needs no password beside it."""
    rate_limit.count(settings.broker_url, rate_limit.SIGN_IN_BY_ADDRESS, address_of(request))
    challenge = challenge_of(request, settings, PURPOSE)
    party = relying_party(base_url(request, settings))
    user = passkeys.check(session, party, challenge=challenge, credential=form.credential)
    waiting = pending(request)
    if waiting is not None and waiting.fits(user):
        return welcome(request, session, user, settings, next=waiting.next, invitation_id=waiting.invitation_id)
    return welcome(request, session, user, settings, next=form.next)
