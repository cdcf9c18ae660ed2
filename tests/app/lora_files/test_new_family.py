"""What a new family of base models costs: its facts, its engine, and an entry of the catalogue, each in one file.

The family is made up here, is added by those three files alone, and goes everywhere where families are told apart.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.adapters import inspecting, sidecar
from app.adapters.imports import service as imports
from app.base_models import catalogue, queries, recognition, service
from app.base_models.catalogue import BaseModelEntry
from app.db import Database
from app.lora_files import export, families, key_formats, safetensors_file
from app.lora_files.families import known
from app.lora_files.inspection import KEY_FORMAT_NAMES
from app.lora_files.programs.fit import OTHER_BASE
from tests.app.lora_files.deltas import assert_same, random_lora
from tests.conftest import SignedIn
from tests.orders import make_workspace
from worker.engines import registry
from worker.engines.image import families as engines

FACTS = """
from app.lora_files.families.facts import Checkpoint, FamilyFacts, OriginalLayer, sign

FACTS = FamilyFacts(
    architecture="paper_1",
    name="Paper 1",
    place=8,
    is_u_net=False,
    key_formats=("comfyui", "kohya", "canonical"),
    blocks={
        "sheets": (
            "paper_sheets",
            {
                "fold_attn.qkv": OriginalLayer(("fold.to_q", "fold.to_k", "fold.to_v"), (1, 1, 1)),
                "crease": OriginalLayer(("wet_fold",)),
            },
        )
    },
    top={"pulp_in": OriginalLayer(("pulp_embedder",))},
    signs=(sign("paper_1", r"^(paper_sheets|sheets)_\\\\d"),),
    header_words=r"paper[-_ ]?1",
    modelspec="paper-1",
    sd_scripts="paper1",
    key="paper",
    short_name="Paper",
    pipeline="PaperPipeline",
    is_flow=True,
    checkpoint=Checkpoint(("sheets.0.fold_attn.qkv.weight", "pulp_in.weight"), frozenset({"transformer"})),
)
""".replace("\\\\", "\\")
ENGINE = """
def train(recipe, inputs, out, progress):
    return "trained"
"""
ENTRY = """
[[model]]
key = "paper-1-base"
name = "Paper 1 base"
summary.en = "Folds pictures."
summary.de = "Faltet Bilder."
suggestions.en = ["A crane", "A boat"]
suggestions.de = ["Ein Kranich", "Ein Boot"]
family = "paper"
source = "mill/paper-1"
prediction_type = "flow"
resolution = 512
multiple = 16
resolutions = [512]
training_memory_mb = 8000
generation_memory_mb = 6000
steps = 20
guidance_scale = 3.5
ready = false
licence = "Apache-2.0"
licence_url = "https://www.apache.org/licenses/LICENSE-2.0"
licence_sentence.en = "You may use pictures and adapters commercially."
licence_sentence.de = "Sie dürfen Bilder und Adapter gewerblich nutzen."
"""
MODULES: dict[str, tuple[int, ...]] = {
    **{f"transformer.paper_sheets.0.fold.to_{one}": (12, 12) for one in "qkv"},
    "transformer.paper_sheets.3.wet_fold": (24, 12),
    "transformer.pulp_embedder": (12, 6),
}
WHEN = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The family as it would be added: three files, and nothing else."""
    for package, name, content in ((families, "paper_1", FACTS), (engines, "paper", ENGINE)):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / f"{name}.py").write_text(content)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    (tmp_path / "catalogue.toml").write_text(catalogue.CATALOGUE.read_text() + ENTRY)
    monkeypatch.setattr(catalogue, "CATALOGUE", tmp_path / "catalogue.toml")
    monkeypatch.setattr(known, "FAMILIES", known.found())
    # In this process, as the one that looks at headers would know nothing of it.
    monkeypatch.setattr(inspecting, "looked_at", inspecting.report_of)
    catalogue.all_models.cache_clear()
    yield
    catalogue.all_models.cache_clear()


@pytest.fixture
def workspace_id(database: Database) -> str:
    return make_workspace(database)


@pytest.fixture
def base() -> BaseModelEntry:
    return catalogue.get("paper-1-base")


def lora() -> key_formats.Lora:
    return random_lora(MODULES, "paper_1", rank=lambda n: 2 + n % 3, alpha=lambda n: 0.5 + n)


def test_its_checkpoints_are_recognised() -> None:
    assert recognition.of_pipeline({"_class_name": "PaperPipeline"}).family == "paper"
    found = recognition.of_tensors(["model.diffusion_model.sheets.0.fold_attn.qkv.weight", "pulp_in.weight"])
    assert (found.family, found.prediction_type) == ("paper", "flow")
    with pytest.raises(recognition.UnknownFamily, match=r"Supported kinds: .*FLUX.2 \[klein\], Paper\."):
        recognition.of_tensors(["x"])


@pytest.mark.parametrize("form", ["comfyui", "kohya", "canonical"])
def test_its_adapters_are_converted_without_a_change(form: key_formats.WrittenFormat, tmp_path: Path) -> None:
    tensors, header = key_formats.write(lora(), form)
    read = key_formats.read(tensors, header)
    assert read.architecture == "paper_1"
    assert_same(read, lora())
    if form == "comfyui":
        assert tensors["diffusion_model.sheets.0.fold_attn.qkv.lora_B.weight"].shape[0] == 36
    source = tmp_path / "source.safetensors"
    source.write_bytes(safetensors_file.to_bytes(tensors, header))
    for other in ("comfyui", "kohya", "canonical"):
        export.converted(source, tmp_path / "target.safetensors", other, name="x")  # type: ignore[arg-type]
        assert_same(export.read(tmp_path / "target.safetensors"), lora())


def test_its_exports_say_in_their_headers_what_they_are_for(base: BaseModelEntry, tmp_path: Path) -> None:
    source, target = tmp_path / "source.safetensors", tmp_path / "target.safetensors"
    source.write_bytes(safetensors_file.to_bytes(lora().tensors, key_formats.diffusers_header(lora())))
    facts = sidecar.facts_for(
        brand="Nordlicht", purpose="style", version=1, base=base, rank=2, alpha=1.0, trigger_word="brandx",
        created_at=WHEN, training=None,
    )  # fmt: skip
    export.kohya_file(source, target, facts)
    header = safetensors_file.read_header(target).metadata
    assert header["modelspec.architecture"] == "paper-1/lora"
    assert header["ss_base_model_version"] == "paper1"
    assert header["modelspec.resolution"] == "1024x1024"


def test_what_programs_make_of_a_file_is_told_and_it_can_be_taken_into_a_brand(
    base: BaseModelEntry, database: Database, workspace_id: str
) -> None:
    tensors, header = key_formats.write(lora(), "comfyui")
    content = safetensors_file.to_bytes(tensors, header)
    passport = inspecting.of_beginning(io.BytesIO(content), len(content), b"")
    assert (passport.base_name, passport.has_base, passport.can_be_drawn) == ("Paper 1", True, True)
    assert passport.dialect in KEY_FORMAT_NAMES and passport.dialects == ["comfyui", "kohya", "canonical"]
    fits = {fit.program: fit for fit in passport.programs}
    assert fits["comfyui"].loaded == fits["comfyui"].total == 6
    assert {fits[program].reason for program in ("a1111", "forge", "kohya")} == {OTHER_BASE}
    assert fits["invokeai"].loaded is None
    with database.read() as session:
        assert imports.bases_for(session, workspace_id, passport) == [base]


def test_a_header_that_names_it_suffices_where_the_layers_do_not() -> None:
    clip = {f"lora_te_text_model_encoder_layers_0_mlp_fc1.{part}": np.ones((4, 4)) for part in ("lora_down.weight",)}
    tensors = {name: safetensors_file.float32_tensor(value) for name, value in clip.items()}
    tensors |= {name.replace("down", "up"): tensor for name, tensor in tensors.items()}
    names = key_formats.parse(tensors, {"modelspec.architecture": "paper-1/lora"})
    assert names.architecture == "paper_1"


def test_its_engine_is_found_and_a_workspace_adds_its_checkpoints(database: Database, workspace_id: str) -> None:
    assert registry.engine_for("paper").train(None, None, None, None) == "trained"  # type: ignore[arg-type,comparison-overlap]
    with database.write() as session:
        row = service.add_from_hub(
            session, workspace_id=workspace_id, name="Washi", repository="acme/washi", file="washi.safetensors",
            family="paper", created_by=None,
        )  # fmt: skip
        entry = queries.entry_of(row)
    assert entry is not None and (entry.family, entry.steps) == ("paper", 20)


def test_it_stands_on_the_page_of_base_models(owner: SignedIn) -> None:
    assert "Paper 1 base" in owner.client.get("/base-models").text
    assert "Folds pictures." in owner.client.get("/base-models/paper-1-base").text
    assert '<option value="paper">Paper</option>' in " ".join(owner.client.get("/base-models/add").text.split())
