"""Adapters of every base there is: known by their signs, and nothing promised that Livery cannot keep."""

import io
import json
import math
import random
import re
import struct

import pytest

from app.adapters import inspecting
from app.adapters.models import ImportedFile
from app.db import Database
from app.lora_files import export, inspection, key_formats, safetensors_file
from app.lora_files.families import known
from app.lora_files.keys import bases, signs
from app.lora_files.keys.bases import UnknownAdapterKind, UnknownKeyFormat
from app.lora_files.safetensors_file import UnsafeFile
from app.storage import Storage
from tests.answers import code_of
from tests.app.lora_files.foreign_files import FILES, Shape, Written
from tests.conftest import SignedIn
from tests.orders import make_brand
from tests.tokens import api_client

SUPPORTED = tuple(one.architecture for one in known.FAMILIES)


@pytest.fixture(autouse=True)
def narrow_bases() -> None:
    """No: these files are as wide as theirs are."""


def header_bytes(entries: dict[str, Shape], metadata: dict[str, str]) -> tuple[bytes, int]:
    """A file's beginning and its length, without the numbers."""
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, one in entries.items():
        end = at + 2 * math.prod(one.shape)
        header[name] = {"dtype": one.dtype, "shape": list(one.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text, 8 + len(text) + at


def passport_of(entries: dict[str, Shape], metadata: dict[str, str]) -> inspection.MetadataReport:
    beginning, size = header_bytes(entries, metadata)
    return inspecting.of_beginning(io.BytesIO(beginning), size, b"")


@pytest.mark.parametrize("file", FILES, ids=lambda one: f"{one.architecture}-{one.program}")
def test_each_base_is_known_by_its_names_and_widths(file: Written) -> None:
    passport = passport_of(file.entries(), dict(file.metadata))
    assert passport.architecture == file.architecture
    assert passport.parts and sum(part.layers for part in passport.parts) == len(file.entries()) // (
        3 if file.words[0] == "lora_down.weight" else 2
    )
    assert passport.parts[0].ranks[0][0] == 4
    if file.architecture in SUPPORTED:
        assert passport.has_base and passport.programs and passport.dialects
    else:
        assert not passport.has_base and passport.programs == [] and passport.dialects == []
        assert bool(passport.base_name) == (file.architecture != "unknown")


def test_flux_2_is_told_apart_by_its_width() -> None:
    widths = {file.program: passport_of(file.entries(), {}).width for file in FILES if file.architecture == "flux_2"}
    assert widths == {"diffusion-pipe [dev]": 6144, "ai-toolkit [dev]": 6144, "klein 9B": 4096, "klein 4B": 3072}


def test_a_header_that_lies_is_not_believed_where_widths_say_otherwise() -> None:
    """What an older Livery made of Stable Diffusion 3."""
    sd_3 = next(file for file in FILES if file.program == "diffusers, 3.5 Large")
    said = {"modelspec.architecture": "flux-1-dev/lora", "ss_base_model_version": "flux1"}
    assert passport_of(sd_3.entries(), said).architecture == "stable_diffusion_3"
    flux = next(file for file in FILES if file.program == "sd-scripts")
    modulated = flux.entries() | {
        "lora_unet_double_blocks_0_img_mod_lin.lora_down.weight": Shape("BF16", (4, 3072)),
        "lora_unet_double_blocks_0_img_mod_lin.lora_up.weight": Shape("BF16", (18432, 4)),
    }
    assert passport_of(modulated, {"ss_base_model_version": "chroma"}).architecture == "flux_1"


def small(file: Written) -> bytes:
    entries = Written(file.architecture, "", file.prefix, file.words, file.layers, 1, {}).entries(1)
    metadata = dict(file.metadata)
    beginning, size = header_bytes(entries, metadata)
    return beginning + bytes(size - len(beginning))


@pytest.mark.parametrize(
    "architecture", ["wan", "hidream", "lumina_2", "kandinsky_5", "stable_diffusion_3", "chroma", "unknown"]
)
def test_a_base_that_livery_does_not_have_is_refused_in_a_sentence(owner: SignedIn, architecture: str) -> None:
    """On the pages and by programs, for every conversion and for taking it into a brand."""
    file = next(one for one in FILES if one.architecture == architecture)
    client = api_client(owner)
    made = client.post("/api/v1/adapter-files", files={"file": ("x.safetensors", small(file))})
    assert made.status_code == 201, made.text
    address = f"/adapter-files/{made.json()['id']}"
    is_known = architecture != "unknown"
    text = owner.client.get(address).text
    assert ('data-state="other-base"' if is_known else 'data-state="unknown-base"') in text
    assert not is_known or bases.name_of(file.architecture) in text
    assert "convert-title" not in text and "programs-title" not in text
    for dialect in ("kohya", "canonical", "comfyui", "diffusers_old"):
        refused = client.get(f"/api/v1{address}/files/{dialect}")
        assert refused.status_code == 422 and code_of(refused) == ("no_base" if is_known else "unknown_base")
    order = {"project_id": "0" * 32, "base_model": "flux-1-dev", "trigger_word": "brandx"}
    assert client.post(f"/api/v1{address}/adopt", json=order).status_code in (404, 422)


KINDS = {
    "OFT": {"lora_unet_x.oft_blocks": (4, 8, 8), "lora_unet_x.alpha": ()},
    "BOFT": {"lora_unet_x.oft_blocks": (2, 4, 8, 8)},
    "(IA)³": {"lora_unet_x.weight": (8,), "lora_unet_x.on_input": ()},
    "GLoRA": {f"lora_unet_x.{one}.weight": (4, 4) for one in ("a1", "a2", "b1", "b2")},
    "T-LoRA": {
        "lora_unet_x.q_layer.weight": (4, 8),
        "lora_unet_x.p_layer.weight": (8, 4),
        "lora_unet_x.lambda_layer": (4,),
    },
    "Full (.diff)": {"lora_unet_x.diff": (8, 8)},
    "ControlLLLite": {"lllite_unet_input_blocks_4_1_attn1_to_q.down.0.weight": (4, 8)},
    "Control LoRA": {
        "transformer.x_embedder.lora_A.weight": (4, 128),
        "transformer.x_embedder.lora_B.weight": (3072, 4),
        "transformer.x_embedder.lora_B.bias": (3072,),
    },
    "Textual Inversion": {"emb_params": (4, 768)},
    "Checkpoint": {"model.diffusion_model.input_blocks.0.0.weight": (8, 8)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_lora_is_called_by_its_name(kind: str) -> None:
    entries = {name: Shape("BF16", shape) for name, shape in KINDS[kind].items()}
    passport = passport_of(entries, {})
    assert passport.unknown_kind == kind
    with pytest.raises(UnknownAdapterKind, match=re.escape(kind)):
        key_formats.parse(entries, {})


ENDINGS = (
    "lora_A.weight", "lora_B.weight", "lora_down.weight", "lora_up.weight", "alpha", "lokr_w1", "lokr_w2_a",
    "lokr_w2_b", "hada_w1_a", "dora_scale", "diff_b", "w_norm", "magnitude", "lora_mid.weight", "weight", "x",
)  # fmt: skip
SHAPES = ((), (0,), (4,), (4, 12), (12, 4), (4, 3072), (12288, 4), (4, 3072, 1, 1), (1, 4, 0), (3, 3, 3, 3))


def mixed(chance: random.Random) -> dict[str, Shape]:
    """A few layers of one file, with names of others, prefixes, endings and shapes of others mixed in."""
    found: dict[str, Shape] = {}
    file = chance.choice(FILES)
    strangeness = chance.choice((0.0, 0.05, 0.5))
    for _ in range(chance.randint(1, 8)):
        own = chance.choice(FILES) if chance.random() < strangeness else file
        path, (rows, columns) = chance.choice(list(own.layers.items()))
        path = path.replace("N", str(chance.randint(0, 70 if chance.random() < strangeness else 4)))
        prefix = file.prefix
        if chance.random() < strangeness:
            prefix = chance.choice([*(one.prefix for one in FILES), "text_encoder.", "lora_te1_", "lora_te3_", "unet."])
        stem = prefix + (path.replace(".", "_") if prefix.endswith("_") else path)
        for word, shape in zip(file.words, ((1, columns), (rows, 1)), strict=True):
            found[f"{stem}.{word}"] = Shape("BF16", chance.choice(SHAPES) if chance.random() < strangeness else shape)
        for ending in chance.sample(ENDINGS, 2) if chance.random() < strangeness else ():
            found[f"{stem}.{ending}"] = Shape("BF16", chance.choice(SHAPES))
    return found


@pytest.mark.slow
def test_no_mixture_of_names_and_shapes_is_more_than_refused(tmp_path) -> None:
    chance, outcomes = random.Random(11), {"read": 0, "refused": 0}
    path = tmp_path / "a.safetensors"
    for _ in range(300):
        entries = mixed(chance)
        metadata = chance.choice([{}, {"ss_base_model_version": "flux1"}, {"modelspec.architecture": "chroma/lora"}])
        passport = passport_of(entries, metadata)
        assert json.loads(passport.model_dump_json())
        beginning, size = header_bytes(entries, metadata)
        path.write_bytes(beginning + bytes(size - len(beginning)))
        for dialect in ("kohya", "canonical", "comfyui", "diffusers_old"):
            try:
                export.converted(path, tmp_path / "b.safetensors", dialect, name="x")
                outcomes["read"] += 1
            except (UnknownKeyFormat, export.CannotHold, UnsafeFile) as refused:
                assert str(refused)
                outcomes["refused"] += 1
        for supported in SUPPORTED:  # as an adapter of a known base is read
            try:
                key_formats.read(*safetensors_file.read(path), supported)
            except (UnknownKeyFormat, UnsafeFile) as refused:
                assert str(refused)
    assert min(outcomes.values()) > 20, outcomes


def test_every_architecture_has_a_name_and_none_is_told_without_one() -> None:
    told = {sign.architecture for sign in signs.FOREIGN}
    assert told.isdisjoint(SUPPORTED)
    assert all(bases.name_of(architecture) for architecture in told)


@pytest.mark.parametrize("says_its_width", [True, False], ids=["", "in a passport of an older Livery"])
@pytest.mark.parametrize(
    ("program", "fits"), [("diffusion-pipe [dev]", ()), ("klein 4B", (3072,)), ("klein 9B", (4096,))]
)
def test_an_adapter_of_flux_2_is_taken_in_for_its_own_size_alone(
    owner: SignedIn, database: Database, storage: Storage, program: str, fits: tuple[int, ...], says_its_width: bool
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id)
    client = api_client(owner)
    content = small(next(file for file in FILES if file.program == program))
    made = client.post("/api/v1/adapter-files", files={"file": ("x.safetensors", content)}).json()
    name = {"diffusion-pipe [dev]": "FLUX.2 [dev]"}.get(program, f"FLUX.2 [{program.replace(' ', '] ')}")
    assert made["passport"]["base_name"] == name
    if not says_its_width:
        with database.write() as session:
            row = session.get_one(ImportedFile, made["id"])
            row.passport = {**row.passport, "width": None}
    for key, width in (("flux-2-klein-base-4b", 3072), ("flux-2-klein-base-9b", 4096)):
        order = {"project_id": project_id, "base_model": key, "trigger_word": "brandx"}
        answer = client.post(f"/api/v1/adapter-files/{made['id']}/adopt", json=order)
        assert answer.status_code == (201 if width in fits else 422), answer.text
        if width not in fits:
            assert code_of(answer) == "wrong_base"
