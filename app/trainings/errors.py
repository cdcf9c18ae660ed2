"""Why a training cannot be started, and what to do about it."""

from app.errors import N_, Conflict, Invalid


class TooFewPictures(Conflict):
    sentence = N_(
        "Too few pictures to learn from: %(count)s. At least %(needed)s are needed; 10 to 30 are good. Please add more."
    )


class TooFewTexts(Conflict):
    sentence = N_(
        "Too few texts to learn from: %(count)s. At least %(needed)s are needed; %(enough)s are recommended. "
        "Please add more."
    )


class BadResolution(Invalid):
    field = "resolution"
    sentence = N_(
        "%(base)s trains at %(smallest)s to %(largest)s pixels, in steps of %(multiple)s; %(resolution)s does not fit."
    )


class AlreadyStarted(Conflict):
    sentence = N_("This training has already been requested. Reload the page to request another one.")


class BrandArchived(Conflict):
    sentence = N_("This brand is archived. Restore it from the archive first.")


class NoTextEncoder(Invalid):
    field = "train_text_encoder"
    sentence = N_(
        "The text encoder of %(base)s cannot be trained, only the part that draws. Please switch text encoder "
        "training off."
    )


class DeviceTooSmall(Conflict):
    sentence = N_(
        "The worker that took this training has less memory than planned, and the training does not fit there "
        "in any form. Limit training to workers with more memory, or choose something smaller, then start it "
        "again."
    )


class NotOnThisBase(Invalid):
    sentence = N_("%(base)s does not support %(fields)s. Please leave it out, or choose a base model that supports it.")


class DoraAlone(Invalid):
    field = "network"
    sentence = N_(
        "A DoRA adapter cannot include the text encoder: diffusers would ignore the magnitudes learned there "
        "and draw something else. Choose another kind of adapter, or leave the text encoder as it is."
    )


class LokrAlone(Invalid):
    field = "network"
    sentence = N_(
        "A LoKr adapter cannot include the text encoder: no program would load it. Choose another kind of adapter, or "
        "leave the text encoder as it is."
    )


class NoChatTemplate(Invalid):
    field = "kind"
    sentence = N_(
        "%(base)s has no chat template, so it cannot answer briefs. Let the voice learn the texts as they are, or "
        "choose another base model."
    )
