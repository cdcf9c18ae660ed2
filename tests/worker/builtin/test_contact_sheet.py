"""The prompts of the contact sheet are chosen by a rule, so that nobody picks the pretty ones."""

import json
from pathlib import Path

import pytest

from worker.engines.image.builtin.making import contact_sheet
from worker.engines.image.builtin.making.concepts import Concept


def concepts(count: int) -> list[Concept]:
    return [
        Concept(f"thing-{n:04}", "", (f"thing {n}",), (f"ding {n}",), 6, (f"thing-{n}",), ("noto", "twemoji"))
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [120, 1118])
def test_the_prompts_are_of_every_kind_and_the_same_each_time(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "read_concepts", lambda work: concepts(count))
    near = {f"thing-{n:04}": {"en": {"name": f"thing {n}", "near": [f"word {n}"]}} for n in range(count)}
    (tmp_path / "words.json").write_text(json.dumps({"things": near}))
    asked = contact_sheet.prompts(tmp_path, tmp_path / "words.json")
    assert asked == contact_sheet.prompts(tmp_path, tmp_path / "words.json")
    known, unknown, pairs, grounds = asked[:80], asked[80:100], asked[100:110], asked[110:]
    assert len(set(known)) == 80 and sum(" style " in one for one in known) == 40
    assert all(one.startswith("a word ") for one in unknown) and len(set(unknown)) == 20
    assert all(one.count("a thing") == 2 for one in pairs)
    assert all(one.endswith(" background") for one in grounds) and len(grounds) == 10
