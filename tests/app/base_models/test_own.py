"""Checkpoints that a workspace adds: told apart by their files, offered to it alone, put away and taken back."""

import pytest

from app.base_files.models import BaseCopy
from app.base_models import catalogue, queries, service
from app.base_models.catalogue import UnknownBaseModel
from app.base_models.errors import BadFileName, BadRepository, HasItAlready, NotLyingReady, UnusableCheckpoint
from app.base_models.models import OfferedBase
from app.base_models.recognition import Facts, OtherFamily, UnknownFamily, of_pipeline, of_tensors
from app.db import Database
from app.errors import NotFound
from app.storage import Storage
from app.trainings import service as trainings
from app.trainings.advice import NOT_READY
from app.trainings.look.kind import LOOK
from app.trainings.look.overrides import TrainingOverrides
from app.trainings.queries import job_spec
from app.trainings.views import view
from tests.orders import make_brand, make_workspace


def _add(database: Database, workspace_id: str, **changes: str) -> str:
    fields = {"name": "Hausfotos", "repository": "acme/house-photos", "family": "stable_diffusion"} | changes
    with database.write() as session:
        return service.add_from_hub(session, workspace_id=workspace_id, created_by=None, **fields).id  # type: ignore[arg-type]


def test_a_pipeline_is_known_by_its_index_and_configurations() -> None:
    sd = of_pipeline(
        {"_class_name": "StableDiffusionPipeline"},
        scheduler={"prediction_type": "v_prediction"},
        unet={"sample_size": 96},
    )
    assert sd == Facts(family="stable_diffusion", prediction_type="v_prediction", resolution=768)
    careful = of_pipeline({"_class_name": "StableDiffusionPipeline"}, unet={"upcast_attention": True})
    assert careful.is_beyond_float16, "Stable Diffusion 2.1 asks for its attention in float32"
    schnell = of_pipeline({"_class_name": "FluxPipeline"}, transformer={"guidance_embeds": False})
    assert schnell.is_distilled and schnell.prediction_type == "flow"
    shapes = {"4B": {"num_attention_heads": 24}, "9B": {"num_attention_heads": 32, "attention_head_dim": 128}}
    for size, shape in shapes.items():
        for is_distilled, name in ((True, f"FLUX.2 [klein] {size}"), (False, f"FLUX.2 [klein] base {size}")):
            index = {"_class_name": "Flux2KleinPipeline", "is_distilled": is_distilled}
            klein = of_pipeline(index, transformer=shape)
            found = queries.like(klein.family, is_distilled=klein.is_distilled, denoiser_width=klein.denoiser_width)
            assert found is not None and found.name == name
    with pytest.raises(UnknownFamily, match="KandinskyPipeline"):
        of_pipeline({"_class_name": "KandinskyPipeline"})


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (["cond_stage_model.transformer.text_model.embeddings.position_ids"], "stable_diffusion"),
        (["conditioner.embedders.0.x", "conditioner.embedders.1.model.ln_final.weight"], "stable_diffusion_xl"),
    ],
)
def test_a_single_file_is_known_by_the_names_of_its_tensors(names: list[str], family: str) -> None:
    assert of_tensors(["model.diffusion_model.input_blocks.0.0.weight", *names]).family == family


def test_flux_files_say_whether_they_listen_to_guidance() -> None:
    schnell = ["double_blocks.0.img_attn.qkv.weight", "time_in.in_layer.weight"]
    assert of_tensors(schnell).is_distilled
    assert not of_tensors(
        [f"model.diffusion_model.{name}" for name in [*schnell, "guidance_in.in_layer.weight"]]
    ).is_distilled
    for others in (["lora_unet_x.lora_up.weight"], [*schnell, "double_stream_modulation_img.lin.weight"]):
        with pytest.raises(UnknownFamily):
            of_tensors(others)


def test_an_own_base_takes_its_familys_defaults_and_is_offered_to_its_workspace_alone(database: Database) -> None:
    ours, theirs = make_workspace(database), make_workspace(database)
    key = _add(database, ours, licence_sentence="Wir haben eine Lizenz.")
    with database.read() as session:
        entry = queries.entry(session, workspace_id=ours, key=key)
        sd = catalogue.get("stable-diffusion-1-5")
        assert (entry.name, entry.source, entry.steps) == ("Hausfotos", "acme/house-photos", sd.steps)
        assert entry.parameters_per_rank == sd.parameters_per_rank and not entry.ready
        assert entry.licence_sentence.de == "Wir haben eine Lizenz." and entry.commercial is None
        assert [one.key for one in queries.offered(session, workspace_id=ours)][-1] == key
        assert key not in [one.key for one in queries.offered(session, workspace_id=theirs)]
        assert queries.base_name(session, workspace_id=theirs, key=key) == key
        with pytest.raises(UnknownBaseModel):
            queries.entry(session, workspace_id=theirs, key=key)


def test_one_whose_family_is_not_known_yet_is_not_offered(database: Database) -> None:
    workspace_id = make_workspace(database)
    key = _add(database, workspace_id, family="")
    with database.write() as session:
        assert queries.find(session, workspace_id=workspace_id, key=key) is None
        facts = Facts(family="flux", prediction_type="flow", is_distilled=True)
        service.note_facts(session, workspace_id=workspace_id, base_id=key, facts=facts)
        entry = queries.entry(session, workspace_id=workspace_id, key=key)
        assert (entry.steps, entry.has_guidance) == (4, False)
        with pytest.raises(OtherFamily, match="stable_diffusion"):
            wrong = Facts(family="stable_diffusion")
            service.note_facts(session, workspace_id=workspace_id, base_id=key, facts=wrong)


def test_put_away_it_still_serves_what_names_it(database: Database) -> None:
    workspace_id = make_workspace(database)
    key = _add(database, workspace_id)
    with database.write() as session:
        service.put_away(session, workspace_id=workspace_id, base_id=key)
        assert key not in [one.key for one in queries.offered(session, workspace_id=workspace_id)]
        assert queries.entry(session, workspace_id=workspace_id, key=key).name == "Hausfotos"
        service.take_back(session, workspace_id=workspace_id, base_id=key)
        assert key in [one.key for one in queries.offered(session, workspace_id=workspace_id)]
        with pytest.raises(NotFound):
            service.put_away(session, workspace_id="0" * 32, base_id=key)


@pytest.mark.parametrize("repository", ["house", "acme/../etc", "https://x/y", "a/b/c", "/a/b", "acme/", ""])
def test_only_names_of_repositories_are_taken(database: Database, repository: str) -> None:
    with pytest.raises(BadRepository):
        _add(database, make_workspace(database), repository=repository)


@pytest.mark.parametrize("file", ["model.ckpt", "../x.safetensors", "/etc/x.safetensors", "x.bin", "a//b.safetensors"])
def test_only_safetensors_files_are_taken(database: Database, file: str) -> None:
    with pytest.raises(BadFileName):
        _add(database, make_workspace(database), file=file)


def test_the_same_checkpoint_is_not_added_twice(database: Database) -> None:
    workspace_id = make_workspace(database)
    _add(database, workspace_id)
    with pytest.raises(HasItAlready, match="Hausfotos"):
        _add(database, workspace_id, name="Noch einmal")
    _add(database, workspace_id, name="Andere Fassung", revision="v2")


def test_a_local_entry_is_one_that_a_worker_has_seen(database: Database) -> None:
    workspace_id, facts = make_workspace(database), Facts(family="stable_diffusion", prediction_type="epsilon")
    seen = [
        OfferedBase(machine="m", name="house.safetensors", family=facts.family, facts=facts.model_dump(mode="json")),
        OfferedBase(machine="m", name="odd.safetensors", problem="it is too short"),
    ]
    with database.write() as session:
        service.note_offered(session, machine="m", entries=seen)
        add = {"workspace_id": workspace_id, "name": "Haus", "created_by": None}
        row = service.add_local(session, entry="house.safetensors", **add)
        assert queries.entry(session, workspace_id=workspace_id, key=row.id).ready
        with pytest.raises(NotLyingReady):
            service.add_local(session, entry="../../etc/passwd", **add)
        with pytest.raises(UnusableCheckpoint, match="too short"):
            service.add_local(session, entry="odd.safetensors", **add)


def test_a_training_on_an_own_base_is_ordered_like_any_other(database: Database, storage: Storage) -> None:
    workspace_id = make_workspace(database)
    key, project_id = _add(database, workspace_id), make_brand(database, storage, workspace_id)
    choices = TrainingOverrides.model_validate({"base_model": key, "steps": 10})
    with database.write() as session:
        given = trainings.start_training(
            session, LOOK, workspace_id=workspace_id, project_id=project_id, overrides=choices, created_by=None
        )
        spec = job_spec(session, LOOK, workspace_id=workspace_id, training_id=given.id)
        assert (spec.base.key, spec.base.source) == (key, "acme/house-photos")
        assert view(session, LOOK, given).base_name == "Hausfotos"


def test_a_training_says_that_the_base_is_fetched_first_until_its_files_are_here(
    database: Database, storage: Storage
) -> None:
    workspace_id = make_workspace(database)
    key, project_id = _add(database, workspace_id), make_brand(database, storage, workspace_id)
    choices = TrainingOverrides.model_validate({"base_model": key})
    with database.write() as session:
        plan = trainings.plan_training(
            session, LOOK, workspace_id=workspace_id, project_id=project_id, overrides=choices
        )
        assert NOT_READY in [warning.msgid for warning in plan.warnings]
        session.add(BaseCopy(workspace_id=workspace_id, base_model=key, machine="m"))
        session.flush()
        plan = trainings.plan_training(
            session, LOOK, workspace_id=workspace_id, project_id=project_id, overrides=choices
        )
        assert NOT_READY not in [warning.msgid for warning in plan.warnings]
