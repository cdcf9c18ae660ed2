"""What is said of a finding, by its code. The numbers of a finding fill its sentence."""

from app.errors import N_

SENTENCES = {
    "text_too_long": N_(
        "The text is too long: it fits at %(size_px)s px only, below the least size of %(least_px)s px."
    ),
    "letters_missing": N_("The fonts lack %(count)s of the characters; boxes are drawn in their place."),
    "font_missing": N_("The kit lacks the files of this font; the words are set in Livery's own font."),
    "font_unusable": N_("The layout engine cannot read this font; the words are set in Livery's own font."),
    "font_not_embeddable": N_("This font may not be embedded in PDFs; the words are set in Livery's own font."),
    "contrast_low": N_("The text is hard to read on what is behind it: contrast %(ratio)s, at least 4.5 is needed."),
    "outside_safe_zone": N_("A part lies where the app's own buttons may cover it, %(px)s px too far out."),
    "overlap": N_("Two parts of the ad overlap."),
    "logo_crowded": N_("Something stands in the clear space of the logo."),
    "logo_contrast": N_("The logo is hard to see on what is behind it: contrast %(ratio)s, at least 2 is needed."),
    "logo_enlarged": N_("The logo's file is too small and is enlarged by %(factor)s."),
    "picture_enlarged": N_("The picture is too small for its place and is enlarged by %(factor)s."),
}
"""Each code with its sentence."""
