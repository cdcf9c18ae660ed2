"""Why a brand guideline is not read, or what was ticked in it not taken over."""

from app.brand_kits.errors import KitFileRefused
from app.errors import N_, Invalid


class NotAPdf(KitFileRefused):
    """Params: name."""

    status = 415
    sentence = N_("“%(name)s” is not a PDF. Please export the brand guideline as PDF.")


class LockedPdf(KitFileRefused):
    """Params: name."""

    sentence = N_("“%(name)s” is protected by a password. Please save it without protection and add it again.")


class RunningPdf(KitFileRefused):
    """Params: name."""

    sentence = N_(
        "“%(name)s” contains scripts or starts programs, which a brand guideline must not. Please print it to a plain "
        "PDF and add that."
    )


class PackedPdf(KitFileRefused):
    """Params: name."""

    sentence = N_(
        "“%(name)s” carries other files inside. Please save it as a plain PDF without attachments and add that."
    )


class TooManyPages(KitFileRefused):
    """Params: name, pages, limit."""

    status = 413
    sentence = N_("“%(name)s” has %(pages)s pages; the limit is %(limit)s. Please keep the pages about the look.")


class PdfTooComplex(KitFileRefused):
    """Params: name."""

    sentence = N_(
        "“%(name)s” unpacks to far more than a brand guideline should. Please export it in a smaller size, or print it "
        "to a plain PDF."
    )


class BrokenPdf(KitFileRefused):
    """Params: name."""

    sentence = N_("“%(name)s” is damaged: its pages could not be found. Please export the PDF again.")


class NothingFound(KitFileRefused):
    """Params: name."""

    sentence = N_(
        "No colours, fonts, logos or rules were found in “%(name)s”. It may consist of scanned pages; please enter "
        "what you need by hand."
    )


class NothingTicked(Invalid):
    sentence = N_("Nothing is ticked. Please tick what the kit should get, or dismiss the proposals.")


class OneLogoEach(Invalid):
    sentence = N_("Two logos have the same use. A kit holds one logo for each; please choose another use for one.")


class OneColourEach(Invalid):
    sentence = N_("Two colours have the same role. Please give each role to one colour.")


class PaletteFull(Invalid):
    """Params: most."""

    sentence = N_("A palette holds up to %(most)s colours. Please tick fewer, or remove some from the palette first.")
