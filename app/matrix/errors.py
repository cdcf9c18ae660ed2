"""What can be wrong with a campaign's brief, cells and packs, in sentences."""

from app.errors import N_, Conflict, Forbidden, Invalid


class NoBrief(Invalid):
    sentence = N_("This campaign has no brief yet. Write the brief first.")


class BriefChanged(Conflict):
    sentence = N_("Somebody saved this brief after you opened it. Reload the page to see their version.")


class OtherBrand(Conflict):
    sentence = N_("This campaign belongs to another brand. Create a new campaign for this one.")


class BadBrief(Invalid):
    """Params: field."""

    sentence = N_("The brief is not complete: please check “%(field)s”.")


class NoSuchPlace(Invalid):
    """Params: key."""

    sentence = N_("There is no channel called “%(key)s”. Please choose from the list.")


class NoSuchLayout(Invalid):
    """Params: key."""

    sentence = N_("There is no layout called “%(key)s”. Please choose from the list.")


class NoSuchAudience(Invalid):
    sentence = N_("This audience is no longer part of the brief. Please choose another.")


class NoSuchPicture(Invalid):
    sentence = N_("This picture no longer exists. Please choose another.")


class TooManyCells(Invalid):
    """Params: count, most."""

    sentence = N_("This brief makes %(count)s ads; the limit is %(most)s. Please choose fewer channels or languages.")


class LockedPart(Forbidden):
    """Params: slot, layout."""

    sentence = N_("“%(slot)s” is locked in the layout “%(layout)s”. Only an owner of the workspace may change it.")


class PictureMissing(Conflict):
    sentence = N_("The picture of this ad is not there yet. Wait until it is drawn, or choose another.")


class NothingToUndo(Conflict):
    sentence = N_("There is no earlier version of this ad to go back to.")


class NothingChanged(Invalid):
    sentence = N_("Nothing was changed: the ad looks like that already.")


class NothingToPack(Invalid):
    sentence = N_("No ad is approved yet. Approve the ads that you want to take along, or include those in review.")


class NotDrawnYet(Conflict):
    """Params: count."""

    sentence = N_("%(count)s ads are still being laid out. Please wait until they are done.")


class NoDrafts(Invalid):
    sentence = N_("Variants are written in German and English only. Please type the words for this language.")


class AdapterOfAnotherBrand(Invalid):
    field = "adapter_id"
    sentence = N_("This adapter does not draw for this brand. Please choose another.")


class OfferMissing(Invalid):
    field = "offer"
    sentence = N_("Please say what is offered.")


class AudienceMissing(Invalid):
    field = "own_name"
    sentence = N_("Please choose a persona, or name an audience of your own.")


class ChannelMissing(Invalid):
    field = "channels"
    sentence = N_("Please choose at least one channel.")


class LanguageMissing(Invalid):
    field = "locales"
    sentence = N_("Please choose at least one language.")


class BadLanguage(Invalid):
    """Params: tag."""

    field = "more_locales"
    sentence = N_("“%(tag)s” is no language tag. Write tags such as fr or pt-BR, with commas between them.")


class TooManyOf(Invalid):
    """Params: audiences, channels, locales."""

    sentence = N_("A brief takes at most %(audiences)s audiences, %(channels)s channels and %(locales)s languages.")


class LayoutMissing(Invalid):
    field = "layout"
    sentence = N_("Please choose a layout.")
