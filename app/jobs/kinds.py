"""Every kind of job, and the queues that they wait in. A kind's handler stands in ``worker/handlers/registry.py``."""

from dataclasses import dataclass

from app.errors import N_

QUEUES = {"training": N_("Training"), "generation": N_("Creating visuals")}
"""What workers serve, and what people call it. Jobs of hours wait in the first, so that those of seconds need not wait
for them in the second."""


@dataclass(frozen=True)
class JobKind:
    key: str
    """Stands on the job's row and names its handler; at most 20 characters."""
    queue: str
    label: str
    """What people call it."""
    address: str | None
    """The page that shows what the job is about, with ``{subject_id}``; None where there is none of its own."""


KINDS = {
    kind.key: kind
    for kind in (
        JobKind("training", "training", N_("Training"), "/trainings/{subject_id}"),
        JobKind("voice_training", "training", N_("Voice training"), "/voice-trainings/{subject_id}"),
        JobKind("generation", "generation", N_("Visuals"), "/generations/{subject_id}"),
        JobKind("rendering", "generation", N_("Ads"), "/renderings/{subject_id}"),
        JobKind("enlargement", "generation", N_("Enlargement"), "/generations/{subject_id}"),
        JobKind("writing", "generation", N_("Texts"), "/writings/{subject_id}"),
        JobKind("adapter_import", "generation", N_("Adapter file"), "/adapter-files/{subject_id}"),
        JobKind("adapter_publish", "generation", N_("Publishing"), None),
        JobKind("voice_merge", "generation", N_("Merged voice file"), None),
        JobKind("base_download", "training", N_("Base model"), "/base-models"),
    )
}
