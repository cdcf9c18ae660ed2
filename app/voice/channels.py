"""The channels that a brand writes for, as data: names for people, lengths, and how an order for each is worded.

The wording stands in German and English and is read by training (briefs of samples) and by writing (orders) alike, so
that a voice is asked in the words that it learned from. It is not translated through the catalogue: it follows the
language of the text, not that of the page.
"""

from dataclasses import dataclass

from app.errors import N_


@dataclass(frozen=True)
class Channel:
    """``order`` is "Write …" by language; ``most_characters`` what fits the channel, ``usual_words`` what is common."""

    key: str
    name: str
    order: dict[str, str]
    most_characters: int
    usual_words: int


CHANNELS = (
    Channel(
        "post", N_("Post"), {"en": "Write a social media post", "de": "Schreibe einen Social-Media-Beitrag"}, 2200, 40
    ),
    Channel("mail", N_("E-mail"), {"en": "Write a newsletter text", "de": "Schreibe einen Newsletter-Text"}, 4000, 120),
    Channel("headline", N_("Headline"), {"en": "Write a headline", "de": "Schreibe eine Überschrift"}, 90, 8),
    Channel(
        "product_text", N_("Product text"), {"en": "Write a product text", "de": "Schreibe einen Produkttext"}, 1500, 60
    ),
    Channel("other", N_("Other text"), {"en": "Write a text", "de": "Schreibe einen Text"}, 4000, 60),
)
CHANNEL_KEYS = tuple(channel.key for channel in CHANNELS)
LANGUAGES = ("de", "en")
"""Languages that orders are worded in; a text in any other is asked for in English, which names the language."""

SYSTEM = {
    "en": "You write for one brand, always in its own voice. Answer with the text alone.",
    "de": "Du schreibst für eine Marke, immer in ihrer eigenen Stimme. Antworte nur mit dem Text.",
}
TITLED = {"en": " titled “{title}”", "de": " mit dem Titel „{title}“"}
ABOUT = {"en": " about {words}", "de": " zu {words}"}
IN_LANGUAGE = {"en": " in {name}", "de": " auf {name}"}
LENGTH = {"en": ", about {count} words", "de": ", etwa {count} Wörter"}
AND = {"en": " and ", "de": " und "}


def channel(key: str) -> Channel:
    """The channel of that key; an unknown one is "other"."""
    return next((one for one in CHANNELS if one.key == key), CHANNELS[-1])


def wording(language: str) -> str:
    """The language that orders for texts in ``language`` are worded in."""
    return language if language in LANGUAGES else "en"
