"""What can go wrong with people and keys."""

from app.errors import N_, Conflict, Forbidden, Invalid, NotFound


class WrongCredentials(Invalid):
    sentence = N_("That e-mail address and password do not match. Please check both.")


class NoWorkspace(Forbidden):
    sentence = N_("You do not belong to a workspace any more. Ask an owner for an invitation.")


class WrongPassword(Invalid):
    sentence = N_("That is not your present password. Nothing was changed.")


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
