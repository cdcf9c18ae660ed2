"""How a picture was made, in the words that other programs read, and written into the file itself."""

import json
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from app.generations import schedulers
from app.generations.enlarging.steps import METHOD, EnlargementStep
from app.generations.recipe import GenerationRecipe

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's word for a picture made by a trained model; platforms label such pictures by it."""
COMPOSITE_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""And for one in which another picture lives on: it started from that, or kept a part of it."""
UPSCALER = "realesr-animevideov3-x4"
"""What makes pictures larger (``worker/engines/image/enlarging``), by its makers' name."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_END = 33  # the signature, and the first chunk: IHDR is always 25 bytes long


@cache
def software() -> str:
    """This program and its version."""
    try:
        return f"Livery {version('livery')}"
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "Livery"


@dataclass(frozen=True)
class UsedAdapter:
    """An adapter as it was when the picture was drawn, and how strongly it acted."""

    adapter_id: str
    name: str
    version: int
    sha256: str
    strength: float


@dataclass(frozen=True)
class MadeBy:
    """Everything that is told about one picture."""

    prompt: str
    negative_prompt: str
    seed: int
    """Seed of the noise that this picture started from."""
    variation_of_seed: int | None
    variation_strength: float
    base_model: str
    adapters: tuple[UsedAdapter, ...]
    steps: int
    guidance_scale: float
    scheduler: str
    width: int
    """Of the file, in pixels, as is the height."""
    height: int
    enlargement: int
    """How many times as wide and as high as it was drawn the picture was made at once; 1 where it is as it was drawn.
    ``enlarged`` comes on top."""
    software: str
    image: str | None = None
    """SHA-256 of the picture that it started from."""
    mask: str | None = None
    strength: float | None = None
    """How far from that picture it went; None without one."""
    quantization: str | None = None
    """How the base was held; None where nobody knows any more."""
    clip_skip: int = 1
    enlarged: tuple[EnlargementStep, ...] = ()
    """Each time that the finished picture was enlarged afterwards, the first one first."""

    @property
    def sampler(self) -> str:
        """The scheduler as other programs call it."""
        return schedulers.scheduler_name(self.scheduler)

    def facts(self) -> dict[str, Any]:
        """The same as JSON, for the ``livery`` chunk and the API."""
        return {
            "software": self.software,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "seed": self.seed,
            "variation_of_seed": self.variation_of_seed,
            "variation_strength": self.variation_strength,
            "base_model": self.base_model,
            "adapters": [vars(used) for used in self.adapters],
            "steps": self.steps,
            "guidance_scale": self.guidance_scale,
            "scheduler": self.scheduler,
            "width": self.width,
            "height": self.height,
            "enlargement": self.enlargement,
            "image": self.image,
            "mask": self.mask,
            "strength": self.strength,
            "quantization": self.quantization,
            "clip_skip": self.clip_skip,
            "enlarged": [step.model_dump(mode="json") for step in self.enlarged],
        }

    def parameters(self) -> str:
        """The text that AUTOMATIC1111 and those after it read from a PNG's ``parameters``."""
        mixed = "".join(f" <lora:{_plain(used.name)}-v{used.version}:{used.strength:g}>" for used in self.adapters)
        lines = [self.prompt + mixed]
        if self.negative_prompt:
            lines.append(f"Negative prompt: {self.negative_prompt}")
        settings: dict[str, Any] = {
            "Steps": self.steps,
            "Sampler": self.sampler,
            "CFG scale": f"{self.guidance_scale:g}",
            "Seed": self.seed if self.variation_of_seed is None else self.variation_of_seed,
            "Size": f"{self.width}x{self.height}",
            "Model": self.base_model,
        }
        if self.variation_of_seed is not None:
            settings |= {"Variation seed": self.seed, "Variation seed strength": f"{self.variation_strength:g}"}
        upscalers = [UPSCALER] if self.enlargement > 1 else []
        upscalers += [step.network or METHOD for step in self.enlarged]
        if upscalers:
            by = self.enlargement * prod(step.times for step in self.enlarged)
            settings |= {"Postprocess upscale by": by, "Postprocess upscaler": " + ".join(upscalers)}
        if self.clip_skip > 1:
            settings["Clip skip"] = self.clip_skip
        if self.strength is not None:
            settings["Denoising strength"] = f"{self.strength:g}"
        if self.adapters:
            hashes = ", ".join(f"{_plain(used.name)}-v{used.version}: {used.sha256[:12]}" for used in self.adapters)
            settings["Lora hashes"] = f'"{hashes}"'
        settings["Version"] = self.software
        lines.append(", ".join(f"{name}: {value}" for name, value in settings.items()))
        return "\n".join(lines)

    def xmp(self, created_at: datetime) -> str:
        """An XMP packet: made by a trained model, with what, and from which words."""
        moment = created_at.astimezone(UTC).isoformat(timespec="seconds")
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
            ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
            ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
            f" xmp:CreatorTool={quoteattr(self.software)} xmp:CreateDate={quoteattr(moment)}"
            ' xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"'
            ' xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"'
            f" Iptc4xmpExt:DigitalSourceType={quoteattr(COMPOSITE_SOURCE_TYPE if self.image else SOURCE_TYPE)}>"
            f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(self.prompt)}</rdf:li></rdf:Alt>'
            f"</dc:description>{self._history()}</rdf:Description></rdf:RDF></x:xmpmeta>"
            '<?xpacket end="r"?>'
        )

    def _history(self) -> str:
        """What was done to the picture after it was drawn; nothing for one that is as it was drawn."""
        events = "".join(
            f'<rdf:li stEvt:action="resized" stEvt:softwareAgent={quoteattr(self.software)}'
            f" stEvt:parameters={quoteattr(step.told)}/>"
            for step in self.enlarged
        )
        return f"<xmpMM:History><rdf:Seq>{events}</rdf:Seq></xmpMM:History>" if events else ""


def made_by(
    recipe: GenerationRecipe,
    adapters: tuple[UsedAdapter, ...],
    *,
    seed: int,
    multiplier: float,
    size: tuple[int, int],
    enlarged: tuple[EnlargementStep, ...] = (),
) -> MadeBy:
    """What is told about one picture of a recipe. ``adapters`` have the recipe's strengths; ``multiplier`` is that of
    the picture within a strip, ``size`` that of its file, ``enlarged`` what was done to it since it was drawn."""
    used = tuple(
        UsedAdapter(one.adapter_id, one.name, one.version, one.sha256, round(one.strength * multiplier, 4))
        for one in adapters
    )
    turned = recipe.variation_strength > 0 and not recipe.strengths
    return MadeBy(
        prompt=recipe.prompt,
        negative_prompt=recipe.negative_prompt,
        seed=seed,
        variation_of_seed=recipe.seed if turned else None,
        variation_strength=recipe.variation_strength if turned else 0.0,
        base_model=recipe.base_model,
        adapters=used,
        steps=recipe.steps,
        guidance_scale=recipe.guidance_scale,
        scheduler=recipe.scheduler,
        width=size[0],
        height=size[1],
        enlargement=max(1, (enlarged[0].width if enlarged else size[0]) // recipe.width),
        software=software(),
        image=recipe.image,
        mask=recipe.mask,
        strength=recipe.strength if recipe.image else None,
        quantization=recipe.quantization,
        clip_skip=recipe.clip_skip,
        enlarged=enlarged,
    )


def stamped(png: bytes, made: MadeBy, created_at: datetime) -> bytes:
    """The same pixels, with how they were made in the file. ``png`` has no metadata of its own."""
    if png[:8] != PNG_SIGNATURE or png[12:16] != b"IHDR":
        raise ValueError("not a PNG")

    chunks = (
        _text("parameters", made.parameters()),
        _text("Software", made.software),
        _international_text("livery", json.dumps(made.facts(), ensure_ascii=False)),
        _international_text("XML:com.adobe.xmp", made.xmp(created_at)),
    )
    return png[:HEADER_END] + b"".join(chunks) + png[HEADER_END:]


def _text(keyword: str, text: str) -> bytes:
    """A ``tEXt`` chunk, which holds Latin-1 alone; else an ``iTXt``."""
    try:
        return _chunk(b"tEXt", keyword.encode() + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return _international_text(keyword, text)


def _international_text(keyword: str, text: str) -> bytes:
    """Not compressed, of no language, its keyword not translated: these are the five zero bytes."""
    return _chunk(b"iTXt", keyword.encode() + bytes(5) + text.encode())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _plain(name: str) -> str:
    """A name that can stand in ``<lora:…>``."""
    return "".join(char if char.isalnum() else "-" for char in name).strip("-").lower()[:60] or "adapter"
