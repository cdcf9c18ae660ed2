"""What can go wrong in the gallery, in sentences."""

from app.errors import N_, Conflict, Invalid


class NothingChosen(Invalid):
    sentence = N_("Please choose at least one picture first.")


class NoSuchCampaign(Invalid):
    sentence = N_("This campaign is not there any more. Please choose another.")


class NameTaken(Conflict):
    sentence = N_("There is a campaign “%(name)s” already. Please choose another name, or use that one.")


class EmptyName(Invalid):
    sentence = N_("Please give it a name.")


class TooManyTags(Conflict):
    sentence = N_("A picture can carry at most %(most)s tags.")


class TooLateToUndo(Conflict):
    sentence = N_("This cannot be taken back any more.")
