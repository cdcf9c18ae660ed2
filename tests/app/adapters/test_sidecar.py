"""The sidecar for AUTOMATIC1111."""

import json

import pytest

from app.adapters import sidecar
from app.adapters.models import Adapter
from app.base_models import catalogue

BASES = {model.family: model for model in catalogue.all_models() if model.source != "builtin"}


@pytest.mark.parametrize(
    ("family", "version"),
    [("stable_diffusion", "SD1"), ("stable_diffusion_xl", "SDXL"), ("flux", "Flux"), ("flux2_klein", "Unknown")],
)
def test_the_sidecar_names_the_version_of_the_family_whatever_the_base_is_called(family: str, version: str) -> None:
    own = BASES[family].model_copy(update={"key": "0b5d6c", "name": "House model"})
    said = json.loads(sidecar.sidecar(_adapter(), own.name, own))
    assert said["sd version"] == version
    assert "House model" in said["description"]


def test_every_family_of_the_catalogue_has_its_word() -> None:
    """Words that A1111 and Forge have in ``SdVersion``; of what neither runs, they are told nothing."""
    said = {
        family: json.loads(sidecar.sidecar(_adapter(), one.name, one))["sd version"] for family, one in BASES.items()
    }
    assert said == {
        "stable_diffusion": "SD1",
        "stable_diffusion_xl": "SDXL",
        "flux": "Flux",
        "flux2_klein": "Unknown",
    }


def test_all_the_fields_that_a1111_and_invokeai_read_are_there() -> None:
    said = json.loads(sidecar.sidecar(_adapter(), "SDXL", BASES["stable_diffusion_xl"]))
    assert said == {
        "description": "Brand, style, version 1. Base: SDXL.",
        "sd version": "SDXL",
        "activation text": "brandx",
        "preferred weight": 1.0,
        "negative text": "",
        "notes": "",
    }


def test_the_built_in_base_is_none_of_a1111s() -> None:
    built_in = next(model for model in catalogue.all_models() if model.source == "builtin")
    assert json.loads(sidecar.sidecar(_adapter(), built_in.name, built_in))["sd version"] == "Unknown"
    assert json.loads(sidecar.sidecar(_adapter(), "gone", None))["sd version"] == "Unknown"


def _adapter() -> Adapter:
    return Adapter(
        name="Brand",
        purpose="style",
        version=1,
        base_model="x",
        trigger_word="brandx",
        recommended_strength=1.0,
        note="",
    )
