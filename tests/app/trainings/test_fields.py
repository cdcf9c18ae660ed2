"""No field of a recipe is forgotten: each is on the form, among the facts, in the header and in the API, or it is said
why not. A field that the tests make up needs its recipe and its row, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field, TypeAdapter

from app.base_models import catalogue
from app.lora_files import header_settings, metadata
from app.lora_files.header_settings import Setting
from app.lora_files.metadata import AdapterFacts, TrainingFacts
from app.trainings import fields
from app.trainings.api import NewTraining, NewVoiceTraining
from app.trainings.fields import Table, decided_in, overrides_of
from app.trainings.kinds import KINDS as ALL_KINDS
from app.trainings.look.fields import TABLE as LOOK
from app.trainings.look.forms import StartForm
from app.trainings.look.recipe import TrainingRecipe, header_keys
from app.trainings.voice.fields import TABLE as VOICE
from app.trainings.voice.forms import StartVoiceForm
from app.trainings.voice.recipe import VoiceRecipe
from app.web.api.json_body import JsonBody
from app.web.templating import environment, speaking
from tests.recipes import other_values

KINDS = pytest.mark.parametrize("table", [LOOK, VOICE], ids=["look", "voice"])


def test_each_kind_has_its_table() -> None:
    assert [kind.recipe for kind in ALL_KINDS.values()] == [LOOK.recipe, VOICE.recipe]


@KINDS
def test_every_field_is_on_the_form_or_it_is_said_why_not(table: Table) -> None:
    on_page = [*table.asked_apart, *(name for names in table.groups.values() for name in names)]
    assert sorted([*on_page, *table.not_offered]) == sorted(table.recipe.model_fields), "one place for each"
    assert all(table.not_offered.values()), "a reason for each"
    assert set(table.fields) == set(table.recipe.model_fields), "a row for each"
    for name in set(on_page) - set(table.asked_apart):
        assert table.fields[name].label, name


@KINDS
def test_every_word_that_a_field_may_take_can_be_chosen(table: Table) -> None:
    for name in set(table.offered) - set(table.asked_apart):
        kind, options = table.recipe.model_fields[name].annotation, table.fields[name].options
        if get_origin(kind) is Literal:
            assert options is not None and set(options) == set(get_args(kind)), name  # type: ignore[arg-type]
        elif kind is bool and options is not None:
            assert set(options) == {"true", "false"}, name  # type: ignore[arg-type]


@KINDS
def test_every_field_is_among_the_facts_or_it_is_said_why_not(table: Table) -> None:
    recipe = table.recipe.model_validate(other_values(table.recipe))
    untouched = {name: field.default for name, field in table.recipe.model_fields.items() if not field.is_required()}
    assert [name for name, value in untouched.items() if getattr(recipe, name) == value] == []
    expected = [name for name, row in table.fields.items() if not row.told_with and not row.untold]
    assert len(table.facts(recipe)) == len(expected)
    for name, row in table.fields.items():
        assert not row.told_with or row.told_with in expected, name
        assert not (row.told_with and row.untold), name


@pytest.mark.parametrize(
    ("table", "body", "form"), [(LOOK, NewTraining, StartForm), (VOICE, NewVoiceTraining, StartVoiceForm)]
)
def test_programs_and_browsers_send_what_is_offered_and_read_everything(
    table: Table, body: type[BaseModel], form: type[BaseModel], app: FastAPI
) -> None:
    assert set(body.model_fields) == set(table.offered) | {"order_id"}
    assert set(form.model_fields) == set(body.model_fields) | {"anyway"}, "programs decide themselves"
    described = app.openapi()["components"]["schemas"]
    assert set(described[table.recipe.__name__]["properties"]) == set(table.recipe.model_fields)
    assert set(described[body.__name__]["properties"]) == set(body.model_fields)


@KINDS
def test_what_was_decided_is_within_the_recipes_bounds(table: Table) -> None:
    overrides = overrides_of(table)
    values = {name: value for name, value in other_values(table.recipe).items() if name in table.offered}
    decided = decided_in(table, overrides.model_validate(values))
    assert decided.keys() == values.keys() - set(table.asked_apart)
    assert decided_in(table, overrides()) == {}
    for name in decided:
        with pytest.raises(ValueError, match=name):
            overrides.model_validate({name: {"no": "value"}})


def test_headers_that_have_left_the_house_keep_their_keys() -> None:
    told = header_keys(TrainingRecipe)
    assert set(told) == set(TrainingRecipe.model_fields) and len(set(told.values())) == len(told)
    # As exported since the first version that told settings; a file says under them how it was trained.
    assert {
        "rank": "ss_network_dim", "alpha": "livery.alpha", "trigger_word": "modelspec.trigger_phrase",
        "learning_rate": "ss_learning_rate", "optimizer": "ss_optimizer", "text_encoder_lr": "ss_text_encoder_lr",
        "lr_scheduler": "ss_lr_scheduler", "warmup_steps": "ss_lr_warmup_steps", "steps": "ss_max_train_steps",
        "batch_size": "ss_batch_size_per_device", "gradient_accumulation_steps": "ss_gradient_accumulation_steps",
        "resolution": "ss_resolution", "caption_dropout": "ss_caption_dropout_rate", "flip": "ss_flip_aug",
        "shuffle_caption": "ss_shuffle_caption", "keep_tokens": "ss_keep_tokens", "clip_skip": "ss_clip_skip",
        "min_snr_gamma": "ss_min_snr_gamma", "noise_offset": "ss_noise_offset", "seed": "ss_seed",
        "timestep_sampling": "ss_timestep_sampling", "timestep_shift": "ss_discrete_flow_shift",
        "gradient_checkpointing": "ss_gradient_checkpointing", "num_class_images": "ss_num_reg_images",
        "prior_loss_weight": "ss_prior_loss_weight", "max_grad_norm": "ss_max_grad_norm",
    }.items() <= told.items()  # fmt: skip
    others = ("base_model", "purpose", "network", "target_modules", "train_text_encoder", "extra_resolutions", "crops")
    others += ("quantization", "block_offload", "compile", "class_prompt", "ema_decay", "weight_decay")
    others += ("sample_prompts", "sample_seed", "sample_steps", "sample_guidance_scale", "checkpoint_every")
    assert {name: told[name] for name in others} == {name: f"livery.{name}" for name in others}


class WarmRecipe(TrainingRecipe, defer_build=True):
    """The recipe of pictures with a field that does not exist."""

    warmth: Annotated[float, Field(ge=0, lt=3)] = 1.0


class WarmVoice(VoiceRecipe, defer_build=True):
    warmth: Annotated[float, Field(ge=0, lt=3)] = 1.0


ROW = fields.Field("Warmth", "How warm it is.", most=2.9)


def with_a_row_more(table: Table, recipe: type[BaseModel]) -> Table:
    groups = dict(table.groups) | {"numbers": (*table.groups["numbers"], "warmth")}
    return replace(table, recipe=recipe, fields=dict(table.fields) | {"warmth": ROW}, groups=groups)


def drawn(source: str, **given: Any) -> str:
    template = environment().from_string('{% import "components/recipe.html" as r with context %}' + source)
    with speaking("en"):
        return template.render(locale="en", csrf_token="", visitor=None, theme="", path="", flashes=[], **given)


@pytest.mark.parametrize(
    ("table", "recipe", "base"),
    [
        (LOOK, WarmRecipe, catalogue.get("flux-1-dev")),
        (VOICE, WarmVoice, catalogue.text_models()[0]),
    ],
    ids=["look", "voice"],
)
def test_a_field_more_takes_a_line_of_the_recipe_and_a_row(table: Table, recipe: type[BaseModel], base: Any) -> None:
    """Form, facts and API follow. What the engine does with it and the German of its row are the other two files."""
    warm = with_a_row_more(table, recipe)
    overrides = overrides_of(warm)

    class Body(JsonBody, overrides):  # type: ignore[misc, valid-type]
        """What a program sends."""

    assert decided_in(warm, Body.model_validate({"warmth": 2.5})) == {"warmth": 2.5}
    assert Body.model_json_schema()["properties"]["warmth"]["anyOf"][0]["exclusiveMaximum"] == 3
    for wrong in ({"warmth": 3}, {"warmth": -1}, {"warmth": "hot"}, {"warmpth": 2}):
        with pytest.raises(ValueError, match="warm"):
            Body.model_validate(wrong)

    values = other_values(recipe) | {"warmth": 2.5}
    planned = SimpleNamespace(recipe=recipe.model_validate(values), base=base, project=SimpleNamespace(trigger_word=""))
    form = overrides(warmth=1.25)
    page = drawn("{% for one in inputs %}{{ r.drawn(one) }}{% endfor %}", inputs=warm.inputs(form, planned)["numbers"])
    assert '<label class="field__label" for="warmth">Warmth</label>' in page
    assert 'name="warmth" type="number" value="1.25" placeholder="2.5"' in page
    assert 'min="0" max="2.9" step="any"' in page and "How warm it is." in page

    told = drawn("{{ r.facts(facts) }}", facts=warm.facts(planned.recipe))
    assert f"<dt>{'warmth' if table.facts_by == 'name' else 'Warmth'}</dt><dd>2.5</dd>" in told
    usual = recipe.model_validate(values | {"warmth": 1.0})
    assert "armth" not in drawn("{{ r.facts(facts) }}", facts=warm.facts(usual)), "nobody touched it"


def test_a_field_more_is_in_the_header_and_read_back() -> None:
    """Of pictures alone: the file of a voice holds PEFT's configuration, which has no place for other settings."""
    recipe = WarmRecipe.model_validate(other_values(WarmRecipe) | {"warmth": 2.5})
    keys = header_keys(WarmRecipe)
    when = datetime(2026, 11, 24, tzinfo=UTC)
    training = TrainingFacts(recipe.used(is_flow=False), keys, 10, when, when)
    facts = AdapterFacts("a", "A", metadata.STABLE_DIFFUSION_1, 8, 4.0, "brandx", when, training=training)
    told = metadata.header(facts, {}, clean=False)
    assert told["livery.warmth"] == "2.5"
    assert "livery.warmth" not in metadata.header(facts, {}, clean=True)
    field = TypeAdapter(WarmRecipe.model_fields["warmth"].rebuild_annotation())
    assert header_settings.read(told, {"warmth": Setting(keys["warmth"], field.validate_python)}) == {"warmth": 2.5}
