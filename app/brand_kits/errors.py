"""Why a logo, a font or a change to a kit is not taken. Each sentence says what is wrong and what to do about it."""

from app.errors import N_, AppError, Conflict, Invalid


class KitFileRefused(AppError):
    """Base of all kinds about files below."""

    status = 422
    sentence = N_("“%(name)s” could not be read. Please export it again and retry.")


class NotALogo(KitFileRefused):
    """Params: name."""

    status = 415
    sentence = N_("“%(name)s” is not a logo that Livery can read. Please export the logo as SVG or PNG.")


class KitFileTooLarge(KitFileRefused):
    """Params: name, size_mb, limit_mb."""

    status = 413
    sentence = N_("“%(name)s” is %(size_mb)s MB; the limit is %(limit_mb)s MB. Please export a smaller file.")


class LogoTooLarge(KitFileRefused):
    """Params: name, width, height, limit."""

    status = 413
    sentence = N_(
        "“%(name)s” is %(width)s × %(height)s pixels; the limit is %(limit)s pixels per side. Please export a smaller "
        "PNG, or an SVG."
    )


class UnsafeLogo(KitFileRefused):
    """Params: name, what."""

    sentence = N_(
        "“%(name)s” contains “%(what)s”, which a logo must not have. Please export it as plain SVG: without scripts, "
        "links, animations and outside files."
    )


class LogoHasText(KitFileRefused):
    """Params: name."""

    sentence = N_(
        "“%(name)s” contains live text, which looks different wherever its font is missing. Please convert the text to "
        "outlines and export the logo again."
    )


class LogoWithoutSize(KitFileRefused):
    """Params: name."""

    sentence = N_(
        "“%(name)s” has no size, or one side is more than twenty times as long as the other. Please export the logo "
        "with its own size."
    )


class EmptyLogo(KitFileRefused):
    """Params: name."""

    sentence = N_("“%(name)s” shows nothing. Please check the file and export the logo again.")


class NotAFont(KitFileRefused):
    """Params: name."""

    status = 415
    sentence = N_("“%(name)s” is not a font that Livery can read. Please bring a single font as TTF, OTF or WOFF2.")


class BrokenFont(KitFileRefused):
    """Params: name."""

    sentence = N_("“%(name)s” is damaged: parts of the font are missing or contradict each other. Please get it again.")


class FontTooComplex(KitFileRefused):
    """Params: name."""

    sentence = N_(
        "“%(name)s” unpacks to far more than a font should. Please bring the font as TTF or OTF, with fewer characters."
    )


class TooManyFonts(Conflict):
    """Params: most."""

    sentence = N_("A kit has at most %(most)s fonts. Please remove one that you do not use.")


class KitChanged(Conflict):
    """Somebody changed the same part after the version that this change began with. Params: version."""

    sentence = N_(
        "Somebody changed this part of the kit in the meantime, so nothing was saved. Its version is now %(version)s."
    )


class NotInPalette(Invalid):
    """Params: colour."""

    sentence = N_("%(colour)s is not in the brand's palette. Add it to the palette first.")


class NoSuchFamily(Invalid):
    """Params: family."""

    sentence = N_("The kit has no font called “%(family)s”. Add its file first.")


class KitTooFull(Invalid):
    """Params: most."""

    sentence = N_("At most %(most)s entries fit here. Please keep those that matter most.")


class KitLineTooLong(Invalid):
    """Params: start, most."""

    sentence = N_("“%(start)s…” is too long: an entry has at most %(most)s characters.")
