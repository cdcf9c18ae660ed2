"""What can be wrong with a campaign, in sentences."""

from app.errors import N_, Conflict, Invalid


class NoSuchCampaign(Invalid):
    sentence = N_("This campaign no longer exists. Please choose another.")


class NameTaken(Conflict):
    sentence = N_("A campaign called “%(name)s” already exists. Please choose another name, or use that campaign.")


class EmptyName(Invalid):
    sentence = N_("Please enter a name.")
