"""From a sample to a training conversation: an instruction that could have led to it, and the sample as the answer.

The instruction ("brief") says nothing that is not in the sample: its channel, its title, words that stand in it, and
its length. The words are those that tell this sample from the brand's others, by term frequency times inverse document
frequency (Spärck Jones, 1972) over the brand's samples of the same language. Knows neither database nor model.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.voice import channels
from app.voice.analysis.languages import LISTS, NAMES, TOKEN

MOST_KEYWORDS = 3
SHORTEST_KEYWORD = 4
LONGEST_TITLE = 120
WORD = re.compile(r"(?<!\S)[^\w\s]*+\w\S*+")
SENTENCE_START = re.compile(r"(?:^|[.!?:…\n“„\"(–—])\W*$")
MASK = re.compile(r"\[[^\[\]]{2,20}\]")
HANDLE_OR_LINK = re.compile(r"https?://\S+|www\.\S+|[@#]\w+")
_DULL = {
    "en": "across after again against almost along already also always another anything around away back because "
    "before behind being best better between both come comes could days does doing done down each either "
    "enough even ever everything feel feels first give gives goes going good great having hours know last "
    "least left little long look looks made makes many might minutes most much must need neither never next "
    "nice nothing often once other ours over quite rather ready really right said same says shall short "
    "should since small some something still such take takes than these thing things think those through time "
    "times today tomorrow under until very want week weeks well went whatever whenever where whether while "
    "within without year years yours",
    "de": "alle alles besser beste besten bitte bleiben bleibt brauchen braucht dabei dafür damit danke dann daran "
    "darauf darum davon dazu denn diese diesem diesen dieser dieses dort dürfen eigentlich einfach einmal "
    "etwas euch eurem euren finden findet ganz geben gegen gehen geht gern gerne gestern gibt große großen "
    "gut gute guten guter gutes haben habt hatte heute hier ihnen ihrer ihres immer jahr jahre jahren jede "
    "jeder jedes jetzt kleine kleinen kommen kommt können lassen liegt lässt machen macht manchmal mehr "
    "minuten morgen möchte müssen nach natürlich neue neuen neuer neues nicht nichts nimmt noch ohne sagen "
    "sagt schon sehr sein selbst sogar sollen sondern sowie stehen steht stunden tage tagen unter viel viele "
    "vielleicht waren weder weil wenn werden wieder wirklich woche wochen wollen wurde während zeit zwischen "
    "über",
}
DULL = {language: frozenset(words.split()) for language, words in _DULL.items()}
"""Words that are no stop words and still say nothing of what a text is about."""


@dataclass(frozen=True)
class Vocabulary:
    """In how many of a brand's texts each word stands, by language."""

    texts: dict[str, int]
    counts: dict[str, Counter[str]]

    @classmethod
    def of(cls, samples: Iterable[tuple[str, str]]) -> "Vocabulary":
        """Counts the words of pairs of text and language."""
        texts: Counter[str] = Counter()
        counts: dict[str, Counter[str]] = {}
        for text, language in samples:
            texts[language] += 1
            counts.setdefault(language, Counter()).update({token.lower() for token in TOKEN.findall(text)})
        return cls(dict(texts), counts)

    def rarity(self, word: str, language: str) -> float:
        """Inverse document frequency, smoothed: 1 for a word that is everywhere, more the rarer it is."""
        among = self.texts.get(language, 0)
        seen = self.counts.get(language, Counter())[word.lower()]
        return 1 + math.log((1 + among) / (1 + seen))


def keywords(text: str, vocabulary: Vocabulary, language: str, *, most: int = MOST_KEYWORDS) -> list[str]:
    """The words that tell this text from the others, as they stand in it, in the order of their first use.

    Names and, in German, nouns count double: they say what a text is about.
    """
    plain = HANDLE_OR_LINK.sub(" ", MASK.sub(" ", text))
    dull = LISTS.get(language, frozenset()) | DULL.get(language, frozenset())
    found: dict[str, str] = {}
    first: dict[str, int] = {}
    named: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for match in TOKEN.finditer(plain):
        word = match[0]
        lower = word.lower()
        if len(word) < SHORTEST_KEYWORD or lower in dull or "'" in word or "’" in word:
            continue
        first.setdefault(lower, match.start())
        times[lower] += 1
        if word[0].isupper() and not SENTENCE_START.search(plain[max(0, match.start() - 12) : match.start()]):
            named[lower] += 1
            found[lower] = word
        elif lower not in found:
            found[lower] = word
    score = {
        lower: (1 + math.log(times[lower])) * vocabulary.rarity(lower, language) * (2 if named[lower] else 1)
        for lower in found
    }
    chosen = sorted(found, key=lambda lower: (-score[lower], first[lower]))[:most]
    return [_as_written(found[lower], named[lower], language) for lower in sorted(chosen, key=first.__getitem__)]


def _as_written(word: str, named: int, language: str) -> str:
    """A word that only stands at a sentence's start loses its capital, except in German, where it may be a noun."""
    return word if named or language == "de" or word.isupper() else word[0].lower() + word[1:]


def rounded_words(text: str) -> int:
    """The number of words, as people would say it: to fives below 50, to tens below 200, to fifties above."""
    count = len(WORD.findall(text))
    if count < 10:
        return max(1, count)
    step = 5 if count < 50 else 10 if count < 200 else 50
    return step * round(count / step)


def word_order(
    *, channel: str, language: str, about: Sequence[str] = (), title: str = "", words: int | None = None
) -> str:
    """An order in the words that the voice learns: "Write a product text titled “…” about … and …, about 40 words."

    ``about`` is what the text should be about, ``words`` its length. Also used for orders that people give, so that a
    voice is asked in the way it was trained.
    """
    said = channels.wording(language)
    order = channels.channel(channel).order[said]
    if language != said and language in NAMES[said]:
        order += channels.IN_LANGUAGE[said].format(name=NAMES[said][language])
    title = " ".join(title.split())[:LONGEST_TITLE]
    if title:
        order += channels.TITLED[said].format(title=title)
    if about:
        listed = channels.AND[said].join(part for part in (", ".join(about[:-1]), about[-1]) if part)
        order += channels.ABOUT[said].format(words=listed)
    if words:
        order += channels.LENGTH[said].format(count=words)
    return order + "."


def derive_brief(text: str, *, title: str, channel: str, language: str, vocabulary: Vocabulary) -> str:
    """The instruction for a sample that brings none. A headline is no title of itself, and its length is understood."""
    own = " ".join(text.split()).casefold()
    title = "" if " ".join(title.split()).casefold() in ("", own) else title
    about = keywords(text, vocabulary, language)
    known = title.casefold()
    about = [word for word in about if word.casefold() not in known]
    words = None if channel == "headline" else rounded_words(text)
    return word_order(channel=channel, language=language, about=about, title=title, words=words)


@dataclass(frozen=True)
class VoiceSample:
    """What a training needs to know of one text. ``brief`` is the instruction, ``text`` the answer to it."""

    sample_id: str
    text: str
    title: str
    channel: str
    language: str
    brief: str
    signature: str = ""
    """Signature of ``text``, as ``likeness`` makes it, where it is known already."""
    passage: str = ""
    """The same for parts of one text that was cut."""
    document: str = ""
    """The same for texts of one document."""


def messages(brief: str, language: str) -> list[dict[str, str]]:
    """System and user message of an order, as ``role`` and ``content``."""
    return [
        {"role": "system", "content": channels.SYSTEM[channels.wording(language)]},
        {"role": "user", "content": brief},
    ]


def conversation(sample: VoiceSample) -> list[dict[str, str]]:
    """System, user and assistant message: what training reads; the loss is for the assistant's text alone."""
    return [*messages(sample.brief, sample.language), {"role": "assistant", "content": sample.text}]
