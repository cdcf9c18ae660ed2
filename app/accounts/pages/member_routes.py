"""Who belongs to the workspace, and the workspaces that one belongs to."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from app.accounts import members, queries, recovery, second_factors
from app.accounts.forms import InviteForm, NameForm, RoleForm, SwitchForm
from app.errors import N_
from app.settings import Settings
from app.web.answers import go, own_path
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate import rate_limit
from app.web.gate.signed_in import Owner, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate, translations
from app.web.session_deps import AppSettings, ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
OWN_WITHDRAWN = N_("Your open invitations and links have been withdrawn.")


SECOND_FACTOR_REMOVED = N_("%(name)s has been signed out everywhere and signs in with the password alone again.")


def base_url(request: Request, settings: Settings) -> str:
    """The address that people reach this Livery under, as far as it is known."""
    return settings.public_url or str(request.base_url)


def ngettext(one: str, many: str, num: int) -> tuple[str, str, int]:
    """Mark a sentence with a number for translation; ``_and_withdrawn`` speaks it."""
    return one, many, num


def _and_withdrawn(request: Request, sentence: str, withdrawn: members.Withdrawn) -> str:
    """What happened, and which of the person's links ended with it."""
    locale = request.state.locale
    told = [translate(locale, sentence)]
    for words in (
        ngettext(
            "%(num)s open invitation from them has been withdrawn.",
            "%(num)s open invitations from them have been withdrawn.",
            withdrawn.invitations,
        ),
        ngettext(
            "%(num)s password reset link that they created no longer works.",
            "%(num)s password reset links that they created no longer work.",
            withdrawn.reset_links,
        ),
    ):
        if words[2]:
            told.append(translations(locale).ngettext(*words) % {"num": words[2]})
    return " ".join(told)


def _done(request: Request, sentence: str, where: str = "/members") -> Response:
    return go(request, where, Flash("ok", translate(request.state.locale, sentence)))


@router.get("/members")
def show(request: Request, visitor: Viewer, session: ReadSession, settings: AppSettings) -> Response:
    return _page(request, visitor, session, settings)


def _page(
    request: Request, visitor: Visitor, session: ReadSession, settings: Settings, made: dict[str, Any] | None = None
) -> Response:
    """The page; ``made`` is a one-time link made just now, which is shown this once."""
    key, base = request.app.state.signing_key, base_url(request, settings)
    open_ones = queries.open_invitations(session, visitor.workspace.id) if visitor.is_owner else []
    return page(
        request,
        "pages/members.html",
        members=queries.members(session, visitor.workspace.id),
        invitations=[(one, members.invitation_link(key, one.id, base)) for one in open_ones],
        made=made,
    )


@router.post("/members/{user_id}/role")
@audited("member.role_changed")
def change_role(
    request: Request, user_id: RowId, form: Annotated[RoleForm, Form()], visitor: Owner, session: WriteSession
) -> Response:
    done = members.change_role(session, workspace_id=visitor.workspace.id, user_id=user_id, role=form.role)
    text = _and_withdrawn(request, N_("Role changed. It applies immediately."), done)
    return go(request, "/members", Flash("ok", text))


@router.post("/members/{user_id}/remove")
@audited("member.removed")
def remove(request: Request, user_id: RowId, visitor: Owner, session: WriteSession) -> Response:
    done = members.remove_member(session, workspace_id=visitor.workspace.id, user_id=user_id)
    sentence = N_("This person no longer belongs to the workspace. What they created stays.")
    return go(request, "/members", Flash("ok", _and_withdrawn(request, sentence, done)))


@router.post("/members/leave")
@audited("member.left")
def leave(request: Request, visitor: Viewer, session: WriteSession) -> Response:
    done = members.remove_member(session, workspace_id=visitor.workspace.id, user_id=visitor.user.id)
    text = translate(request.state.locale, N_("You have left the workspace."))
    if any(done):
        text += " " + translate(request.state.locale, OWN_WITHDRAWN)
    return go(request, "/sign-in", Flash("ok", text))


@router.post("/members/{user_id}/reset-link")
@audited("reset_link.created")
def make_reset_link(
    request: Request, user_id: RowId, visitor: Owner, session: WriteSession, settings: AppSettings
) -> Response:
    """The only answer that ever holds the link, so this one is a page and not a way to the next."""
    rate_limit.count(settings.broker_url, rate_limit.INVITATIONS, visitor.workspace.id)
    where = {"workspace_id": visitor.workspace.id}
    user = recovery.check_reach(session, user_id=user_id, owner_id=visitor.user.id, only_here=False, **where)
    link, token = recovery.make_link(session, user_id=user_id, made_by=visitor.user.id, **where)
    address = recovery.link_address(base_url(request, settings), token)
    made = {"name": user.name, "address": address, "expires_at": link.expires_at}
    return _page(request, visitor, session, settings, made)


@router.post("/members/{user_id}/second-factor/remove")
@audited("member.second_factor_removed")
def remove_second_factor(request: Request, user_id: RowId, visitor: Owner, session: WriteSession) -> Response:
    """For somebody who lost their device. With a link for a new password it lets whoever holds the link in as them, so
    it has the same limits."""
    where = {"workspace_id": visitor.workspace.id}
    user = recovery.check_reach(session, user_id=user_id, owner_id=visitor.user.id, only_here=False, **where)
    second_factors.remove_all(session, user_id)
    text = translate(request.state.locale, SECOND_FACTOR_REMOVED, name=user.name)
    return go(request, "/members", Flash("ok", text))


@router.post("/members/invitations")
@audited("invitation.created")
def invite(
    request: Request,
    form: Annotated[InviteForm, Form()],
    visitor: Owner,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    rate_limit.count(settings.broker_url, rate_limit.INVITATIONS, visitor.workspace.id)
    members.invite(
        session, workspace_id=visitor.workspace.id, email=form.email, role=form.role, invited_by=visitor.user.id
    )
    return _done(request, N_("The invitation is ready. Copy its link and send it to the person."))


@router.post("/members/invitations/{invitation_id}/withdraw")
@audited("invitation.withdrawn")
def withdraw(request: Request, invitation_id: RowId, visitor: Owner, session: WriteSession) -> Response:
    members.withdraw_invitation(session, workspace_id=visitor.workspace.id, invitation_id=invitation_id)
    return _done(request, N_("Invitation withdrawn. Its link no longer works."))


@router.get("/workspaces")
def workspaces(request: Request, visitor: Viewer, session: ReadSession, settings: AppSettings) -> Response:
    return page(
        request,
        "pages/workspaces.html",
        workspaces=queries.workspaces_of(session, visitor.user.id),
        may_make=queries.may_make_workspaces(session, user_id=visitor.user.id, by=settings.workspaces_by),
        by=settings.workspaces_by,
    )


@router.post("/workspaces")
@audited("workspace.created")
def create(
    request: Request, form: Annotated[NameForm, Form()], visitor: Viewer, session: WriteSession, settings: AppSettings
) -> Response:
    queries.check_may_make_workspaces(session, user_id=visitor.user.id, by=settings.workspaces_by)
    made = members.create_workspace(session, user_id=visitor.user.id, name=form.name)
    return _switch(request, visitor, session, made.id)


@router.post("/workspace/switch")
@audited("session.switched")
def switch(request: Request, form: Annotated[SwitchForm, Form()], visitor: Viewer, session: WriteSession) -> Response:
    return _switch(request, visitor, session, form.workspace_id, own_path(form.next))


def _switch(request: Request, visitor: Visitor, session: WriteSession, workspace_id: str, to: str = "/") -> Response:
    members.switch_workspace(session, user_id=visitor.user.id, session_id=visitor.session_id, workspace_id=workspace_id)
    return go(request, to)
