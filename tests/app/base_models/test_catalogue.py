"""The catalogue: every entry can be used as it stands."""

import re

import pytest

from app.base_models import catalogue
from app.base_models.catalogue import UnknownBaseModel
from app.lora_files.families import known
from tests.conftest import SignedIn
from worker.engines.registry import TEXT_FAMILIES


def test_every_entry_has_an_engine_and_sizes_that_fit() -> None:
    models = catalogue.all_models()
    assert models[0].key == "livery-builtin" and models[0].ready
    assert len({model.key for model in models}) == len(models)
    for model in models:
        assert known.by_key(model.family) is not None
        assert model.resolution in model.resolutions
        assert all(size % model.multiple == 0 for size in model.resolutions)
        assert (model.source == "builtin") == model.ready
        assert model.licence_sentence.en.endswith(".") and model.licence_sentence.de.endswith(".")
        assert model.licence_url.startswith("https://")


def test_flow_models_say_what_they_know_and_what_they_take() -> None:
    flow = [model for model in catalogue.all_models() if model.is_flow]
    assert {model.key for model in flow} == {
        "flux-1-dev", "flux-1-schnell", "flux-2-klein-base-4b", "flux-2-klein-4b", "flux-2-klein-base-9b",
        "flux-2-klein-9b",
    }  # fmt: skip
    for model in flow:
        assert model.training_memory("nf4") < model.training_memory("int8") < model.training_memory("none")
        assert set(model.training_memory_quantized_mb) == set(model.generation_memory_quantized_mb) == {"nf4", "int8"}
        assert model.download_mb and all(size % 16 == 0 for size in model.resolutions)
    dev, schnell = catalogue.get("flux-1-dev"), catalogue.get("flux-1-schnell")
    assert dev.gated and "non-commercial" in dev.licence_sentence.en
    assert schnell.distilled and not schnell.has_guidance and not schnell.has_negative_prompt
    # What trainers report for rank 16: 52 MB of attention, 172 MB of everything.
    assert round((dev.adapter_bytes(16, "attention") or 0) / 1e6) == 52
    assert round((dev.adapter_bytes(16, "all_layers") or 0) / 1e6) == 172


def test_what_is_fetched_is_pinned_and_its_size_and_memory_are_known() -> None:
    for model in catalogue.all_models():
        if model.source == "builtin":
            continue
        assert model.revision == "main" or re.fullmatch("[0-9a-f]{40}", model.revision or ""), model.key
        assert model.download_mb and set(model.generation_memory_quantized_mb) == {"nf4", "int8"}
        held: list[catalogue.Quantization] = ["none", "int8", "nf4"]
        memory = [model.training_memory(kind) for kind in held]
        assert memory == sorted(memory, reverse=True)
        parts = (model.denoiser_parameters or 0, model.encoder_parameters or 0, model.autoencoder_parameters or 0)
        # On the hub U-Nets lie in 32 bits, transformers in 16.
        assert model.download_mb == pytest.approx(sum(parts) * (2 if model.is_flow else 4) / 1e6, rel=0.02)


def test_every_language_model_has_an_engine_and_its_own_key() -> None:
    models = catalogue.text_models()
    assert models[0].key == "smollm2-135m-instruct" and models[0].ready
    assert len({model.key for model in (*catalogue.all_models(), *models)}) == len(models) + len(catalogue.all_models())
    for model in models:
        assert model.modality == "text" and model.family in TEXT_FAMILIES
        assert (model.source == "builtin") == model.ready
        assert model.embedding_parameters < model.parameters
        assert model.licence_sentence.en.endswith(".") and model.licence_sentence.de.endswith(".")
        sizes = [model.weight_bytes(held) for held in ("none", "int8", "nf4")]
        assert sizes == sorted(sizes, reverse=True)
        assert catalogue.catalogue_name(model.key) == model.name
    with pytest.raises(UnknownBaseModel):
        catalogue.text_model("livery-builtin")


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UnknownBaseModel, match="dall-e"):
        catalogue.get("dall-e")
    assert catalogue.catalogue_name("dall-e") == "dall-e"


def test_sizes_of_files_follow_the_rank() -> None:
    model = catalogue.get("stable-diffusion-1-5")
    assert model.adapter_bytes(16, "attention") == 199296 * 16 * 2
    assert (model.adapter_bytes(32, "attention") or 0) == 2 * (model.adapter_bytes(16, "attention") or 0)


def test_the_page_says_licence_memory_and_that_nothing_was_measured(owner: SignedIn) -> None:
    assert 'data-state="not-here"' in owner.client.get("/base-models").text
    text = owner.client.get("/base-models/stable-diffusion-1-5").text
    assert "CreativeML OpenRAIL-M" in text and 'data-state="not-measured"' in text


def test_the_api_lists_and_shows_models(owner: SignedIn) -> None:
    from tests.tokens import api_client

    client = api_client(owner)
    keys = [item["key"] for item in client.get("/api/v1/base-models").json()["items"]]
    assert keys[0] == "livery-builtin"
    built_in = client.get(f"/api/v1/base-models/{keys[0]}").json()
    assert (built_in["resolution"], built_in["enlargement"]) == (128, 4)
    assert client.get("/api/v1/base-models/nothing").status_code == 404


@pytest.mark.parametrize("entry", catalogue.text_models(), ids=lambda entry: entry.key)
def test_the_layout_of_a_language_model_agrees_with_the_size_of_its_adapters(entry: catalogue.TextModelEntry) -> None:
    assert entry.layout.parameters_per_rank() == entry.parameters_per_rank
    table = entry.layout.vocabulary * entry.layout.width
    assert entry.embedding_parameters in (table, 2 * table), "one table for reading and writing, or one each"
    assert entry.languages and entry.has_chat_template
