"""What can go wrong with texts, in sentences."""

from app.errors import N_, Conflict, Invalid


class EmptyBrief(Invalid):
    sentence = N_("Please say what the text should be about; a few words are enough.")


class NoSuchTextChannel(Invalid):
    sentence = N_("Please choose one of the channels shown.")


class NoSuchVoice(Invalid):
    sentence = N_("The chosen voice no longer exists. Please choose another.")


class NoSuchVisual(Invalid):
    sentence = N_("The visual for this text no longer exists.")


class NoSuchCampaignForText(Invalid):
    sentence = N_("This campaign no longer exists. Please choose another.")


class NotWrittenYet(Conflict):
    sentence = N_("This text is still being written. Please wait until it is finished.")


class EmptyWording(Invalid):
    sentence = N_("The text is empty. Write something, or restore the model's wording.")


class AlreadyVoted(Conflict):
    sentence = N_("You have already voted on this pair; each pair counts once.")


class NothingToExport(Invalid):
    sentence = N_("There is no text to export with these filters.")


class RulesTooMany(Invalid):
    sentence = N_(
        "These rules exceed the limits: at most %(words)s words of up to 80 characters, %(claims)s sentences "
        "of up to 200 characters, and lengths between 10 and 20,000 characters."
    )
