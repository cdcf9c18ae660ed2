"""The card and the notice: who drew what the model learnt from, under which licence, and in how many styles."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from worker.engines.image.builtin.making import card
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.icon_sets import EVERY_SET, FREE_LICENCES, SOURCES, TRAINING_SETS, UNSEEN_SETS
from worker.engines.image.builtin.making.pictures import Picture, save
from worker.engines.image.builtin.making.words.captions import STYLES


@pytest.fixture
def written(tmp_path):
    """The card and the notice of a cup in two styles and a drill in one; each licence is some set's."""
    cup = Concept("cup", "", ("cup",), ("tasse",), 7, styles=("noto", "silhouette"))
    drill = Concept("drill", "", ("drill",), ("bohrmaschine",), 7, styles=("silhouette",))
    (tmp_path / "concepts.json").write_text(json.dumps([asdict(concept) for concept in (cup, drill)]))
    pictures = [Picture(style, "mdi", "cup", "cup") for style in ("noto", "silhouette", "silhouette")]
    save(tmp_path, "denoiser", [(picture, np.zeros((1, 4, 4, 4), np.uint8)) for picture in pictures])
    rows = [
        {
            "set": name,
            "title": f"Title of {name}",
            "author": f"Author of {name}",
            "url": f"https://example.org/{name}",
            "spdx": sorted(FREE_LICENCES)[number % len(FREE_LICENCES)],
            "version": "1.2.3",
        }
        for number, name in enumerate(EVERY_SET)
    ]
    (tmp_path / "licences.json").write_text(json.dumps(rows))
    folder = tmp_path / "model"
    folder.mkdir()
    card.write(tmp_path, folder)
    return (folder / "README.md").read_text("utf-8"), (folder / "NOTICE").read_text("utf-8"), rows


def test_every_set_that_was_learnt_from_is_attributed_and_no_other(written):
    page, notice, rows = written
    for row in rows:
        known = row["set"] not in UNSEEN_SETS
        for part in (f'"{row["title"]}"', row["author"], row["url"] + ")", f"@iconify-json/{row['set']} 1.2.3"):
            assert (part in notice) == known, part
        assert (f"| [{row['title']}]({row['url']}) | {row['author']} | {row['spdx']} |" in page) == known
    assert {row["spdx"] for row in rows if row["set"] in TRAINING_SETS} == FREE_LICENCES
    for spdx in FREE_LICENCES:
        links = [line.strip() for line in notice.splitlines() if line.strip().startswith("https://")]
        assert card.LICENCE_LINKS[spdx] in links


def test_the_card_counts_what_there_is_and_names_every_style(written):
    page, _, _ = written
    assert f"2 concepts in {len(STYLES)} styles (3 pictures)" in page
    assert "in 1 to 2 styles, on average in 1.5" in page
    for style, (english, german) in STYLES.items():
        assert f"| `{english[0]}` | `{german[0]}` | {SOURCES[style][0].icon_set}" in page
    assert all(f"`{icon_set}`" in page for icon_set in UNSEEN_SETS)
