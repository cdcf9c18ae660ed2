"""What the arms of a request are called on pages and in files."""

from app.errors import N_

ARM_NAMES = {
    "adapter": N_("The brand's voice"),
    "prompted_base": N_("Base model with a style guide"),
    "base": N_("Base model alone"),
}
