"""What can go wrong while a checkpoint is added."""

from app.errors import N_, Conflict, Invalid


class BadRepository(Invalid):
    field = "repository"
    sentence = N_("A model on the hub is named “owner/name”, for instance “my-company/our-checkpoint”.")


class BadFileName(Invalid):
    field = "file"
    sentence = N_(
        "Only safetensors files are taken, because other checkpoint files can carry programs. Please give the name of "
        "a file that ends in .safetensors."
    )


class NotLyingReady(Invalid):
    field = "entry"
    sentence = N_("“%(name)s” is not in the folder of checkpoints on a worker's machine. Please choose another entry.")


class UnusableCheckpoint(Invalid):
    field = "entry"
    sentence = N_("“%(name)s” cannot be used: %(problem)s")


class HasItAlready(Conflict):
    sentence = N_("“%(name)s” is this very checkpoint already.")


class TooManyBases(Conflict):
    sentence = N_("%(count)s base models are the most that a workspace may add. Put away some that nobody uses.")


class UnknownKind(Invalid):
    field = "family"
    sentence = N_("A checkpoint of that kind cannot be added. Please choose another kind.")


class BadLanguages(Invalid):
    field = "languages"
    sentence = N_("Please write languages as codes of two or three letters with spaces between them: “en de”.")


class NotOneFile(Invalid):
    field = "file"
    sentence = N_(
        "A language model is several files: its numbers, its configuration and its tokenizer. Leave this empty, and "
        "the whole repository is fetched."
    )
