"""The diagnosis in words, for pages and programs."""

from collections.abc import Mapping

from app.errors import N_
from app.images.diagnosis.scoring import Act, Part, PartScore
from app.web.language import ngettext

PARTS: Mapping[Part, str] = {
    "amount": N_("Number of sound pictures"),
    "twins": N_("No repeats"),
    "sharpness": N_("Sharpness"),
    "lettering": N_("Free of lettering"),
    "unity": N_("One style"),
    "captions": N_("Captions"),
    "variety": N_("Different subjects"),
    "background": N_("Different backgrounds"),
    "compression": N_("Clean compression"),
    "size": N_("Size"),
}
ACTS: Mapping[Part, tuple[str, str]] = {
    "amount": ngettext("Add %(num)s more picture", "Add %(num)s more pictures"),
    "variety": ngettext("Add %(num)s picture of something else", "Add %(num)s pictures of other subjects"),
    "background": ngettext("Add %(num)s picture on another background", "Add %(num)s pictures on other backgrounds"),
    "twins": ngettext("Exclude %(num)s picture that repeats another", "Exclude %(num)s pictures that repeat others"),
    "sharpness": ngettext("Exclude %(num)s blurry picture", "Exclude %(num)s blurry pictures"),
    "lettering": ngettext("Exclude %(num)s picture with lettering", "Exclude %(num)s pictures with lettering"),
    "unity": ngettext("Exclude %(num)s picture of another style", "Exclude %(num)s pictures of another style"),
    "compression": ngettext(
        "Exclude %(num)s picture with compression damage", "Exclude %(num)s pictures with compression damage"
    ),
    "size": ngettext("Exclude %(num)s picture that is too small", "Exclude %(num)s pictures that are too small"),
    "captions": ngettext("Write %(num)s caption from the file name", "Write %(num)s captions from the file names"),
}
TOLD = {
    "missing": N_("some are missing"),
    "alike": N_("some are all alike"),
    "style": N_("some describe the style, which the trigger word should carry"),
}


def sentence(act: Act) -> tuple[str, str]:
    """What the act does, of one and of several; to be said of ``amount``."""
    return ACTS[act.part]


def amount(act: Act) -> int:
    return act.missing if act.kind == "add" else len(act.ids)


def told(part: PartScore) -> list[str]:
    """What is wrong with captions, as sentences that can be translated."""
    return [TOLD[one] for one in part.told] if part.part == "captions" else []
