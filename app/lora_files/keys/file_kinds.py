"""Kinds of files that are no LoRA, told by the names of their tensors, so that people hear what they have. Pure."""

import re
from collections.abc import Mapping

from app.lora_files.keys.bases import UnknownAdapterKind
from app.lora_files.keys.weights import Shaped

_KINDS = (
    (r"\.boft_[RSrs](\.|$)", "BOFT"),
    (r"\.(oft_blocks|oft_diag|oft_[RrSs](\.\w+)*|rescale)$", "OFT"),
    (r"\.on_input$|\.ia3_l(\.|$)", "(IA)³"),
    (r"\.(a1|a2|b1|b2|bm)\.weight$", "GLoRA"),
    (r"\.lambda_layer$|\.[qp]_layer\.weight$", "T-LoRA"),
    (r"\.vera_lambda_[bd]|vera_[AB](\.|$)", "VeRA"),
    (r"\.(diff|set_weight)$", "Full (.diff)"),
    (r"(^|[._])lllite_", "ControlLLLite"),
    (r"\.lora_[AB]\.bias$", "Control LoRA"),
    (r"^(ip_adapter|image_proj)\.", "IP-Adapter"),
    (r"^(control_model|controlnet)[._]|(^|[._])controlnet_(down|mid|cond)", "ControlNet"),
    (r"(^|[._])motion_modules[._]", "AnimateDiff"),
    (r"^(emb_params|clip_[lg]|t5xxl|string_to_param.*|<[^>]{1,100}>|\*)$", "Textual Inversion"),
    (r"^(model\.diffusion_model|first_stage_model|cond_stage_model)\.", "Checkpoint"),
)
_SIGNS = tuple((re.compile(pattern), kind) for pattern, kind in _KINDS)


def check(entries: Mapping[str, Shaped]) -> None:
    """Raises ``UnknownAdapterKind`` where one tensor says that the file, or a part of it, is such a kind."""
    for name, place in entries.items():
        for pattern, kind in _SIGNS:
            if pattern.search(name):
                # LyCORIS gives both kinds one name; BOFT's blocks lie in stages.
                is_boft = kind == "OFT" and name.endswith(".oft_blocks") and len(place.shape) == 4
                raise UnknownAdapterKind(name=name, kind="BOFT" if is_boft else kind)
