"""What can go wrong in the gallery, in sentences."""

from app.errors import N_, Conflict, Invalid


class NothingChosen(Invalid):
    sentence = N_("Please choose at least one picture first.")


class TooManyTags(Conflict):
    sentence = N_("A picture can have at most %(most)s tags.")
