"""Languages are told apart; what does not tell takes its neighbours' one."""

import pytest

from app.voice.analysis import languages
from tests import voices


@pytest.mark.parametrize("name", [voices.NORDLICHT, voices.FIZZBEE])
def test_german_and_english_are_never_mistaken_for_each_other(name: str) -> None:
    rows = voices.rows(name)
    found = [(languages.detect(row["text"]), row["language"], row["text"]) for row in rows]
    assert [one for one in found if one[0] not in (None, one[1])] == []
    assert sum(one[0] is None for one in found) <= 0.05 * len(rows)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Nous avons fait une lampe qui donne une lumière très douce.", "fr"),
        ("Esta manta es muy suave y también está hecha a mano para usted.", "es"),
        ("Questa lampada è fatta a mano e non ha bisogno di nulla.", "it"),
        ("Deze deken is zwaar genoeg om te blijven liggen, ook met wind.", "nl"),
        ("Esta manta é muito pesada e não precisa de mais nada.", "pt"),
        ("Ten koc jest ciężki i zostaje tam, gdzie go położysz.", "pl"),
    ],
)
def test_other_languages_are_not_taken_for_these(text: str, language: str) -> None:
    assert languages.detect(text) == language


def test_what_does_not_tell_takes_the_usual_language() -> None:
    assert languages.detect("Shake off Monday!") is None
    assert languages.detect_all(["Das ist die Lampe.", "🍋🍋🍋", "Wow"], otherwise="en") == ["de", "de", "de"]
    assert languages.detect_all(["", "Wow"], otherwise="en") == ["en", "en"]
