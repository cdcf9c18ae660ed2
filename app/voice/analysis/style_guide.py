"""A style guide made from a brand's samples, as text for a system prompt: what a voice without training has to go by.

Everything in it is measured, and the examples are the brand's own: nothing is claimed that the samples do not show. It
is kept short, as small models lose the order at the end of a long prompt. Knows neither database nor model.
"""

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.voice import channels
from app.voice.analysis import address
from app.voice.analysis.address import Form
from app.voice.analysis.languages import LISTS, TOKEN
from app.voice.analysis.pairs import DULL, HANDLE_OR_LINK, MASK, WORD, VoiceSample
from app.voice.analysis.stylometry import EMOJI, HASHTAG

EXAMPLES = 4
LONGEST_EXAMPLE = 280  # characters
FAVOURITES = 8
FAVOURITE_SHARE = 0.04
"""A favourite word stands in so many of the texts at least, and in three."""
FEWEST_OF_LANGUAGE = 5
"""Texts in other languages count too where the language asked for has fewer than these."""
OPENINGS = 3
SENTENCE = re.compile(r"[^.!?…。！？؟\n]+[.!?…。！？؟]*")
EXCLAIMS, ASKS = ("!", "！"), ("?", "？", "؟")
WE = {
    "de": re.compile(r"\b(?:wir|uns|unser|unsere[nmrs]?)\b", re.IGNORECASE),
    "en": re.compile(r"\b(?:we|our|ours|us|we're|we’re)\b", re.IGNORECASE),
}
HEADS = {
    "de": "Schreibe in der Stimme der Marke. So schreibt sie:",
    "en": "Write in the voice of the brand. This is how it writes:",
}
UNSPACED = ("ja", "th", "zh")
"""Languages that put no spaces between words, which can then not be counted."""
HASHTAGS_AT_THE_END = re.compile(rf"{HASHTAG.pattern}\W*+$")


@dataclass(frozen=True)
class StyleFacts:
    """What was measured. Shares are of all texts, from 0 to 1, unless it says otherwise."""

    texts: int
    address: Form | Literal["none"] | None
    """In German one of du, ihr, Sie and none; in English you or none; None where no text is in either."""
    words_per_sentence: int
    """0 where words cannot be counted."""
    words_per_text: int
    emoji_share: float
    emoji: tuple[str, ...]
    exclamation_share: float
    """Of sentences."""
    question_share: float
    """Of sentences."""
    hashtag_share: float
    hashtags_at_the_end_share: float
    we_share: float
    """Share of the texts whose language has a known word for “we”."""
    openings: tuple[str, ...]
    favourites: tuple[str, ...]


def measure(samples: Sequence[VoiceSample], language: str) -> StyleFacts:
    """The facts of the samples in ``language``, or of all where there are too few; each by its own language's rules.

    Openings and favourites are words to take over, so those of another language than the one asked for are left out.
    """
    chosen = _of_language(samples, language)
    texts = [one.text for one in chosen]
    counted = [one.text for one in chosen if one.language not in UNSPACED]
    sentences = [sentence.strip() for text in texts for sentence in SENTENCE.findall(text) if WORD.search(sentence)]
    lengths = [
        len(WORD.findall(sentence)) for text in counted for sentence in SENTENCE.findall(text) if WORD.search(sentence)
    ]
    with_we = [bool(WE[one.language].search(one.text)) for one in chosen if one.language in WE]
    emoji = Counter(sign for text in texts for sign in EMOJI.findall(text))
    own = [one.text for one in chosen if one.language == language]
    return StyleFacts(
        texts=len(texts),
        address=_address(chosen),
        words_per_sentence=round(statistics.mean(lengths or [0])),
        words_per_text=round(statistics.median([len(WORD.findall(text)) for text in counted] or [0])),
        emoji_share=_share(texts, EMOJI),
        emoji=tuple(sign for sign, _ in emoji.most_common(5)),
        exclamation_share=sum(sentence.endswith(EXCLAIMS) for sentence in sentences) / max(1, len(sentences)),
        question_share=sum(sentence.endswith(ASKS) for sentence in sentences) / max(1, len(sentences)),
        hashtag_share=_share(texts, HASHTAG),
        hashtags_at_the_end_share=_share(texts, HASHTAGS_AT_THE_END),
        we_share=sum(with_we) / max(1, len(with_we)),
        openings=_openings(own),
        favourites=_favourites(own, language),
    )


def style_guide(samples: Sequence[VoiceSample], language: str) -> str:
    """The guide in German ("de") or English (any other language). Without samples it is empty."""
    if not samples:
        return ""
    facts, said = measure(samples, language), channels.wording(language)
    lines = _german(facts) if said == "de" else _english(facts)
    shown = "So klingt die Marke:" if said == "de" else "This is how the brand sounds:"
    quoted = "„{}“" if said == "de" else "“{}”"
    examples = [quoted.format(text) for text in _examples(_of_language(samples, language))]
    return "\n".join([HEADS[said], *(f"- {line}" for line in lines), "", shown, *examples])


def _english(facts: StyleFacts) -> list[str]:
    lines = []
    if facts.address is not None:
        often = "rarely says" if facts.address == "none" else "speaks to the reader as"
        lines.append(f"It {often} “you”.")
    if facts.we_share >= 0.25:
        lines.append("It says “we” of itself.")
    if facts.words_per_sentence:
        lines.append(
            f"Sentences have about {facts.words_per_sentence} words, a text about {facts.words_per_text} words in all."
        )
    lines.append(
        _degree(
            facts.exclamation_share,
            "It uses no exclamation marks.",
            "Exclamation marks are rare.",
            "It often uses exclamation marks.",
            0.25,
        )
    )
    if facts.emoji_share < 0.02:
        lines.append("It uses no emoji.")
    else:
        often = "Most texts have" if facts.emoji_share > 0.5 else "Some texts have"
        lines.append(f"{often} emoji, such as {' '.join(facts.emoji)}.")
    if facts.question_share >= 0.12:
        lines.append("It likes to ask the reader something.")
    if facts.hashtag_share >= 0.2:
        often = _at_the_end(facts, "ends with", "uses")
        lines.append(f"It {often} hashtags.")
    if facts.openings:
        lines.append("Typical openings: " + ", ".join(f"“{words} …”" for words in facts.openings) + ".")
    if facts.favourites:
        lines.append("Favourite words: " + ", ".join(facts.favourites) + ".")
    return lines


def _german(facts: StyleFacts) -> list[str]:
    spoken = {
        "du": "Sie spricht die Leserinnen und Leser mit „du“ an.",
        "ihr": "Sie spricht die Leserinnen und Leser mit „ihr“ an.",
        "Sie": "Sie spricht die Leserinnen und Leser mit „Sie“ an.",
        "you": "Sie spricht die Leserinnen und Leser direkt an.",
        "none": "Sie spricht die Leserinnen und Leser selten mit „du“ oder „Sie“ an.",
    }
    lines = [] if facts.address is None else [spoken[facts.address]]
    if facts.we_share >= 0.25:
        lines.append("Von sich selbst sagt sie „wir“.")
    if facts.words_per_sentence:
        lines.append(
            f"Sätze haben etwa {facts.words_per_sentence} Wörter, ein Text insgesamt etwa {facts.words_per_text}."
        )
    lines.append(
        _degree(
            facts.exclamation_share,
            "Sie verwendet keine Ausrufezeichen.",
            "Ausrufezeichen sind selten.",
            "Sie verwendet oft Ausrufezeichen.",
            0.25,
        )
    )
    if facts.emoji_share < 0.02:
        lines.append("Sie verwendet keine Emojis.")
    else:
        often = "Die meisten Texte haben" if facts.emoji_share > 0.5 else "Manche Texte haben"
        lines.append(f"{often} Emojis, zum Beispiel {' '.join(facts.emoji)}.")
    if facts.question_share >= 0.12:
        lines.append("Sie stellt gern Fragen.")
    if facts.hashtag_share >= 0.2:
        lines.append(_at_the_end(facts, "Am Ende stehen Hashtags.", "Sie verwendet Hashtags."))
    if facts.openings:
        lines.append("Typische Anfänge: " + ", ".join(f"„{words} …“" for words in facts.openings) + ".")
    if facts.favourites:
        lines.append("Lieblingswörter: " + ", ".join(facts.favourites) + ".")
    return lines


def _at_the_end(facts: StyleFacts, there: str, anywhere: str) -> str:
    """``there`` if most texts with hashtags end with them."""
    return there if facts.hashtags_at_the_end_share > facts.hashtag_share / 2 else anywhere


def _degree(share: float, none: str, few: str, many: str, from_here: float) -> str:
    return none if share < 0.01 else many if share >= from_here else few


def _of_language(samples: Sequence[VoiceSample], language: str) -> list[VoiceSample]:
    own = [one for one in samples if one.language == language]
    return own if len(own) >= min(FEWEST_OF_LANGUAGE, len(samples)) else list(samples)


def _share(texts: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(bool(pattern.search(text)) for text in texts) / max(1, len(texts))


def _address(samples: Sequence[VoiceSample]) -> Form | Literal["none"] | None:
    """The form that most texts use; "none" if fewer than one in six uses any, None where none could be told."""
    known = [one for one in samples if one.language in address.LANGUAGES]
    if not known:
        return None
    used: Counter[Form] = Counter(form for one in known for form in sorted(address.forms(one.text, one.language)))
    for form, count in used.most_common(1):
        if count >= len(known) / 6:
            return form
    return "none"


def _openings(texts: Sequence[str]) -> tuple[str, ...]:
    """First words that come back: the two first, where they do, else the first alone."""
    firsts = [[word.strip("“”„\"'(") for word in text.split()[:2]] for text in texts]
    pairs = Counter(" ".join(words) for words in firsts if len(words) == 2 and TOKEN.search(words[0]))
    singles = Counter(words[0] for words in firsts if words and TOKEN.search(words[0]))
    least = max(3, round(0.03 * len(texts)))
    found = [words for words, count in pairs.most_common(OPENINGS) if count >= least]
    for word, count in singles.most_common(OPENINGS):
        if count >= least and len(found) < OPENINGS and not any(words.startswith(word + " ") for words in found):
            found.append(word)
    return tuple(found)


def _favourites(texts: Sequence[str], language: str) -> tuple[str, ...]:
    """Words that stand in many of the texts though they are not frequent in the language at large; none in a language
    whose frequent words are not known."""
    if language not in LISTS:
        return ()
    common = LISTS.get(language, frozenset()) | DULL.get(language, frozenset())
    within: Counter[str] = Counter()
    written: dict[str, Counter[str]] = {}
    for text in texts:
        words = [
            word
            for word in TOKEN.findall(HANDLE_OR_LINK.sub(" ", MASK.sub(" ", text)))
            if len(word) > 3 and word.lower() not in common
        ]
        within.update({word.lower() for word in words})
        for word in words:
            written.setdefault(word.lower(), Counter())[word] += 1
    least = max(3, round(FAVOURITE_SHARE * len(texts)))
    chosen = [lower for lower, count in within.most_common(FAVOURITES * 3) if count >= least and "'" not in lower]
    return tuple(written[lower].most_common(1)[0][0] for lower in chosen[:FAVOURITES])


def _examples(samples: Sequence[VoiceSample]) -> list[str]:
    """Short texts of usual length, of as many channels as there are; none with a mask in it, if others are there."""
    samples = [one for one in samples if not MASK.search(one.text)] or samples
    usual = statistics.median(len(one.text) for one in samples)
    by_closeness = sorted(samples, key=lambda one: (abs(len(one.text) - usual), one.sample_id))
    chosen: list[VoiceSample] = []
    for one in by_closeness:
        if len({other.channel for other in chosen} | {one.channel}) > len(chosen):
            chosen.append(one)
    chosen += [one for one in by_closeness if one not in chosen]
    return [_cut(one.text) for one in chosen[:EXAMPLES]]


def _cut(text: str) -> str:
    """On one line, ended at a sentence where it is too long."""
    flat = " ".join(text.split())
    if len(flat) <= LONGEST_EXAMPLE:
        return flat
    start = flat[:LONGEST_EXAMPLE]
    at = max(start.rfind(mark) for mark in (". ", "! ", "? "))
    return start[: at + 1] if at > LONGEST_EXAMPLE // 3 else start.rsplit(" ", 1)[0] + " …"
