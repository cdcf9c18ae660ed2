"""Files from elsewhere: dropped, looked at, converted, taken into a brand, removed."""

import io
import json

import numpy as np
import pytest

from app.adapters.imports import service as imports
from app.db import Database
from app.lora_files import export, key_formats, safetensors_file
from app.lora_files.safetensors_file import float32_tensor
from app.storage import Storage
from tests.answers import code_of
from tests.app.lora_files.deltas import SD_1, assert_same, random_lora
from tests.conftest import SignedIn, SignUp
from tests.orders import make_brand
from tests.tokens import api_client

LORA = random_lora(SD_1, "stable_diffusion_1", alpha=2.0)
SAID = {"ss_tag_frequency": json.dumps({"1_x": {"secret jar": 4}}), "modelspec.trigger_phrase": "brandx"}
CONTENT = safetensors_file.to_bytes(key_formats.to_kohya(LORA, "stable_diffusion_1"), SAID)


def dropped(owner: SignedIn, content: bytes = CONTENT, name: str = "Brand <x>.safetensors") -> str:
    answer = owner.client.post("/adapter-files", files={"file": (name, content)})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_a_dropped_file_has_a_page_and_downloads(owner: SignedIn, tmp_path) -> None:
    address = dropped(owner)
    text = owner.client.get(address).text
    assert "Stable Diffusion 1.5" in text and "brandx" in text and "secret jar" in text
    assert "Brand &lt;x&gt;" in text
    assert text.count("14 of 14 keys") == 6
    answer = owner.client.get(f"{address}/files/canonical")
    assert answer.headers["content-disposition"].startswith('attachment; filename="brand-x-diffusers.safetensors"')
    path = tmp_path / "a.safetensors"
    path.write_bytes(answer.content)
    assert_same(key_formats.read(*safetensors_file.read(path)), LORA)
    clean = owner.client.get(f"{address}/files/kohya?clean=true")
    assert b"secret jar" not in clean.content and b"brandx" in clean.content
    assert owner.client.get(f"{address}/files/elsewhere").status_code == 404
    assert "Brand &lt;x&gt;" in owner.client.get("/adapter-files").text


def test_a_suggested_word_is_called_one(owner: SignedIn) -> None:
    told = {"ss_dataset_dirs": json.dumps({"10_zxc woman": {"n_repeats": 10}})}
    content = safetensors_file.to_bytes(key_formats.to_kohya(LORA, "stable_diffusion_1"), told)
    text = owner.client.get(dropped(owner, content)).text
    assert 'data-state="suggested-words"' in text and 'data-copy="zxc woman"' in text
    assert 'name="trigger_word" value="zxc' not in text


def test_the_first_look_needs_the_beginning_alone(owner: SignedIn) -> None:
    header = safetensors_file.header_of(io.BytesIO(CONTENT), len(CONTENT))
    files = {"header": ("header", CONTENT[: header.data_start]), "alphas": ("alphas", b"")}
    answer = owner.client.post("/adapter-files/passport", files=files, data={"size": str(len(CONTENT))})
    assert answer.status_code == 200 and "<html" not in answer.text
    assert "Stable Diffusion 1.5" in answer.text and 'data-state="header-only"' in answer.text
    nothing = {"header": ("header", b"PK\x03\x04" + bytes(60))}
    refused = owner.client.post(
        "/adapter-files/passport", files=nothing, data={"size": "64"}, headers={"hx-request": "true"}
    )
    assert refused.status_code == 422 and code_of(refused) == "unsafe_file"


def test_it_is_taken_into_a_brand_and_downloads_from_there(
    owner: SignedIn, database: Database, storage: Storage, tmp_path
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id, name="Nordlicht")
    address = dropped(owner)
    form = {"project_id": project_id, "base_model": "livery-builtin", "purpose": "style", "trigger_word": "brandx"}
    wrong = owner.client.post(f"{address}/adopt", data=form)
    assert wrong.status_code == 422 and code_of(wrong) == "wrong_base" and "Livery built-in" in wrong.text
    answer = owner.client.post(f"{address}/adopt", data=form | {"base_model": "stable-diffusion-1-5"})
    assert answer.status_code == 303
    card = owner.client.get(answer.headers["location"]).text
    assert 'data-copy="brandx"' in card and 'data-state="imported"' in card
    for kind in ("diffusers", "kohya", "clean"):
        path = tmp_path / f"{kind}.safetensors"
        path.write_bytes(owner.client.get(f"{answer.headers['location']}/files/{kind}").content)
        assert_same(key_formats.read(*safetensors_file.read(path)), LORA)
    owner.client.post(f"{address}/delete")
    assert owner.client.get(address).status_code == 404
    assert owner.client.get(f"{answer.headers['location']}/files/kohya").status_code == 200


def test_what_a_dialect_cannot_hold_is_refused_in_a_sentence(owner: SignedIn) -> None:
    name = "lora_unet_mid_block_attentions_0_proj_in"
    lokr = {f"{name}.lokr_w1": float32_tensor([[1.0]]), f"{name}.lokr_w2": float32_tensor([[1.0]])}
    address = dropped(owner, safetensors_file.to_bytes(lokr, {}))
    refused = owner.client.get(f"{address}/files/canonical")
    assert refused.status_code == 422 and code_of(refused) == "cannot_hold" and "LoKr" in refused.text
    assert owner.client.get(f"{address}/files/kohya").status_code == 200
    text = owner.client.get(address).text
    assert f"{address}/files/canonical" not in text, "it is not offered"
    assert 'data-state="no-brand"' in text and 'data-state="not-for-drawing"' not in text, (
        "Livery draws with its very factors"
    )


@pytest.mark.parametrize("kind", ["lokr", "loha"])
def test_products_of_matrices_are_taken_into_a_brand_and_can_be_published(
    owner: SignedIn, database: Database, storage: Storage, tmp_path, kind: str
) -> None:
    name, project_id = "lora_unet_mid_block_attentions_0_proj_in", make_brand(database, storage, owner.workspace_id)
    parts = {
        "lokr": ("lokr_w1", "lokr_w2_a", "lokr_w2_b"),
        "loha": ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
    }[kind]
    tensors = {f"{name}.{part}": float32_tensor([[1.0, 2.0], [3.0, 4.0]]) for part in parts}
    tensors[f"{name}.alpha"] = float32_tensor(1.5)
    address = dropped(owner, safetensors_file.to_bytes(tensors, {"ss_base_model_version": "sd_v1"}))
    form = {
        "project_id": project_id,
        "base_model": "stable-diffusion-1-5",
        "purpose": "style",
        "trigger_word": "brandx",
    }
    answer = owner.client.post(f"{address}/adopt", data=form)
    assert answer.status_code == 303, answer.text
    assert "For Livery" in owner.client.get(answer.headers["location"]).text
    own = tmp_path / "own.safetensors"
    own.write_bytes(owner.client.get(f"{answer.headers['location']}/files/diffusers").content)
    found = key_formats.read(*safetensors_file.read(own))
    assert found.alphas == {"unet.mid_block.attentions.0.proj_in": 1.5}
    assert set(found.weights_of("unet.mid_block.attentions.0.proj_in")) == set(parts)
    export.for_engines(own, tmp_path / "published.safetensors", name="x", clean=True)  # as the worker publishes it


def test_what_no_engine_can_draw_with_is_refused_before_it_is_taken_in(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id)
    form = {"project_id": project_id, "base_model": "flux-1-dev", "purpose": "style", "trigger_word": "brandx"}
    two = float32_tensor(np.ones((12, 12)))
    fused = {
        "lora_unet_double_blocks_0_img_attn_qkv.lokr_w1": float32_tensor(np.ones((3, 1))),
        "lora_unet_double_blocks_0_img_attn_qkv.lokr_w2": two,
    }
    names = ("lora_unet_double_blocks_0_img_attn_proj", "lora_te3_encoder_block_0_layer_0_SelfAttention_q")
    t5 = {f"{name}.lora_{half}.weight": two for name in names for half in ("down", "up")}
    alone = {name: tensor for name, tensor in t5.items() if name.startswith("lora_te3")}
    canonical = {
        f"text_encoder_2.encoder.block.0.layer.0.SelfAttention.q.lora_{half}.weight": two for half in ("A", "B")
    }
    for tensors, code in ((fused, "fused"), (t5, "changes_t5"), (alone, "changes_t5"), (canonical, "changes_t5")):
        address = dropped(owner, safetensors_file.to_bytes(tensors, {}))
        assert 'data-state="not-for-drawing"' in owner.client.get(address).text
        refused = owner.client.post(f"{address}/adopt", data=form)
        assert refused.status_code == 422 and code_of(refused) == code


def test_what_is_no_adapter_file_is_refused(owner: SignedIn) -> None:
    for content in (b"", b"\x80\x04\x95pickle", CONTENT[:-1]):
        answer = owner.client.post("/adapter-files", files={"file": ("a.safetensors", content)})
        assert answer.status_code == 422 and code_of(answer) == "unsafe_file"


def test_a_file_over_the_limit_is_refused(storage: Storage) -> None:
    with pytest.raises(imports.AdapterTooLarge, match="1 MB"):
        imports.ingest(storage, io.BytesIO(bytes(1_000_001)), "a", most_bytes=1_000_000)
    assert list(storage.keys_under("projects")) == []


def test_it_is_forgotten_after_a_month(
    owner: SignedIn, database: Database, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = dropped(owner)
    assert imports.sweep_old(database, storage) == 0
    monkeypatch.setattr(imports, "KEPT", -imports.KEPT)
    assert imports.sweep_old(database, storage) == 1
    assert owner.client.get(address).status_code == 404
    assert list(storage.keys_under(imports.FOLDER)) == []


def test_the_same_by_programs(owner: SignedIn, database: Database, storage: Storage) -> None:
    client = api_client(owner)
    made = client.post("/api/v1/adapter-files", files={"file": ("brand.safetensors", CONTENT)})
    assert made.status_code == 201, made.text
    passport = made.json()["passport"]
    assert (passport["architecture"], passport["trigger_words"]) == ("stable_diffusion_1", ["brandx"])
    address = f"/api/v1/adapter-files/{made.json()['id']}"
    assert client.get(address).json() == made.json()
    assert client.get("/api/v1/adapter-files").json()["items"] == [made.json()]
    assert client.get(f"{address}/files/diffusers_old").content[8:9] == b"{"
    project_id = make_brand(database, storage, owner.workspace_id, name="Nordlicht")
    order = {"project_id": project_id, "base_model": "stable-diffusion-1-5", "trigger_word": "brandx"}
    adapter = client.post(f"{address}/adopt", json=order)
    assert adapter.status_code == 201 and adapter.json()["rank"] == 4 and adapter.json()["alpha"] == 2.0
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_it_is_nobody_elses_business(owner: SignedIn, sign_up: SignUp) -> None:
    address = dropped(owner)
    stranger = sign_up()
    assert stranger.client.get(address).status_code == 404
    assert stranger.client.get(f"{address}/files/kohya").status_code == 404
    assert stranger.client.post(f"{address}/delete").status_code == 404
