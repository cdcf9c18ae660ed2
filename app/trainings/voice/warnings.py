"""What should be said before a voice is trained. Pure: looks at the samples and the recipe."""

from collections import Counter

from app.base_models.catalogue import TextModelEntry
from app.errors import N_
from app.images.judging.findings import Act
from app.trainings.advice import ADD_TEXTS, NOT_READY, Warning
from app.trainings.voice.freeze import FrozenVoice
from app.trainings.voice.lengths import count_cut
from app.trainings.voice.recipe import VoiceRecipe
from app.voice.queries import ENOUGH_SAMPLES, LEAST_SAMPLES, MANY_SAMPLES

SHORT_CHARACTERS = 60
TOO_FEW = N_("Too few texts to learn from: %(count)s. At least %(needed)s are needed; %(enough)s are recommended.")
FEW = N_(
    "%(count)s texts are few: the voice will catch the tone, but may repeat individual sentences. %(enough)s "
    "texts make it steadier, %(many)s make it good."
)
SEVERAL_LANGUAGES = N_(
    "The texts are in several languages: %(languages)s. One voice per language usually writes better."
)
NOT_ITS_LANGUAGE = N_(
    "%(base)s was made for languages other than that of your texts. The voice will pick up the tone, but make "
    "grammar mistakes. A larger base model would know the language."
)
MOSTLY_SHORT = N_(
    "Most of the texts are very short. The voice will learn short sentences, and longer texts may fall apart."
)
FEW_HELD_OUT = N_(
    "Only %(count)s texts are set aside for measuring. The numbers at the end will be rough; more texts make "
    "them more reliable."
)
NONE_HELD_OUT = N_(
    "The texts are so similar that none can be set aside for measuring: the voice would already know it. "
    "Exclude repeats and add other texts; otherwise nothing will be measured at the end."
)
CUT = N_(
    "Texts that may exceed the %(length)s tokens per row: up to %(count)s. They are cut off there, and the "
    "voice does not learn their endings. Choose more tokens per row, or split the texts."
)
GOES_ON = N_(
    "%(base)s was not made for conversations: it has no chat template. The voice therefore reads your texts as "
    "they are and continues a given beginning instead of answering briefs."
)
CARD_NEEDED = N_("%(base)s is large: training would take many hours without a graphics card.")
TO_THE_TEXTS = N_("Go to texts")
LARGE_PARAMETERS = 1_000_000_000
FEWEST_HELD_OUT = 5


def voice_warnings(
    voice: FrozenVoice, recipe: VoiceRecipe, base: TextModelEntry, *, on_card: bool, ready: bool
) -> list[Warning]:
    """The most important first; ``ready`` says that the base's files are there. One of kind ``bad`` means that the
    training is refused."""
    found: list[Warning] = []
    count = len(voice.texts)
    add, look = (Act(ADD_TEXTS, "/voice/add"),), (Act(TO_THE_TEXTS, "/voice"),)
    if count < LEAST_SAMPLES:
        needed = {"count": count, "needed": LEAST_SAMPLES, "enough": ENOUGH_SAMPLES}
        found.append(Warning("too_few", "bad", TOO_FEW, needed, add))
    elif count < ENOUGH_SAMPLES:
        wanted = {"count": count, "enough": ENOUGH_SAMPLES, "many": MANY_SAMPLES}
        found.append(Warning("few", "caution", FEW, wanted, add))
    languages = Counter(text.language for text in voice.texts)
    if count and languages[voice.language] < 0.9 * count:
        listed = ", ".join(f"{language} {number}" for language, number in languages.most_common())
        found.append(Warning("several_languages", "caution", SEVERAL_LANGUAGES, {"languages": listed}, look))
    if count and base.is_foreign(voice.language):
        found.append(Warning("not_its_language", "caution", NOT_ITS_LANGUAGE, {"base": base.name}))
    if not base.has_chat_template:
        found.append(Warning("goes_on", "info", GOES_ON, {"base": base.name}))
    if base.parameters > LARGE_PARAMETERS and not on_card:
        found.append(Warning("card_needed", "caution", CARD_NEEDED, {"base": base.name}))
    if count and sum(len(text.text) < SHORT_CHARACTERS for text in voice.texts) > count / 2:
        found.append(Warning("mostly_short", "info", MOSTLY_SHORT, {}, look))
    if recipe.kind == "instructions":
        turns = [[*(content for _, content in text.order), text.text] for text in voice.texts]
        cut = count_cut(turns, recipe.max_length)
        if cut:
            found.append(Warning("cut", "caution", CUT, {"count": cut, "length": recipe.max_length}, look))
    if count >= LEAST_SAMPLES and not voice.held_out:
        found.append(Warning("none_held_out", "caution", NONE_HELD_OUT, {}, add))
    elif count >= LEAST_SAMPLES and len(voice.held_out) < FEWEST_HELD_OUT:
        found.append(Warning("few_held_out", "info", FEW_HELD_OUT, {"count": len(voice.held_out)}, add))
    if not ready:
        found.append(Warning("not_ready", "info", NOT_READY, {}))
    return found
