"""The channels that a text is written for: those that a voice learns, a button's, two that belong to a
visual, and the prompt that a visual is drawn from. Data alone."""

from dataclasses import dataclass

from app.errors import N_
from app.voice import channels as voice
from app.voice.analysis import pairs

LENGTHS: dict[str, float] = {"short": 0.5, "usual": 1.0, "long": 2.0}
"""Multipliers of a channel's usual number of words."""
LANGUAGES = {"de": "Deutsch", "en": "English"}
"""Texts can be ordered in these, whatever the pages' language; named as their speakers do."""
CALL_TO_ACTION, CAPTION, ALT_TEXT, PICTURE_PROMPT = "call_to_action", "caption", "alt_text", "picture_prompt"
OF_A_VISUAL = (CAPTION, ALT_TEXT)


@dataclass(frozen=True)
class TextChannel:
    """``most_characters`` fit the channel; the brand's rules may be stricter. ``lengths`` says whether one is asked."""

    key: str
    name: str
    most_characters: int
    usual_words: int
    most_hashtags: int | None = None
    lengths: bool = True


CHANNELS = (
    *(
        TextChannel(
            one.key,
            one.name,
            one.most_characters,
            one.usual_words,
            most_hashtags=30 if one.key == "post" else None,
            lengths=one.key != "headline",
        )
        for one in voice.CHANNELS
    ),
    TextChannel(CALL_TO_ACTION, N_("Call to action"), 30, 3, lengths=False),
    TextChannel(CAPTION, N_("Caption of a visual"), 2200, 30, most_hashtags=30),
    # Screen readers read an alternative text in one go; 150 characters are what is commonly advised at most.
    TextChannel(ALT_TEXT, N_("Alt text of a visual"), 150, 15, lengths=False),
    TextChannel(PICTURE_PROMPT, N_("Prompt for a picture"), 300, 30, lengths=False),
)
CHANNEL_KEYS = tuple(channel.key for channel in CHANNELS)
DEFAULT_CHANNEL = "post"
_CALL_TO_ACTION = {
    "en": "Write a call to action for a button, three words at most, about {words}.",
    "de": "Schreibe eine Handlungsaufforderung für einen Knopf, höchstens drei Wörter, zu {words}.",
}
_CAPTION = {"en": "Write a caption for a picture", "de": "Schreibe eine Bildunterschrift"}
_ALT_TEXT = {
    "en": "Describe this picture in one sentence, for somebody who cannot see it: {words}.",
    "de": "Beschreibe dieses Bild in einem Satz, für jemanden, der es nicht sieht: {words}.",
}
_PICTURE_PROMPT = {
    "en": "Describe in one sentence a picture for an ad: what is to be seen, where and in what light. The ad is about "
    "{words}.",
    "de": "Beschreibe in einem Satz ein Bild für eine Anzeige: was zu sehen ist, wo und in welchem Licht. In der "
    "Anzeige geht es um {words}.",
}


def channel(key: str) -> TextChannel | None:
    return next((one for one in CHANNELS if one.key == key), None)


def words_for(channel: TextChannel, length: str) -> int | None:
    """How many words are asked for; None where the channel says enough."""
    if not channel.lengths:
        return None
    return max(5, round(channel.usual_words * LENGTHS.get(length, 1.0)))


def order_for(channel: TextChannel, language: str, brief: str, words: int | None) -> str:
    """The order as a model reads it, in the words that voices are trained with."""
    about = " ".join(brief.split()).rstrip(".")
    said = voice.wording(language)
    if channel.key == CALL_TO_ACTION:
        return _CALL_TO_ACTION[said].format(words=about)
    if channel.key == ALT_TEXT:
        return _ALT_TEXT[said].format(words=about)
    if channel.key == PICTURE_PROMPT:
        return _PICTURE_PROMPT[said].format(words=about)
    if channel.key == CAPTION:
        length = voice.LENGTH[said].format(count=words) if words else ""
        return _CAPTION[said] + voice.ABOUT[said].format(words=about) + length + "."
    return pairs.word_order(channel=channel.key, language=language, about=(about,), words=words)
