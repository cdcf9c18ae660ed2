"""Measures pictures that have arrived, for the diagnosis of their set: one after the other, beside the jobs."""

import io
import logging

from PIL import Image

from app.images.captions import uniform_border
from app.images.diagnosis import service
from app.images.diagnosis.measures import PictureMeasures
from worker.context import WorkerContext
from worker.engines.image.measuring.picture_measures import measure

AT_ONCE = 8
"""Pictures a round; the thread pauses between rounds."""
log = logging.getLogger("livery.worker")


def measure_new(context: WorkerContext) -> int:
    """Measure some of the pictures that nobody has measured; returns how many. Two workers may measure the same one,
    with the same result."""
    count = 0
    while count < AT_ONCE and not context.stopping.is_set():
        with context.database.read() as session:
            waiting = service.next_to_measure(session)
        if waiting is None:
            break
        measures = _measured(context, waiting)
        with context.database.write() as session:
            service.note_measures(session, image_id=waiting.id, measures=measures)
        count += 1
    return count


def _measured(context: WorkerContext, waiting: service.ToMeasure) -> PictureMeasures | None:
    """None for a file that is gone or cannot be read: the others must not wait for it."""
    try:
        data = context.storage.get(waiting.working_key)
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as picture:
            return measure(picture, border=uniform_border(data), is_original_size=waiting.is_original_size)
    except (OSError, ValueError) as error:
        log.warning("picture %s could not be measured: %s", waiting.id, str(error)[:200])
        return None
