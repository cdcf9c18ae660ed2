"""In which language prompts and their words are read: words that English and German spell alike name other things."""

import pytest

from app.base_models import vocabulary
from app.base_models.vocabulary import Vocabulary


def _table(rows: dict[str, tuple[str, str]]) -> Vocabulary:
    """Each thing's words in English and in German: its name, other names of it, and behind a bar words near it."""

    def row(words: str) -> dict[str, object]:
        names, _, near = words.partition(" | ")
        name, *same = names.split(", ")
        return {"name": name, "same": [word.casefold() for word in same], "near": near.casefold().split()}

    things = {key: {"en": row(english), "de": row(german)} for key, (english, german) in rows.items()}
    return Vocabulary({"things": things, "about": {"en": ["flat", "navy"], "de": ["flach", "marineblauem"]}})


ALIKE = _table(
    {
        "present": ("present, gift", "Geschenk"),
        "poison": ("poison", "Gift"),
        "stone": ("rock, stone", "Felsen"),
        "skirt": ("skirt", "Rock"),
        "briefs": ("briefs", "Unterhose"),
        "letter": ("letter", "Brief"),
        "hose": ("hose, garden hose", "Schlauch"),
        "trousers": ("trousers", "Hose"),
        "cabin": ("hut", "Hütte"),
        "hat": ("hat", "Hut"),
        "label": ("tag", "Etikett"),
        "rat": ("rat", "Ratte"),
        "council": ("council", "Rat"),
        "child": ("child", "Kind"),
        "fashion": ("fashion", "Mode"),
        "cook": ("chef", "Koch"),
        "manager": ("manager", "Chef"),
        "boots": ("boot", "Stiefel"),
        "boat": ("boat | raft", "Boot | Floß"),
        "balloon": ("balloon", "Ballon"),
        "phone": ("mobile phone", "Handy"),
        "wand": ("wand", "Zauberstab"),
        "gate": ("gate", "Tor"),
        "crate": ("crate", "Holzkasten, kiste"),
        "star": ("star", "Stern"),
        "starling": ("starling", "Star"),
        "lake": ("lake", "See"),
        "bank": ("bank", "Bank"),
        "note": ("musical note", "Note"),
        "memo": ("note", "Zettel"),
        "arm": ("arm", "Arm"),
        "hand": ("hand", "Hand"),
        "ball": ("ball", "Ball"),
        "rose": ("rose", "Rose"),
        "tiger": ("tiger", "Tiger"),
        "bear": ("bear", "Bär"),
        "blossom": ("blossom", "Blüte"),
        "cherries": ("cherries", "Kirschen"),
        "clothes": ("clothes", "Kleider"),
        "candy": ("sweets, candy", "Süßigkeiten"),
        "rice": ("rice", "Reis"),
        "sheep": ("sheep", "Schaf"),
        "stove": ("stove", "Herd"),
        "cart": ("go-kart", "Kart"),
        "card": ("card", "Karte"),
        "rod": ("fishing rod", "Angelrute | Angel"),
        "spirit": ("angel", "Engel"),
        "can": ("can", "Dose"),
        "tea": ("tea", "Tee"),
        "rocket": ("rocket", "Rakete"),
        "dog": ("dog | puppy", "Hund | Welpe"),
        "house": ("house", "Haus"),
        "submarine": ("submarine", "Unterseeboot, u-boot"),
        "office": ("office building, office block", "Bürogebäude"),
        "pad": ("notepad", "Schreibblock, block"),
        "berries": ("berries", "Beeren, beere"),
        "meteor": ("meteor, fireball", "Meteor"),
        "apple": ("red apple, apple", "roter Apfel, apfel"),
    }
)

ENGLISH = [
    # One word as English writes it
    ("gift", "present"),
    ("rock", "stone"),
    ("hose", "hose"),
    ("hut", "cabin"),
    ("tag", "label"),
    ("Tag", "label"),
    ("rat", "rat"),
    ("chef", "cook"),
    ("boot", "boots"),
    ("wand", "wand"),
    ("Wand", "wand"),
    ("star", "star"),
    ("note", "memo"),
    ("hat", "hat"),
    ("Hat", "hat"),
    ("angel", "spirit"),
    ("arm", "arm"),
    ("tiger", "tiger"),
    ("ROCK", "stone"),
    # A capital at the beginning
    ("Gift on a table", "present"),
    ("Hut in the woods", "cabin"),
    ("Hut in woods", "cabin"),
    ("Rock band poster", "stone"),
    ("Rock Band Poster", "stone"),
    ("Rock on a beach", "stone"),
    ("Rock wall", "stone"),
    ("Hose on a navy background", "hose"),
    ("Boot on a white background", "boots"),
    ("Chef with a knife", "cook"),
    ("Rat eating cheese", "rat"),
    ("Star above the sea", "star"),
    ("Star, flat style", "star"),
    ("Gift, navy background", "present"),
    ("Gift box", "present"),
    ("Gift Box", "present"),
    ("Note on a fridge", "memo"),
    ("Red hut", "cabin"),
    ("Wooden Hut", "cabin"),
    ("Rose on a table", "rose"),
    ("Hand holding a rose", "hand rose"),
    ("Kind dog on a beach", "dog"),
    ("Brief history poster", ""),
    ("Brief encounter of a dog", "dog"),
    ("Handy tool on a table", ""),
    ("See the tiger", "tiger"),
    ("Art of a tiger", "tiger"),
    ("Mode of a rocket", "rocket"),
    ("Stern tiger, portrait", "tiger"),
    ("Fast rocket", "rocket"),
    ("Bald tiger on a rock", "tiger stone"),
    ("Bank in a city", "bank"),
    ("Hat on a table", "hat"),
    ("Rock icon", "stone"),
    ("Gift illustration", "present"),
    ("Rock logo, minimal", "stone"),
    ("wrapped Gift", "present"),
    ("Boots", "boots"),
    ("Rats", "rat"),
    ("Garden hose, flat", "hose"),
    # Words of English that are spelled like German nouns
    ("a gift", "present"),
    ("a rock", "stone"),
    ("a Rock on a table", "stone"),
    ("a brief moment", ""),
    ("a brief letter", "letter"),
    ("a pair of briefs", "briefs"),
    ("two briefs", "briefs"),
    ("office block", "office"),
    ("Office block", "office"),
    ("Beer", ""),
    ("Fireball", "meteor"),
    ("a garden hose", "hose"),
    ("three huts", "cabin"),
    ("a price tag", "label"),
    ("a rat and a tiger", "rat tiger"),
    ("a kind dog", "dog"),
    ("fast dog running", "dog"),
    ("a bald man", ""),
    ("hell with a dog", "dog"),
    ("a handy tool", ""),
    ("a wand with a star", "wand star"),
    ("the see through bag", ""),
    ("a stern tiger", "tiger"),
    ("a warm hand", "hand"),
    ("man with a hat", "hat"),
    ("red hat", "hat"),
    ("a hat", "hat"),
    ("an angel", "spirit"),
    ("a dose of tea", "tea"),
    ("fashion mode", "fashion"),
    ("boots, hat, rose", "boots hat rose"),
    ("gift, rock, hut", "present stone cabin"),
    ("rock band poster", "stone"),
    ("a man in the den with a hat", "hat"),
    # Words of their own that differ from a name by an ending
    ("a bar", ""),
    ("bar in a house", "house"),
    ("a short dog", "dog"),
    ("a sweet dog", "dog"),
    ("a cloth", ""),
    ("a cherry", "cherries"),
    ("Cherry on a table", "cherries"),
    ("red clothes", "clothes"),
    ("low tea table", "tea"),
]

GERMAN = [
    # One word as German writes it
    ("Gift", "poison"),
    ("Rock", "skirt"),
    ("Brief", "letter"),
    ("brief", "letter"),
    ("Hose", "trousers"),
    ("Hut", "hat"),
    ("Rat", "council"),
    ("Kind", "child"),
    ("Mode", "fashion"),
    ("Chef", "manager"),
    ("Boot", "boat"),
    ("Ballon", "balloon"),
    ("ballon", "balloon"),
    ("Handy", "phone"),
    ("handy", "phone"),
    ("Tor", "gate"),
    ("tor", "gate"),
    ("Kiste", "crate"),
    ("kiste", "crate"),
    ("Stern", "star"),
    ("stern", "star"),
    ("Star", "starling"),
    ("See", "lake"),
    ("see", "lake"),
    ("Bank", "bank"),
    ("Note", "note"),
    ("Noten", "note"),
    ("Hüte", "hat"),
    ("Röcke", "skirt"),
    ("Hand", "hand"),
    ("Rose", "rose"),
    ("Angel", "rod"),
    ("BRIEF", "letter"),
    ("Dose", "can"),
    # A capitalised noun, and nothing that is English
    ("Brief, Siegel", "letter"),
    ("Roter Hut", "hat"),
    ("roter Hut", "hat"),
    ("roter hut", "hat"),
    ("Alter Hut", "hat"),
    ("Schnelles Boot", "boat"),
    ("blaue Hose", "trousers"),
    ("Hut, rot", "hat"),
    ("Hut rot", "hat"),
    ("Boot, Wasser", "boat"),
    ("Rock, kariert", "skirt"),
    ("Rock, bestickt", "skirt"),
    ("Hund, Hut, Brief", "dog hat letter"),
    ("Stern über Haus", "star house"),
    ("Boot im Hafen", "boat"),
    ("Hut mit Feder", "hat"),
    ("Brief auf Tisch", "letter"),
    ("Handy in Hand", "phone hand"),
    ("Hund bellt laut", "dog"),
    ("Hut am Strand", "hat"),
    ("Kind am Strand", "child"),
    ("Kind, Portrait", "child"),
    ("Mode Shooting am See", "fashion lake"),
    ("Hut und Mantel", "hat"),
    ("hut und hose", "hat trousers"),
    ("Chef, Comic Stil", "manager"),
    ("Boot, Vektor", "boat"),
    ("Brief 3d", "letter"),
    ("Brief Icon", "letter"),
    ("Brief icon", "letter"),
    ("Handy Icon", "phone"),
    ("Handys", "phone"),
    ("U-Boot", "submarine"),
    ("Mode-Kampagne", "fashion"),
    ("Hund hält Rose", "dog rose"),
    # Sentences
    ("ein Brief", "letter"),
    ("ein brief", "letter"),
    ("ein Gift in einer Dose", "poison can"),
    ("eine Hose und ein Rock", "trousers skirt"),
    ("ein Kind mit einem Hut", "child hat"),
    ("Ein Kind hat einen Hund", "child dog"),
    ("ein Mann hat einen Hut", "hat"),
    ("der Rat der Stadt", "council"),
    ("der Chef hält ein Handy", "manager phone"),
    ("ein Boot auf dem See", "boat lake"),
    ("ein Floß auf dem See", "boat lake"),
    ("ein Tor, ein Ball", "gate ball"),
    ("ein Star auf einem Haus", "starling house"),
    ("ein Stern auf marineblauem Hintergrund", "star"),
    ("die Rakete", "rocket"),
    ("die rakete", "rocket"),
    ("die Bank am See", "bank lake"),
    ("fast ein Tiger", "tiger"),
    ("bald eine Rose", "rose"),
    ("hell, ein Stern", "star"),
    ("warme Hand", "hand"),
    ("der Arm mit der Hand", "arm hand"),
    ("ein Tag am See", "lake"),
    ("Kunst an der Wand", ""),
    ("eine Art Tiger", "tiger"),
    ("ein Welpe im Rock", "dog skirt"),
    ("zwei Kirschen", "cherries"),
    ("eine Kirsche", "cherries"),
    ("ein Hund an der Angel", "dog rod"),
    ("nordlicht, Brief", "letter"),
    # Words of their own that differ from a name by an ending
    ("eine Bar", ""),
    ("Bar im Haus", "house"),
    ("eine Reise", ""),
    ("ein Schäfer mit Hund", "dog"),
    ("eine Herde", ""),
    ("rotes Blut", ""),
    ("Blut", ""),
    ("zwei Karten", "card"),
    ("zwei Bären", "bear"),
    ("rote Äpfel", "apple"),
]

MIXED = [
    ("Rakete on a navy background", "rocket"),
    ("rakete on a navy background", "rocket"),
    ("Brief, pastel colors", "letter"),
    ("Handy auf rosa Grund, studio light", "phone"),
    ("Ein Chef, cartoon style", "manager"),
    ("Tor mit Stern, black and white", "gate star"),
    ("a Rakete with a dog", "rocket dog"),
    ("Brief on a navy background", "letter"),
    ("Handy on a navy background", "phone"),
    ("Kiste on a navy background", "crate"),
    ("a Kiste on a navy background", "crate"),
    ("Ein Boot on a navy background", "boat"),
    ("ein Rock und a rock", "skirt stone"),
    ("Hund mit Hut on a white background", "dog hat"),
    ("a hut und ein Hut", "cabin hat"),
    ("ein Hut and a hut, flat style", "hat cabin"),
    ("Hund, flat style", "dog"),
    ("ein Hund, flat style, navy background", "dog"),
    ("ein Geschenk with a rock", "present stone"),
    ("Rakete, minimal line art, white background", "rocket"),
    ("eine Rakete neben einem skirt", "rocket skirt"),
    ("Stern, soft morning light", "star"),
]


def _keys(known: Vocabulary, text: str) -> str:
    return " ".join(one.thing.key for one in vocabulary.read(known, text, ["nordlicht"]).matches)


@pytest.mark.parametrize(("text", "keys"), ENGLISH)
def test_english_is_read_as_english(text: str, keys: str) -> None:
    assert _keys(ALIKE, text) == keys


@pytest.mark.parametrize(("text", "keys"), GERMAN)
def test_german_is_read_as_german(text: str, keys: str) -> None:
    assert _keys(ALIKE, text) == keys


@pytest.mark.parametrize(("text", "keys"), MIXED)
def test_mixed_prompts_are_read_word_by_word(text: str, keys: str) -> None:
    assert _keys(ALIKE, text) == keys


SHIPPED = [
    ("gift", "wrapped-gift"),
    ("Gift on a table", "wrapped-gift table"),
    ("rock", "rock"),
    ("Rock", "skirt"),
    ("Rock band poster", "rock"),
    ("ein Rock", "skirt"),
    ("Brief", "envelope"),
    ("ein Brief", "envelope"),
    ("a brief moment", ""),
    ("Hose", "trousers"),
    ("eine blaue Hose", "trousers"),
    ("hose", ""),
    ("a garden hose", "sprinkler"),
    ("hut", "house"),
    ("Hut", "hat"),
    ("Hut in the woods", "house forest"),
    ("Roter Hut", "hat"),
    ("a rat", "mouse"),
    ("boot", "womans-boot"),
    ("Boot", "sailboat"),
    ("ein Boot auf dem See", "sailboat water-wave"),
    ("Boot on a white background", "womans-boot"),
    ("Ein Boot on a white background", "sailboat"),
    ("Handy", "mobile-phone"),
    ("a handy trick", ""),
    ("ein Tor", "goal-net"),
    ("Kiste", "package"),
    ("star", "star"),
    ("Star", "star"),
    ("Stern", "star"),
    ("ein Star", ""),
    ("a stern look", ""),
    ("bank", "bank"),
    ("Bank", "bank"),
    ("Note", "musical-note"),
    ("a note", ""),
    ("Ball", "soccer-ball"),
    ("ein Ball", "soccer-ball"),
    ("Rose", "rose"),
    ("a tiger", "tiger"),
    ("Rakete on a navy background", "rocket"),
    ("a bar", ""),
    ("eine Bar", ""),
    ("low table", "table"),
    ("a short sleeve", ""),
    ("a sweet puppy", "dog"),
]


@pytest.mark.parametrize(("text", "keys"), SHIPPED)
def test_the_built_in_models_own_table_is_read_so_too(text: str, keys: str) -> None:
    known = vocabulary.of("builtin")
    assert known is not None
    assert _keys(known, text) == keys


TOLD = [
    ("a brief moment", ["moment"]),
    ("Hose", ["Hose"]),
    ("a Gift on a table", []),
    ("ein Gift", ["Gift"]),
    ("ein Star auf weißem Grund", ["Star"]),
    ("Brief on a navy background", []),
]


@pytest.mark.parametrize(("text", "told"), TOLD)
def test_what_only_looks_like_a_name_is_told_as_unknown(text: str, told: list[str]) -> None:
    known = _table({"present": ("gift", "Geschenk"), "star": ("star", "Stern"), "letter": ("letter", "Brief")})
    assert [one.word for one in vocabulary.read(known, text).words] == told


def test_a_singular_of_underwear_never_wins_over_a_letter() -> None:
    known = _table({"briefs": ("briefs", "Unterhose"), "letter": ("letter", "Brief")})
    for text in ("Brief", "brief", "Brief, flat", "ein Brief", "Brief on a navy background", "BRIEF"):
        assert _keys(known, text) == "letter", text
    assert _keys(known, "briefs") == "briefs"


def test_a_singular_that_no_language_uses_otherwise_is_read_as_its_plural() -> None:
    known = _table({"jeans": ("jeans", "Jeans"), "grapes": ("grapes", "Trauben"), "curtain": ("curtains", "Grape")})
    assert _keys(known, "a grape") == "grapes"
    assert _keys(known, "eine Traube") == "grapes"
    assert _keys(known, "Grape") == "curtain", "an English singular does not win over a German name"
