"""Which handler runs which kind of job (``app.jobs.kinds``)."""

from collections.abc import Callable

from worker.handlers import (
    adapter_import,
    adapter_publish,
    base_download,
    generation,
    rendering,
    training,
    voice_merging,
    voice_training,
    writing,
)
from worker.handlers.pictures import enlargement
from worker.job_run import JobRun

Handler = Callable[[JobRun], None]
"""Does a job and writes its end. May run more than once for the same job, and must bear it.

Raises ``EngineError`` for what people can act on, ``Cancelled``, ``GiveBack``, ``LeaseLost``.
"""
HANDLERS: dict[str, Handler] = {
    "training": training.run,
    "voice_training": voice_training.run,
    "generation": generation.run,
    "rendering": rendering.run,
    "enlargement": enlargement.run,
    "adapter_import": adapter_import.run,
    "adapter_publish": adapter_publish.run,
    "voice_merge": voice_merging.run,
    "writing": writing.run,
    "base_download": base_download.run,
}
