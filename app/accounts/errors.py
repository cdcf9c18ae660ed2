"""What can go wrong with people and keys."""

from app.errors import N_, AppError, Conflict, Forbidden, Invalid, NotFound


class WrongCredentials(Invalid):
    sentence = N_("That e-mail address and password do not match. Please check both.")


class ManyPasswords(AppError):
    """Params: seconds."""

    status = 503
    sentence = N_("Many people are signing in just now. Please try again in %(seconds)s seconds.")


class NoWorkspace(Forbidden):
    sentence = N_("You do not belong to a workspace any more. Ask an owner for an invitation.")


class WrongPassword(Invalid):
    sentence = N_("That is not your present password. Nothing was changed.")


class PresentPasswordNeeded(Invalid):
    sentence = N_("You signed in a while ago. Reload this page and give your present password, too.")


class PasswordsDiffer(Invalid):
    sentence = N_("The two passwords are not the same. Please type them again.")


class AlreadySetUp(Conflict):
    sentence = N_("This Livery already has an owner. Please sign in.")


class BadEmail(Invalid):
    sentence = N_("“%(email)s” does not look like an e-mail address.")


class WeakPassword(Invalid):
    sentence = N_("Please choose a password of at least %(minimum)s characters; a short sentence works well.")


class NameMissing(Invalid):
    sentence = N_("Please give a name.")


class EmailTaken(Conflict):
    sentence = N_("Somebody with the address “%(email)s” is here already. Sign in, or use another address.")


class InvitationSpent(NotFound):
    sentence = N_("This invitation has been used, withdrawn or has expired. Ask for a new one.")


class LastOwner(Conflict):
    sentence = N_("A workspace needs at least one owner. Make somebody else owner first.")


class ReadOnlyToken(Forbidden):
    sentence = N_("This token may only read. Make one that may also write.")


class AlreadyMember(Conflict):
    sentence = N_("“%(email)s” belongs to this workspace already.")


class TooManyTokens(Conflict):
    sentence = N_("%(count)s tokens are enough for one person. Revoke one that is not used any more.")


class ResetLinkSpent(NotFound):
    sentence = N_("This link has been used, replaced or has expired. Ask the person who gave it to you for a new one.")


class OwnPassword(Conflict):
    sentence = N_("This is for others. Change your own password under “Your account”, or ask another owner for a link.")


class NotYoursAlone(Conflict):
    """Params: name, email."""

    sentence = N_(
        "%(name)s also belongs to a workspace that you do not own, so you cannot do this for them. Whoever runs this "
        "Livery can, on its machine: python -m app.rescue %(email)s"
    )


class NobodyWithAddress(NotFound):
    """Only ever said on the machine itself. Params: email."""

    sentence = N_("Nobody here has the address “%(email)s”.")


class NoSuchWorkspace(NotFound):
    """Params: name."""

    sentence = N_("There is no workspace “%(name)s”.")


class SeveralWorkspaces(Conflict):
    """Params: name, ids."""

    sentence = N_("Several workspaces are called “%(name)s”. Give the id of one of them: %(ids)s")


class HasAnOwner(Conflict):
    """Params: name."""

    sentence = N_("“%(name)s” has an owner. Owners make others owners, on the members' page.")


class WrongCode(Invalid):
    field = "code"
    sentence = N_("That code does not count. Type the one that the app shows now; each works once.")


class SetupTooOld(Conflict):
    sentence = N_("This page is too old to set up the app. Reload it and scan the new code.")


class AppAlreadyThere(Conflict):
    sentence = N_("An authenticator app is set up already. Remove it first.")


class SecretUnreadable(Conflict):
    sentence = N_(
        "The app's codes can no longer be checked, because this Livery's secret key has changed. Use a recovery code "
        "or a passkey, then set the app up anew."
    )


class NoSecondFactor(Conflict):
    sentence = N_("There is no second factor to go with these codes. Set one up first.")


class SecondFactorFirst(Conflict):
    sentence = N_("Set up a second factor for yourself first, or you would lock yourself out of this workspace.")


class SecondFactorNeeded(Forbidden):
    sentence = N_(
        "This workspace asks everybody for a second factor, and you have none. Set one up on the page “Your account”."
    )


class SignInTooOld(Invalid):
    sentence = N_("That took too long. Please sign in again.")


class PasskeyRefused(Invalid):
    sentence = N_("This passkey was not accepted. Try again, or choose another way.")


class PasskeyCopied(Invalid):
    sentence = N_(
        "This passkey says it was used less often than Livery knows, so it may be a copy. It was not accepted."
    )


class PasskeyAlreadyThere(Conflict):
    sentence = N_("This passkey is set up already.")


class TooManyPasskeys(Conflict):
    """Params: count."""

    sentence = N_("%(count)s passkeys are enough for one person. Remove one that is not used any more.")


class PasskeysNeedAName(Conflict):
    sentence = N_(
        "Passkeys need a name in the address, such as livery.example.org or localhost; under a number browsers refuse "
        "them."
    )


class NoFurtherWorkspaces(Forbidden):
    sentence = N_("Nobody can make further workspaces on this Livery; whoever runs it has set it so.")


class WorkspacesByFirstOwners(Forbidden):
    sentence = N_("Only owners of the first workspace can make further ones on this Livery. Ask one of them.")
