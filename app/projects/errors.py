"""What can be wrong with a brand, and what to do about it."""

from app.errors import N_, Invalid


class BadTriggerWord(Invalid):
    sentence = N_(
        "A trigger word is one word of 3 to 40 letters, digits, “-” or “_”, without spaces or umlauts. "
        "Try “%(suggestion)s”."
    )


class NameDiffers(Invalid):
    sentence = N_("That is not the brand's name, so nothing was deleted. Type “%(name)s” to delete it.")
