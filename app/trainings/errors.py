"""Why a training cannot be started, and what to do about it."""

from app.errors import N_, Conflict, Invalid


class TooFewPictures(Conflict):
    sentence = N_(
        "Too few pictures to learn from: %(count)s. At least %(needed)s are needed, 10 to 30 are good. Please add some."
    )


class TooFewTexts(Conflict):
    sentence = N_(
        "Too few texts to learn from: %(count)s. At least %(needed)s are needed, %(enough)s would do. Please add some."
    )


class BadResolution(Invalid):
    field = "resolution"
    sentence = N_(
        "%(base)s trains at %(smallest)s to %(largest)s pixels, in steps of %(multiple)s; %(resolution)s does not fit."
    )


class AlreadyStarted(Conflict):
    sentence = N_("This order has been placed already. Reload the page to place another one.")


class BrandArchived(Conflict):
    sentence = N_("This brand is in the archive. Take it out first.")


class NoTextEncoder(Invalid):
    field = "train_text_encoder"
    sentence = N_("Of %(base)s no text encoder is trained, only what draws. Please switch that off.")


class DeviceTooSmall(Conflict):
    sentence = N_(
        "The worker that took this training has less memory than it was planned for, and on it no way to train fits. "
        "Let only workers with more memory train, or choose something smaller, and start it again."
    )


class NotOnThisBase(Invalid):
    sentence = N_(
        "%(fields)s: that means nothing on %(base)s. Please leave it out, or choose a base model that knows it."
    )


class DoraAlone(Invalid):
    field = "network"
    sentence = N_(
        "A DoRA adapter cannot include the text encoder: diffusers would leave out the lengths that it learned there, "
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
