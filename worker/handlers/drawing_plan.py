"""How this worker's card is used for an order: kept with the order, and changed when the memory runs out all the
same."""

import logging
from dataclasses import replace
from datetime import timedelta

from app.db import now
from app.generations import planner, queries, service
from app.generations.planner import DrawingPlan
from app.generations.queries import GenerationSpec
from app.generations.recipe import GenerationRecipe
from app.machine.devices import Device
from worker.engines.contracts import GenerationInputs
from worker.handlers.planning import device_of
from worker.job_run import JobRun

TRIED_AGAIN_AFTER = timedelta(hours=1)
"""A card whose memory ran out may have had a training beside it, which ends."""
log = logging.getLogger("livery.worker")


class OrdersPlan:
    """The plan of one order as it stands; there is none where the device is no card or the base's cost is not known."""

    def __init__(self, job: JobRun, order: GenerationSpec) -> None:
        self._job, self._order = job, order
        self._device = device_of(job.context)
        self._plan: DrawingPlan | None = None
        if self._device is not None:
            earlier = order.drawing
            is_alike = earlier is not None and earlier.device_bytes == self._device.memory_bytes
            self._note(earlier if is_alike else self._planned(self._device))

    def _planned(self, device: Device) -> DrawingPlan | None:
        order = self._order
        ran_out = self._job.read(
            lambda session: queries.ran_out(
                session,
                workspace_id=order.workspace_id,
                base_model=order.recipe.base_model,
                device_bytes=device.memory_bytes,
                since=now() - TRIED_AGAIN_AFTER,
            )
        )
        return planner.plan_for(order.recipe, order.base, device, ran_out)

    @property
    def recipe(self) -> GenerationRecipe:
        """The order's, which says now how the base is held."""
        kind = (
            self._plan.quantization if self._plan else self._order.recipe.quantization or self._order.base.quantization
        )
        return self._order.recipe.model_copy(update={"quantization": kind})

    def inputs(self, given: GenerationInputs) -> GenerationInputs:
        if self._plan is None:
            return given
        return replace(given, offload=self._plan.offload, batch_size=self._plan.at_once, tiled=self._plan.tiled)

    def went_smaller(self, at_once: int, tiled: bool) -> None:
        """The engine has gone over to this within the stage."""
        if self._plan is not None and at_once < self._plan.at_once:
            self._note(planner.with_fewer(self._plan, at_once))
        if self._plan is not None and tiled and not self._plan.tiled:
            self._note(planner.with_tiles(self._plan))

    def take_next(self) -> bool:
        """Go over to the next smaller stage; False when there is none."""
        if self._plan is None or self._device is None:
            return False
        smaller = planner.next_smaller(self._order.recipe, self._order.base, self._device, self._plan)
        if smaller is None:
            return False
        log.warning("out of memory; going on with the base as %s, offloading %s", smaller.quantization, smaller.offload)
        self._note(smaller)
        return True

    def _note(self, plan: DrawingPlan | None) -> None:
        self._plan = plan
        if plan is not None:
            self._job.write(
                lambda session: service.note_drawing(session, self._job.claim, self._order.generation_id, plan)
            )
