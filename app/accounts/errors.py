"""What can go wrong with people and keys."""

from app.errors import N_, AppError, Conflict, Forbidden, Invalid, NotFound


class WrongCredentials(Invalid):
    sentence = N_("The e-mail address and password do not match. Please check both.")


class ManyPasswords(AppError):
    """Params: seconds."""

    status = 503
    sentence = N_("Many people are signing in at the moment. Please try again in %(seconds)s seconds.")


class NoWorkspace(Forbidden):
    sentence = N_("You no longer belong to any workspace. Ask an owner for an invitation.")


class WrongPassword(Invalid):
    sentence = N_("This is not your current password. Nothing was changed.")


class PresentPasswordNeeded(Invalid):
    sentence = N_("You signed in a while ago. Reload this page and enter your current password as well.")


class PasswordsDiffer(Invalid):
    sentence = N_("The two passwords do not match. Please enter them again.")


class AlreadySetUp(Conflict):
    sentence = N_("This Livery already has an owner. Please sign in.")


class BadEmail(Invalid):
    sentence = N_("“%(email)s” does not look like an e-mail address.")


class WeakPassword(Invalid):
    sentence = N_("Please choose a password of at least %(minimum)s characters; a short sentence works well.")


class NameMissing(Invalid):
    sentence = N_("The name is missing. Please enter one.")


class EmailTaken(Conflict):
    sentence = N_("An account with the address “%(email)s” already exists. Sign in, or use another address.")


class InvitationSpent(NotFound):
    sentence = N_("This invitation has been used or withdrawn, or has expired. Ask for a new one.")


class LastOwner(Conflict):
    sentence = N_("A workspace needs at least one owner. Make someone else an owner first.")


class ReadOnlyToken(Forbidden):
    sentence = N_("This token is read-only. Create a token that may also write.")


class AlreadyMember(Conflict):
    sentence = N_("“%(email)s” already belongs to this workspace.")


class TooManyTokens(Conflict):
    sentence = N_("You have reached the limit of %(count)s tokens per person. Revoke one that you no longer use.")


class ResetLinkSpent(NotFound):
    sentence = N_(
        "This link has been used or replaced, or has expired. Ask the person who gave it to you for a new one."
    )


class OwnPassword(Conflict):
    sentence = N_(
        "This works only for other members. Change your own password under “Your account”, or ask another owner for "
        "a link."
    )


class NotYoursAlone(Conflict):
    """Params: name, email."""

    sentence = N_(
        "%(name)s also belongs to a workspace that you do not own, so you cannot do this for them. The person "
        "who runs this Livery can, on its machine: python -m app.rescue %(email)s"
    )


class NobodyWithAddress(NotFound):
    """Only ever said on the machine itself. Params: email."""

    sentence = N_("No account here has the address “%(email)s”.")


class NoSuchWorkspace(NotFound):
    """Params: name."""

    sentence = N_("There is no workspace “%(name)s”.")


class SeveralWorkspaces(Conflict):
    """Params: name, ids."""

    sentence = N_("Several workspaces are called “%(name)s”. Use one of these ids: %(ids)s")


class HasAnOwner(Conflict):
    """Params: name."""

    sentence = N_("“%(name)s” already has an owner. An owner can make others owners, on the members' page.")


class WrongCode(Invalid):
    field = "code"
    sentence = N_("This code is not valid. Enter the code that the app shows now; each code works once.")


class SetupTooOld(Conflict):
    sentence = N_("This page is too old to set up the app. Reload it and scan the new code.")


class AppAlreadyThere(Conflict):
    sentence = N_("An authenticator app is already set up. Remove it first.")


class SecretUnreadable(Conflict):
    sentence = N_(
        "Livery can no longer check the app's codes, because this Livery's secret key has changed. Use a "
        "recovery code or a passkey, then set the app up again."
    )


class NoSecondFactor(Conflict):
    sentence = N_("Recovery codes need a second factor. Set one up first.")


class SecondFactorFirst(Conflict):
    sentence = N_("Set up your own second factor first. Otherwise you would lock yourself out of this workspace.")


class SecondFactorNeeded(Forbidden):
    sentence = N_(
        "This workspace requires everyone to have a second factor, and you have none. Set one up on the page "
        "“Your account”."
    )


class SignInTooOld(Invalid):
    sentence = N_("The sign-in took too long. Please sign in again.")


class PasskeyRefused(Invalid):
    sentence = N_("This passkey was not accepted. Try again, or choose another way.")


class PasskeyCopied(Invalid):
    sentence = N_(
        "This passkey reports fewer sign-ins than Livery has recorded, so it may be a copy. It was not accepted."
    )


class PasskeyAlreadyThere(Conflict):
    sentence = N_("This passkey is already set up.")


class TooManyPasskeys(Conflict):
    """Params: count."""

    sentence = N_("You have reached the limit of %(count)s passkeys per person. Remove one that you no longer use.")


class PasskeysNeedAName(Conflict):
    sentence = N_(
        "Passkeys need a host name in the address, such as livery.example.org or localhost. Browsers refuse "
        "passkeys at an IP address."
    )


class NoFurtherWorkspaces(Forbidden):
    sentence = N_("Nobody can create new workspaces on this Livery. The person who runs it has turned this off.")


class WorkspacesByFirstOwners(Forbidden):
    sentence = N_("Only owners of the first workspace can create new ones on this Livery. Ask one of them.")
