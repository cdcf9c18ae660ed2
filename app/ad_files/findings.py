"""What is said of a finding in a file, by its code. The numbers of a finding fill its sentence."""

from app.errors import N_

SENTENCES = {
    "quality_reduced": N_("The file only fits the channel's limit at quality %(quality)s. Check its edges."),
    "colours_reduced": N_("The file only fits the channel's limit with %(colours)s colours. Check soft gradients."),
}
"""Each code with its sentence."""
