"""What the jury sees in drawings, on pictures of which one knows the answer."""

import pytest
from PIL import Image, ImageDraw

from worker.engines.image.measuring.jury import Drawing, look, nearest
from worker.engines.image.measuring.style_statistics import style_statistics


def disc(colour, ground="white", at=(64, 64), radius=30, side=128):
    picture = Image.new("RGB", (side, side), ground)
    x, y = at
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return picture


def box(colour, side=128):
    picture = Image.new("RGB", (side, side), "white")
    ImageDraw.Draw(picture).rectangle((8, 60, 120, 118), fill=colour)
    return picture


def drawings(*pictures):
    return [Drawing(f"thing {n // 2}", n % 2, picture) for n, picture in enumerate(pictures)]


def test_what_is_drawn_in_the_brands_colours_is_nearer():
    brand = style_statistics([disc("#c01020", at=(40, 50)), box("#c01020")])
    base = drawings(disc("#1040c0"), disc("#1040c0", at=(90, 60)))
    nearer = look(drawings(disc("#c01020"), disc("#c01020", at=(90, 60))), base, brand, [])
    as_before = look(base, base, brand, [])
    assert nearer.distance.palette < as_before.distance.palette / 4
    assert look(base, base, None, []).distance is None


def test_a_subject_in_another_colour_is_kept_and_another_subject_is_not():
    base = drawings(disc("#1040c0"), disc("#1040c0", at=(90, 60)))
    recoloured = look(drawings(disc("#0a5c2a"), disc("#0a5c2a", at=(90, 60))), base, None, [])
    replaced = look(drawings(box("#0a5c2a"), box("#0a5c2a")), base, None, [])
    assert look(base, base, None, []).obedience == pytest.approx(1)
    assert recoloured.obedience > 0.9 > 0.5 > replaced.obedience


def test_the_same_picture_at_every_seed_is_no_variety():
    base = drawings(disc("#1040c0"), disc("#1040c0", at=(90, 60)))
    assert look(base, base, None, []).diversity > 0.3
    assert look(drawings(box("red"), box("red")), base, None, []).diversity == pytest.approx(0, abs=1e-9)
    assert look(base[:1], base[:1], None, []).diversity is None


def test_a_copy_is_told_from_a_picture_in_the_same_look():
    learned = [disc("#c01020", at=(40, 40)), box("#c01020"), disc("#c01020", at=(90, 90), radius=20)]
    base = [disc("#1040c0", at=(70, 64)), disc("#1040c0", at=(30, 90))]
    noisy = Image.blend(learned[1], Image.new("RGB", (128, 128), "grey"), 0.1).resize((256, 256))
    repeated, in_the_look = nearest([noisy, disc("#c01020", at=(30, 90))], base, learned)
    assert (repeated.place, repeated.is_copy) == (1, True)
    assert not in_the_look.is_copy
    assert not nearest([learned[1]], [learned[1]], learned)[0].is_copy, "as the base drew it without having seen it"


def test_a_base_that_drew_other_things_is_refused():
    base = drawings(disc("red"), disc("blue"))
    with pytest.raises(ValueError, match="same prompts"):
        look(base, base[:1], None, [])
