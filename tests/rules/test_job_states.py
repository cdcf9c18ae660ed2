"""Whatever a job makes tells its state in one place of its JSON: ``job``, in one form."""

from typing import Any

from fastapi import FastAPI

from app.jobs.kinds import KINDS

MADE_BY = {
    "training": "TrainingOut",
    "voice_training": "VoiceTrainingOut",
    "generation": "GenerationOut",
    "rendering": "RenderingOut",
    "enlargement": "GenerationOut",
    "writing": "WritingOut",
    "adapter_import": "ImportedFileOut",
    "adapter_publish": "PublicationOut",
    "voice_merge": "MergedFileOut",
    "base_download": "FilesOut",
}
"""The schema of what each kind of job is about."""
JOB = {"$ref": "#/components/schemas/JobOut"}
TOLD_BY_THE_JOB = {"state", "phase", "progress", "job_id", "error", "error_code", "error_sentence", "seconds_left"}


def of(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["components"]["schemas"][name]["properties"]
    return found


def is_job(field: dict[str, Any]) -> bool:
    return field.get("$ref") == JOB["$ref"] or JOB in field.get("anyOf", ())


def test_what_a_job_makes_has_it_as_job(app: FastAPI) -> None:
    schema = app.openapi()
    assert set(MADE_BY) == set(KINDS)
    for name in MADE_BY.values():
        assert is_job(of(schema, name).get("job", {})), f"{name} tells its state elsewhere than in job"


def test_nothing_else_tells_the_state_of_a_job(app: FastAPI) -> None:
    schema = app.openapi()
    for name in schema["components"]["schemas"]:
        fields = schema["components"]["schemas"][name].get("properties", {})
        if "job" in fields:
            assert is_job(fields["job"]), f"{name}.job has another form"
            old = {key for key in TOLD_BY_THE_JOB & set(fields) if not fields[key].get("deprecated")}
            assert not old, f"{name} tells {sorted(old)} beside its job"


def test_an_old_name_is_marked_as_such(app: FastAPI) -> None:
    job, worker = (of(app.openapi(), name) for name in ("JobOut", "WorkerOut"))
    assert job["lane"]["deprecated"] and not job["queue"].get("deprecated")
    assert worker["lanes"]["deprecated"] and not worker["queues"].get("deprecated")
