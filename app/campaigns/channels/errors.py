"""What can be wrong with a channel, in sentences."""

from app.errors import N_, Conflict, Invalid


class ChannelNameTaken(Conflict):
    field = "name"
    sentence = N_("A channel called “%(name)s” already exists. Please choose another name.")


class TooManyChannels(Invalid):
    """Params: most."""

    sentence = N_("A workspace can add up to %(most)s channels. Please remove one first.")


class ChannelSize(Invalid):
    """Params: least, most, proportion, megapixels."""

    sentence = N_(
        "Each side takes %(least)s to %(most)s pixels, the longer at most %(proportion)s times the shorter, and both "
        "together at most %(megapixels)s megapixels. A large print needs fewer dots per inch."
    )


class NothingFree(Invalid):
    sentence = N_("The safe zones leave too little room for an ad. Please make them smaller.")


class PrintIncomplete(Invalid):
    sentence = N_("A print needs its width and height in millimetres.")


class PixelsMissing(Invalid):
    sentence = N_("Please enter the width and height in pixels.")
