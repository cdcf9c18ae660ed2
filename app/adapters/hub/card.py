"""The card of an adapter on a model hub: what it is, how to use it, whose it is. Pure.

It says nothing about the training pictures. Sample visuals are named where they come along.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.lora_files.inspection import MetadataReport
from app.lora_files.programs.fit import DORA_OF_BASE, NEEDS_LYCORIS

LICENCES = ("other", "apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "creativeml-openrail-m", "openrail++")
"""What the hub knows by name; ``other`` is for terms of one's own."""


@dataclass(frozen=True)
class CardFacts:
    name: str
    purpose: str
    version: int
    base_name: str
    base_repository: str
    """``owner/name``, or empty for a base that is on no hub."""
    base_licence: str
    licence: str
    trigger_word: str
    strength: float
    rank: int
    alpha: float
    note: str
    files: Sequence[tuple[str, str]] = ()
    """Names of the files and the programs that they are for, see ``programs_of``; told where the files are."""
    samples: Sequence[tuple[str, str]] = ()
    """Names of sample pictures and their prompts."""
    languages: Sequence[str] = ()
    """That a voice writes in, as ISO 639 codes."""
    is_product: bool = False
    """Whether it is one of LyCORIS's kinds (LoKr, LoHa), which diffusers does not load."""
    is_imported: bool = False
    """Whether another program trained it."""
    is_only_for_livery: bool = False
    """Whether no other program has its base."""


def programs_of(report: MetadataReport) -> str:
    """The programs that load all of a file and draw what it says, as far as is known: ``ComfyUI, Forge``.

    Of a DoRA some draw a little off, which stands behind their names. Where no program does, it is ``Livery``.
    """
    whole = [fit for fit in report.programs if fit.loaded == fit.total]
    notes = {"": "", DORA_OF_BASE: " (a little off)", NEEDS_LYCORIS: " (with LyCORIS)"}
    return ", ".join(fit.name + notes[fit.reason] for fit in whole if fit.reason in notes) or "Livery"


def model_card(facts: CardFacts) -> str:
    """The ``README.md``, with the header that the hub reads."""
    header = {
        "license": facts.licence,
        "tags": ["lycoris", "text-to-image", "livery"]
        if facts.is_product
        else ["lora", "text-to-image", "diffusers", "template:sd-lora", "livery"],
        "pipeline_tag": "text-to-image",
        "instance_prompt": facts.trigger_word,
    }
    if not facts.is_product:
        header["library_name"] = "diffusers"
    if facts.base_repository:
        header["base_model"] = facts.base_repository
    lines = ["---", *_lines(header)]
    if facts.samples:
        lines.append("widget:")
        for name, prompt in facts.samples:
            lines += [f"- text: {json.dumps(prompt, ensure_ascii=False)}", "  output:", f"    url: {json.dumps(name)}"]
    lines += ["---", "", f"# {_plain(facts.name)}, version {facts.version}", ""]
    what = "An adapter of LyCORIS's kinds (LoKr or LoHa)" if facts.is_product else "A LoRA"
    lines += [f"{what} that has learned a {facts.purpose}, for {_plain(facts.base_name)}.", ""]
    if facts.trigger_word:
        lines += [f"Write `{_plain(facts.trigger_word)}` into the prompt; recommended strength {facts.strength:g}.", ""]
    if facts.note:
        lines += [_plain(facts.note), ""]
    files = [(name, "Livery" if facts.is_only_for_livery else programs) for name, programs in facts.files]
    lines += ["| file | for |", "|---|---|", *(f"| `{name}` | {programs} |" for name, programs in files), ""]
    lines += [f"Rank {facts.rank}, alpha {facts.alpha:g}. Licence of the base: {_plain(facts.base_licence)}.", ""]
    if facts.samples:
        lines += ["<Gallery />", ""]
    lines += [
        "Pictures made with it are made by a machine; say so where the law asks for it.",
        "",
        "Trained elsewhere, published with Livery." if facts.is_imported else "Trained with Livery.",
        "",
    ]
    return "\n".join(lines)


def voice_card(facts: CardFacts) -> str:
    """The same for an adapter that writes. It says nothing about the texts that it learned from."""
    header: dict[str, object] = {
        "license": facts.licence,
        "tags": ["lora", "peft", "text-generation", "livery"],
        "pipeline_tag": "text-generation",
        "library_name": "peft",
    }
    if facts.base_repository:
        header |= {"base_model": facts.base_repository, "base_model_relation": "adapter"}
    if facts.languages:
        header["language"] = list(facts.languages)
    lines = ["---", *_lines(header), "---", "", f"# Voice of {_plain(facts.name)}, version {facts.version}", ""]
    lines += [f"A LoRA that has learned how a brand writes, for {_plain(facts.base_name)}.", ""]
    if facts.note:
        lines += [_plain(facts.note), ""]
    lines += ["| file | for |", "|---|---|", *(f"| `{name}` | {program} |" for name, program in facts.files), ""]
    lines += [f"Rank {facts.rank}, alpha {facts.alpha:g}. Licence of the base: {_plain(facts.base_licence)}.", ""]
    if facts.base_repository:
        lines += [
            "```python",
            "from peft import PeftModel",
            "from transformers import AutoModelForCausalLM",
            "",
            f'base = AutoModelForCausalLM.from_pretrained("{facts.base_repository}")',
            'model = PeftModel.from_pretrained(base, "this repository")',
            "```",
            "",
        ]
    lines += [
        "Texts written with it are written by a machine; say so where the law asks for it.",
        "",
        "Trained with Livery.",
        "",
    ]
    return "\n".join(lines)


def _lines(header: Mapping[str, object]) -> list[str]:
    # Every JSON text is also YAML, and quotes what people wrote.
    return [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in header.items()]


def _plain(text: str) -> str:
    """People's words without what Markdown or HTML would make of them."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|&" else letter for letter in " ".join(text.split()))
