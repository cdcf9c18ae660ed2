"""Which language a text is in, by its most frequent small words and its letters.

Stop words decide: in running text every second or third word is one, and the lists of different languages hardly meet.
A library that knows a hundred languages would weigh more than it helps here: what training and briefs need is German
against English, and that a text in a third language is not taken for one of these. Very short texts may stay undecided;
then the language of their neighbours counts. Known limits: code-mixed text counts as the language with more words.
"""

import re
from collections import Counter
from collections.abc import Sequence

_WORDS = {
    "en": "the and of to a in is it you that for on with as are be this was have from or not your we our all can will "
    "but they by at an more so if no when what how just every into than up out its there their which has do my i me "
    "i'm don't it's you're we're that's who were would been them then only about here like get now us why make keep",
    "de": "der die das und ist ein eine einen einem einer zu in den von mit sich auf für nicht es im dem des auch als "
    "an aus er sie ihr ihre ihren ihrem sind wird bei nach oder wie noch nur mehr so wir uns unser unsere unseren euch "
    "euer eure du dein deine deinen dir dich mir mich ich was wenn aber hat haben kann kein keine ohne vom zum zur bis "
    "über durch am doch schon jetzt alle hier wer man dass damit immer wo wieder heute ab da beim gibt ganz sehr jede "
    "jeder jedes jeden werden bleibt",
    "fr": "le la les des une du et est dans que qui pour pas sur avec vous votre vos nous notre nos il elle au aux ce "
    "cette ces plus mais ou où son sa ses sont être tout tous ne se si leur c'est n'est l'a chez comme sans très",
    "es": "el los las una y del que es por con para su sus se lo como más pero al este esta estos son está muy sin "
    "sobre también nuestro nuestra tu tus usted ya todo todos cada ser hay cuando donde porque hasta",
    "it": "il gli della delle dei degli che è per con una sono nel nella più ma anche come questo questa tuo tua suo "
    "sua ai alla alle dal dalla sul non ti ci si loro nostro nostra ogni tutto tutti senza dove quando perché",
    "nl": "het een van en dat niet op zijn met voor aan er om ook als maar dan nog bij uit wij jij jouw onze deze naar "
    "wordt hebben meer geen onze haar hun kan zoals door over heeft dit te ze je ons",
    "pt": "os as uma e do da dos das em não por com para seu sua se mais mas ao é como este esta você nosso nossa são "
    "está muito sem também já tudo todos cada quando onde porque até pelo pela nos nas",
    "pl": "i w na nie się że do z to jest dla jak ale po co tak od przez są oraz już tylko może twój twoje nasz nasze "
    "być przy czy lub ich jego jej ten ta te bardzo gdy każdy",
}
LISTS = {language: frozenset(words.split()) for language, words in _WORDS.items()}
LANGUAGES_OF = {
    word: tuple(language for language, words in LISTS.items() if word in words)
    for word in frozenset().union(*LISTS.values())
}
LETTERS = {
    "de": re.compile("[äöüß]"),
    "fr": re.compile("[çêèàùœ]"),
    "es": re.compile("[ñ¿¡]"),
    "pt": re.compile("[ãõ]"),
    "pl": re.compile("[ąęłńśźż]"),
}
TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
LETTER_WEIGHT = 0.8
"""A word with a language's own letter tells nearly as much as a stop word."""
NAMES = {
    "en": {"fr": "French", "es": "Spanish", "it": "Italian", "nl": "Dutch", "pt": "Portuguese", "pl": "Polish"},
}
KNOWN = tuple(_WORDS)


def detect(text: str) -> str | None:
    """The language as two letters, or None if the text does not tell."""
    tokens = [token.replace("’", "'") for token in TOKEN.findall(text[:4000].lower())]
    scores = dict.fromkeys(KNOWN, 0.0)
    for token in tokens:
        for language in LANGUAGES_OF.get(token, ()):
            scores[language] += 1
    lettered = [token for token in tokens if not token.isascii()]
    for language, letters in LETTERS.items():
        scores[language] += LETTER_WEIGHT * sum(bool(letters.search(token)) for token in lettered)
    (best, most), (_, second) = Counter(scores).most_common(2)
    return best if most > 0 and most > second else None


def detect_all(texts: Sequence[str], *, otherwise: str) -> list[str]:
    """The language of each; one that does not tell gets the most frequent among the others, else ``otherwise``."""
    found = [detect(text) for text in texts]
    told = Counter(language for language in found if language is not None)
    usual = told.most_common(1)[0][0] if told else otherwise
    return [language or usual for language in found]
