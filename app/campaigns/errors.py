"""What can be wrong with a campaign, in sentences."""

from app.errors import N_, Conflict, Invalid


class NoSuchCampaign(Invalid):
    sentence = N_("This campaign is not there any more. Please choose another.")


class NameTaken(Conflict):
    sentence = N_("There is a campaign “%(name)s” already. Please choose another name, or use that one.")


class EmptyName(Invalid):
    sentence = N_("Please give it a name.")
