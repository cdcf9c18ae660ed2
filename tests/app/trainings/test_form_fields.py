"""Every field of the form: it is on the page, and what is put into it stands in the stored recipe under the same name.

The form is filled in as a browser would: by the controls that the page has for the base model chosen there.
"""

import re
from typing import Any, get_args

import pytest
from sqlalchemy import select

from app.accounts.models import User
from app.base_models import catalogue
from app.base_models.catalogue import UnknownBaseModel
from app.db import Database
from app.storage import Storage
from app.trainings.errors import BadResolution
from app.trainings.look.fields import TABLE as LOOK
from app.trainings.look.recipe import Network, Optimizer, TrainingRecipe
from app.trainings.models import Training
from app.trainings.voice.fields import TABLE as VOICE
from app.trainings.voice.recipe import VoiceRecipe
from app.web import field_problems as problems
from app.web.language import translate
from tests.answers import tells
from tests.conftest import SignedIn
from tests.html_forms import Control, controls
from tests.orders import make_brand
from tests.recipes import other_values
from tests.voices import add_texts

FOR_ALL: dict[str, Any] = {
    "purpose": "product",
    "trigger_word": "nordlicht",
    "rank": 24,
    "alpha": 12.5,
    "target_modules": "all_layers",
    "network": "rslora",
    "optimizer": "prodigy",
    "learning_rate": 0.75,
    "lr_scheduler": "cosine",
    "warmup_steps": 7,
    "steps": 420,
    "batch_size": 2,
    "gradient_accumulation_steps": 3,
    "crops": 4,
    "caption_dropout": 0.35,
    "shuffle_caption": True,
    "keep_tokens": 2,
    "gradient_checkpointing": True,
    "flip": True,
    "class_prompt": "a bottle",
    "num_class_images": 12,
    "prior_loss_weight": 0.5,
    "ema_decay": 0.995,
    "max_grad_norm": 0.25,
    "weight_decay": 0.05,
    "seed": 4_294_967_295,
    "sample_prompts": ["[trigger], a shelf", "[trigger], a beach"],
    "checkpoint_every": 70,
}
"""Nothing here is what the presets give."""
FOR_BASES: dict[str, dict[str, Any]] = {
    "livery-builtin": {
        "resolution": 160,
        "extra_resolutions": [96, 192],
        "min_snr_gamma": 3.5,
        "noise_offset": 0.04,
        "train_text_encoder": True,
        "text_encoder_lr": 2e-6,
    },
    "stable-diffusion-1-5": {
        "resolution": 640,
        "extra_resolutions": [448],
        "min_snr_gamma": 20,
        "noise_offset": 0.5,
        "train_text_encoder": True,
        "text_encoder_lr": 1,
        "quantization": "nf4",
        "clip_skip": 2,
    },
    "stable-diffusion-xl": {
        "resolution": 768,
        "extra_resolutions": [512],
        "min_snr_gamma": 20,
        "noise_offset": 0.5,
        "train_text_encoder": True,
        "text_encoder_lr": 1,
        "quantization": "nf4",
    },
    "flux-1-dev": {
        "resolution": 768,
        "extra_resolutions": [512],
        "timestep_sampling": "uniform",
        "timestep_shift": 2.5,
        "train_text_encoder": True,
        "text_encoder_lr": 1,
        "quantization": "int8",
    },
    "flux-2-klein-base-4b": {
        "resolution": 768,
        "extra_resolutions": [512],
        "timestep_sampling": "uniform",
        "timestep_shift": 2.5,
        "quantization": "int8",
    },
}
TRIED = set(FOR_ALL).union(*FOR_BASES.values())


def for_base(key: str) -> dict[str, Any]:
    """A value for every field that the form has on this base; one is made up where none stands above."""
    base = catalogue.get(key)
    others = {
        name: value
        for name, value in other_values(TrainingRecipe).items()
        if name in LOOK.offered and name not in TRIED and LOOK.fields[name].offered_on(base)
    }
    return others | FOR_ALL | FOR_BASES[key] | {"base_model": key}


def for_voice() -> dict[str, Any]:
    values = {name: value for name, value in other_values(VoiceRecipe).items() if name in VOICE.offered}
    return values | {"base_model": catalogue.text_models()[0].key}


@pytest.fixture
def project_id(database: Database, storage: Storage, owner: SignedIn) -> str:
    return make_brand(database, storage, owner.workspace_id)


@pytest.fixture
def voice_id(database: Database, storage: Storage, owner: SignedIn) -> str:
    brand = make_brand(database, storage, owner.workspace_id, pictures=0, name="Nordlicht")
    add_texts(database, owner.workspace_id, brand, 60)
    return brand


def filled_in(form: dict[str, list[Control]], values: dict[str, Any]) -> dict[str, Any]:
    """What a browser would send for these values; fails where a control does not offer its value."""
    sent: dict[str, Any] = {}
    for name, value in values.items():
        assert name in form, f"the page has no field {name}"
        first = form[name][0]
        if first.kind == "textarea":
            sent[name] = "\n".join(value)
        elif first.kind == "select":
            sent[name] = str(value).lower() if isinstance(value, bool) else str(value)
            assert sent[name] in first.options, name
        elif first.kind in ("checkbox", "radio"):
            offered = [control.value for control in form[name]]
            sent[name] = (
                [str(one) for one in value] if isinstance(value, list) else [offered[0] if value is True else value]
            )
            assert set(sent[name]) <= set(offered), name
        else:
            if first.kind == "number":
                assert float(first.attributes["min"]) <= value <= float(first.attributes["max"]), name
            sent[name] = str(value)
    return sent


@pytest.mark.parametrize("base", FOR_BASES)
def test_what_is_filled_in_is_what_is_stored(base: str, owner: SignedIn, project_id: str, database: Database) -> None:
    values = for_base(base)
    if base != "livery-builtin":
        values["optimizer"] = "adamw_8bit"
    if base == "flux-2-klein-base-4b":
        values["network"] = "dora"
    address = f"/projects/{project_id}/trainings"
    page = owner.client.get(f"{address}/new", params={"base_model": base}).text
    form = controls(page, "order")
    assert form.keys() - {"csrf_token", "order_id"} == values.keys(), "what this base can do, no less and no more"
    sent = filled_in(form, values) | {"anyway": "true"}  # the pictures are small for most bases
    answer = owner.client.post(address, data=sent)
    assert answer.status_code == 303, answer.text
    with database.read() as session:
        recipe = session.scalars(select(Training)).one().recipe
    assert {name: recipe[name] for name in values} == values

    training = owner.client.get(answer.headers["location"]).text
    for name in values.keys() - {
        "base_model",
        "purpose",
        "trigger_word",
        "sample_prompts",
        "lr_scheduler",
        "batch_size",
    }:
        assert re.search(rf">{name}<", training), f"the training's page does not tell {name}"


def test_what_is_filled_in_for_a_voice_is_what_is_stored(owner: SignedIn, voice_id: str, database: Database) -> None:
    values, address = for_voice(), f"/projects/{voice_id}/voice-trainings"
    form = controls(owner.client.get(f"{address}/new").text, "order")
    assert form.keys() - {"csrf_token", "order_id"} == values.keys(), "what the table offers, no less and no more"
    answer = owner.client.post(address, data=filled_in(form, values))
    assert answer.status_code == 303, answer.text
    with database.read() as session:
        recipe = session.scalars(select(Training)).one().recipe
    assert {name: recipe[name] for name in values} == values

    training = owner.client.get(answer.headers["location"]).text
    for fact in VOICE.facts(VoiceRecipe.model_validate(recipe)):
        assert f"<dt>{fact.term}</dt>" in training, f"the training's page does not tell {fact.term}"


def test_every_kind_of_adapter_and_optimizer_can_be_chosen(
    owner: SignedIn, project_id: str, database: Database
) -> None:
    for name, kinds in (("network", get_args(Network)), ("optimizer", get_args(Optimizer))):
        for kind in kinds:
            answer = owner.client.post(f"/projects/{project_id}/trainings", data={name: kind})
            with database.read() as session:
                recipe = session.get_one(Training, answer.headers["location"].removeprefix("/trainings/")).recipe
            assert recipe[name] == kind


@pytest.mark.parametrize("kind", ["trainings", "voice-trainings"])
def test_what_was_filled_in_stands_in_the_form_again(
    kind: str, owner: SignedIn, project_id: str, voice_id: str
) -> None:
    """As when the base model is changed, a failed training is ordered again, or the page is reloaded by its address."""
    values = for_base("livery-builtin") if kind == "trainings" else for_voice()
    address = f"/projects/{project_id if kind == 'trainings' else voice_id}/{kind}/new"
    sent = filled_in(controls(owner.client.get(address).text, "order"), values)
    page = owner.client.get(address, params=sent).text
    form = controls(page, "order")
    assert '<details class="fold" open>' in page, "what was decided is not folded away"
    again: dict[str, Any] = {
        name: [one.value for one in form[name] if "checked" in one.attributes]
        if form[name][0].kind in ("checkbox", "radio")
        else form[name][0].value
        for name in values
    }
    numbers = {name for name, text in sent.items() if isinstance(text, str) and re.fullmatch(r"[\d.e-]+", text)}
    assert {name: float(again[name]) for name in numbers} == {name: float(sent[name]) for name in numbers}
    assert {name: again[name] for name in again.keys() - numbers} == {
        name: sent[name] for name in sent.keys() - numbers
    }


Values = dict[str, str | tuple[str, str]]
"""What stands in a sentence by the name of its place; a pair where English and German write the number differently."""
Wrong = tuple[str, str | list[str], str, Values]
WRONG_FOR_A_VOICE: list[Wrong] = [
    ("epochs", "51", problems.NOT_MORE, {"bound": "50"}),
    ("max_length", "63", problems.NOT_LESS, {"bound": "64"}),
    ("learning_rate", "0", problems.MORE, {"bound": "0"}),
    ("warmup_share", "some", problems.NUMBER, {}),
    ("kind", "all", problems.CHOICE, {}),
]
WRONG: list[Wrong] = [
    ("rank", "0", problems.NOT_LESS, {"bound": "1"}),
    ("steps", "100001", problems.NOT_MORE, {"bound": ("100,000", "100.000")}),
    ("steps", "1" + "0" * 400, problems.NOT_MORE, {"bound": ("100,000", "100.000")}),
    ("batch_size", "1.5", problems.WHOLE_NUMBER, {}),
    ("learning_rate", "0", problems.MORE, {"bound": "0"}),
    ("learning_rate", "a lot", problems.NUMBER, {}),
    ("noise_offset", "0.6", problems.NOT_MORE, {"bound": ("0.5", "0,5")}),
    ("ema_decay", "1", problems.LESS, {"bound": "1"}),
    ("network", "ia3", problems.CHOICE, {}),
    ("purpose", "all", problems.CHOICE, {}),
    ("trigger_word", "x" * 61, problems.TOO_LONG, {"bound": "60"}),
    ("sample_prompts", "a\nb\nc\nd\ne", problems.TOO_MANY, {"bound": "4"}),
    ("sample_prompts", "x" * 301, problems.TOO_LONG, {"bound": "300"}),
    ("extra_resolutions", ["96", "128", "160", "192"], problems.TOO_MANY, {"bound": "3"}),
    (
        "resolution",
        "100",
        BadResolution.sentence,
        {"base": "Livery built-in", "smallest": "96", "largest": "192"},
    ),
    ("base_model", "nothing", UnknownBaseModel.sentence, {"key": "nothing"}),
]


@pytest.mark.parametrize("kind", ["trainings", "voice-trainings"])
def test_what_is_wrong_is_said_at_its_field(
    kind: str, owner: SignedIn, project_id: str, voice_id: str, database: Database
) -> None:
    brand, wrong = (project_id, WRONG) if kind == "trainings" else (voice_id, WRONG_FOR_A_VOICE)
    address, headers = f"/projects/{brand}/{kind}", {"hx-request": "true"}
    for place, locale in enumerate(("en", "de")):
        with database.write() as session:
            session.get_one(User, owner.user_id).locale = locale
        for case in wrong:
            sent, sentence = {case[0]: case[1]}, translate(locale, case[2])
            assert locale == "en" or sentence != case[2]
            values = {name: one if isinstance(one, str) else one[place] for name, one in case[3].items()}
            for answer in (
                owner.client.post(address, data=sent, headers=headers),
                owner.client.get(f"{address}/summary", params=sent, headers=headers),
            ):
                assert answer.headers["hx-retarget"] == "find .form-error", case
                problem = re.search(f'<li data-problem-of="{case[0]}">([^<]*)</li>', answer.text)
                assert problem is not None and tells(problem[1], sentence, **values), answer.text
    with database.read() as session:
        assert session.scalars(select(Training)).all() == []


@pytest.mark.parametrize("network", ["lokr", "dora"])
def test_kinds_that_cannot_include_the_text_encoder_are_refused_at_the_kind(
    owner: SignedIn, project_id: str, network: str
) -> None:
    answer = owner.client.post(
        f"/projects/{project_id}/trainings",
        data={"network": network, "train_text_encoder": "1"},
        headers={"hx-request": "true"},
    )
    assert answer.status_code == 422 and 'data-problem-of="network"' in answer.text
