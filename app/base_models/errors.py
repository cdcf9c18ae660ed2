"""What can go wrong while a checkpoint is added."""

from app.errors import N_, Conflict, Invalid


class BadRepository(Invalid):
    field = "repository"
    sentence = N_("Models on the hub are named “owner/name”, for instance “my-company/our-checkpoint”.")


class BadFileName(Invalid):
    field = "file"
    sentence = N_(
        "Only safetensors files are accepted, because other checkpoint files can contain programs. Please "
        "enter the name of a file that ends in .safetensors."
    )


class NotLyingReady(Invalid):
    field = "entry"
    sentence = N_("“%(name)s” is not in the checkpoint folder on a worker's machine. Please choose another entry.")


class UnusableCheckpoint(Invalid):
    field = "entry"
    sentence = N_("“%(name)s” cannot be used: %(problem)s")


class HasItAlready(Conflict):
    sentence = N_("This checkpoint has already been added as “%(name)s”.")


class TooManyBases(Conflict):
    sentence = N_("A workspace can add at most %(count)s base models. Hide some that nobody uses.")


class UnknownKind(Invalid):
    field = "family"
    sentence = N_("Checkpoints of this kind cannot be added. Please choose another kind.")


class BadLanguages(Invalid):
    field = "languages"
    sentence = N_("Please enter languages as two- or three-letter codes, separated by spaces: “en de”.")


class NotOneFile(Invalid):
    field = "file"
    sentence = N_(
        "A language model consists of several files: weights, configuration and tokenizer. Leave this empty to "
        "fetch the whole repository."
    )
