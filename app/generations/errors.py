"""What can go wrong with an order for pictures, in sentences."""

from app.errors import N_, Conflict, Invalid


class NoSuchChannel(Invalid):
    sentence = N_("Please choose one of the formats shown.")


class EmptyPrompt(Invalid):
    field = "prompt"
    sentence = N_("Please describe the picture first; a few words are enough.")


class PromptTooLong(Invalid):
    field = "prompt"
    sentence = N_("This description is too long. Please keep it under 2,000 characters.")


class OtherScheduler(Invalid):
    field = "scheduler"
    sentence = N_("%(base)s does not support the sampler “%(name)s”. Please choose one of: %(known)s.")


class NoSuchAdapter(Invalid):
    sentence = N_("One of the chosen adapters no longer exists. Please choose another.")


class TooManyAdapters(Invalid):
    sentence = N_("You can mix at most four adapters. Please remove one.")


class MixedBases(Conflict):
    sentence = N_(
        "“%(first)s” and “%(second)s” were trained on different base models and cannot be mixed. "
        "Please keep one of them."
    )


class OtherBase(Conflict):
    field = "base_model"
    sentence = N_(
        "“%(adapter)s” works only with the base model it was trained on. Remove the base model or the adapter."
    )


class OtherEdition(Conflict):
    sentence = N_(
        "“%(adapter)s”, version %(version)s, was trained on an earlier edition of %(base)s and does not fit "
        "the current one. Train the brand again, or remove the adapter."
    )


class BaseGone(Conflict):
    sentence = N_("The base model “%(key)s” is no longer in the list. Please choose another adapter.")


class BadMask(Invalid):
    sentence = N_("The mask cannot be read. Please paint it again, or upload it as a PNG.")


class MaskKeepsAll(Invalid):
    sentence = N_("The mask leaves nothing to draw. Please paint over the part that should change.")


class NoStartPicture(Invalid):
    sentence = N_("Please choose the picture for this mask first.")


class TooLargeToEnlarge(Conflict):
    sentence = N_(
        "Enlarged %(times)s times, this picture would have %(width)s × %(height)s pixels. At most 8,192 pixels a side "
        "and 40 megapixels in all are possible."
    )


class NothingToCompare(Conflict):
    sentence = N_("This picture was made without an adapter, so there is nothing to compare it with.")
