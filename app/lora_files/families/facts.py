"""What is to be known of a family of base models, so that everything else can do without its name. Pure data.

Each other module here holds one family as ``FACTS``; ``known`` finds them all. A new family is one such module, its
engine in ``worker/engines/image/families``, and its bases in the catalogue.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Architecture = str
"""Whose layers an adapter changes: ``flux_1``, ``stable_diffusion_2``."""
KeyFormat = Literal[
    "canonical", "diffusers_old", "kohya", "kohya_sgm", "comfyui", "onetrainer", "xlabs", "peft", "lycoris", "unknown"
]
"""``canonical`` and ``diffusers_old`` are diffusers' names; ``lycoris`` is its own prefix, not its way of learning."""
WrittenFormat = Literal["canonical", "diffusers_old", "kohya", "comfyui"]
"""Those in which Livery writes files."""


@dataclass(frozen=True)
class Sign:
    """One of its layers, of one of these widths, is of this architecture."""

    architecture: Architecture
    layers: re.Pattern[str]
    """Searched in flat names without prefix and ending: ``layers_0_attention_to_q``."""
    widths: frozenset[int] = frozenset()
    """Of the tokens; empty where the layers' names suffice."""


def sign(architecture: Architecture, layers: str, *widths: int) -> Sign:
    return Sign(architecture, re.compile(layers), frozenset(widths))


@dataclass(frozen=True)
class OriginalLayer:
    """A layer of the makers' own code, and the layers of diffusers' model that lie in it on top of each other."""

    modules: tuple[str, ...]
    """Canonical paths, row by row."""
    rows: tuple[int, ...] = (1,)
    """How many rows each has, relative to the others."""
    swaps_halves: bool = False
    """The halves of its rows, shift and scale, stand the other way round in the original."""


@dataclass(frozen=True)
class TextEncoder:
    """A text encoder that files may hold changes of."""

    kohya: str
    """Prefix of its layers there: ``lora_te1_``."""
    comfyui: str = ""
    """Likewise; empty where ComfyUI has no name for it."""
    is_trained: bool = True
    """Whether Livery's engines draw with changes of it. A T5 stays as it is."""


@dataclass(frozen=True)
class Checkpoint:
    """How a checkpoint that is one file in the makers' names is told, and what it holds."""

    signs: tuple[str, ...]
    """Names of tensors that it has all of, with or without ``model.diffusion_model.``; beginnings of names end with a
    dot. Of two families that fit, the one with more signs counts."""
    parts: frozenset[str] = frozenset()
    """Parts of diffusers' pipeline whose weights it holds; empty where Livery does not read such files."""
    guided_by: str = ""
    """A tensor that is missing where the base was distilled; empty where none tells it."""


@dataclass(frozen=True, eq=False)
class FamilyFacts:
    architecture: Architecture
    name: str
    """As people know it: ``FLUX.1``."""
    place: int
    """Where it stands among the others in lists; of two families that fit a file, the later one counts."""
    is_u_net: bool
    """Whether its denoiser is a U-Net of Stability's; else it is a transformer."""

    # Adapter files: key formats
    key_formats: tuple[WrittenFormat, ...]
    """Those that Livery writes, the usual one first."""
    text_encoders: Mapping[str, TextEncoder] = field(default_factory=dict)
    """By component: ``text_encoder``, ``text_encoder_2``."""
    blocks: Mapping[str, tuple[str, Mapping[str, OriginalLayer]]] = field(default_factory=dict)
    """The makers' name of a kind of blocks → diffusers' name of it, and the layers inside. Of transformers."""
    top: Mapping[str, OriginalLayer] = field(default_factory=dict)
    """Likewise the layers outside of blocks."""
    unsplit: Mapping[str, str] = field(default_factory=dict)
    """Layers that stay fused where a change of them cannot be split, as a Kronecker product: our name → the makers'."""
    comfyui_keeps_split: bool = False
    """ComfyUI reads its attention split, as its trainers write it."""
    comfyui_alpha_in_weights: bool = False
    """Programs refuse alphas in the makers' names, so that the weights take them on."""
    kohya_has_original_names: bool = False
    """Of a U-Net: kohya's names are Stability's."""
    first_up_block_has_attention: bool = False
    """Of a U-Net: where its first upsampler lies in Stability's names depends on it."""

    # Adapter files: recognition
    widths: frozenset[int] = frozenset()
    """Of its tokens, where files tell them; of transformers."""
    sizes: Mapping[int, str] = field(default_factory=dict)
    """Names by those widths, where they say which one of the family it is."""
    text_width: int | None = None
    """Of what its cross-attention reads; of U-Nets."""
    signs: tuple[Sign, ...] = ()
    """Layers that no other base has."""
    layers: tuple[str, ...] = ()
    """The same as patterns of canonical or original paths, told after ``signs`` of all bases."""
    header_words: str = ""
    """A pattern of what headers call it, in lower case."""

    # Adapter files: headers
    modelspec: str = ""
    """``modelspec.architecture`` without ``/lora``."""
    sd_scripts: str = ""
    """``ss_base_model_version``."""
    sd_scripts_network: str = "networks.lora"
    """``ss_network_module``."""
    sd_scripts_v2: bool = False
    """``ss_v2``."""
    makers_code: str = ""
    """``modelspec.implementation`` of a file in the makers' names."""
    native_side: int = 1024
    """Pixels of the square that it was trained at, for ``modelspec.resolution``, which may not be missing."""
    a1111: str = "Unknown"
    """A1111's and Forge's word for it; both hide an adapter from a base of another word."""
    bases: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Catalogue key → ``modelspec.architecture`` and ``ss_base_model_version``, where a base has words of its own."""
    without_shift: tuple[str, ...] = ()
    """Of those ``modelspec.architecture``: flow models whose noise levels have no shift of their own."""

    # Other programs
    runs_in: frozenset[str] = frozenset()
    """Of ``a1111``, ``forge``, ``kohya`` and ``invokeai`` those that run it. ComfyUI and diffusers run all of them."""
    diffusers_lokr: tuple[KeyFormat, ...] = ()
    """Key formats in which diffusers reads a LoKr of it."""

    # Base models
    key: str = ""
    """Family in the catalogue, and name of its engine; empty where Livery has none and only converts its files."""
    short_name: str = ""
    """In lists of what Livery can use: ``SDXL``."""
    pipeline: str = ""
    """``_class_name`` in ``model_index.json``."""
    is_flow: bool = False
    """Trained on velocities; else its scheduler's configuration says what it predicts."""
    distilled_by: Literal["", "guidance_embeds", "is_distilled"] = ""
    """What says that a pipeline does without guidance: a transformer without guidance embeddings, or its index."""
    tells_width: bool = False
    """Whether sizes of the family are told apart by the width of the transformer."""
    has_clip_skip: bool = False
    """Whether bases of its kind were made with CLIP's last layer or with the one before it."""
    checkpoint: Checkpoint | None = None

    @property
    def has_two_encoders(self) -> bool:
        """Whether it reads words with a second CLIP."""
        return "text_encoder_2" in self.text_encoders and self.text_encoders["text_encoder_2"].is_trained
