"""Whether a base model can be trained on the machine that is here, and why: a word and a phrase. Pure.

It asks the planners and the measurements of earlier trainings, with a training as most people start one: a style from
twenty pictures, a voice from a hundred texts. What nobody has measured or counted is not promised.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from app.base_models.catalogue import BaseModelEntry, TextModelEntry
from app.errors import N_
from app.machine.devices import Device, gigabytes, room_of
from app.trainings.estimates import Circumstances, Estimate
from app.trainings.look import planner as look_planner
from app.trainings.look.estimate import Measurement, estimate_for
from app.trainings.look.presets import recipe_for
from app.trainings.plans import Plan, planned
from app.trainings.voice import planner as voice_planner
from app.trainings.voice.estimate import VoicePace, voice_estimate
from app.trainings.voice.freeze import FrozenText, FrozenVoice
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.warnings import LARGE_PARAMETERS

Verdict = Literal["yes", "slowly", "no", "unknown"]
USUAL_PICTURES = 20
USUAL_TEXTS = 100
USUAL_CHARACTERS = 500
"""Of each of those texts."""
HOUR = 3600.0
SLOW_FROM = 8 * HOUR
"""A training that may take longer than a night's sleep is slow."""
NEVER_FROM = 14 * 24 * HOUR
"""Nobody waits for one that takes two weeks at the very least."""
DAYS_FROM = 48 * HOUR
UNDER_AN_HOUR = N_("under an hour")
UP_TO_HOURS = N_("up to %(n)s hours")
UP_TO_DAYS = N_("up to %(n)s days")
WEEKS = N_("would take more than two weeks")
NOT_TIMED = N_("fits, time not measured yet")
NO_CARD = N_("many hours without a graphics card")
TOO_LARGE = N_("needs %(needed)s, %(room)s available")
OLD_CARD = N_("needs a newer graphics card")
NO_MACHINE = N_("no worker has reported a device")
NOT_LOOKED_AT = N_("files not checked yet")


@dataclass(frozen=True)
class RunsHere:
    """The verdict on one base model."""

    verdict: Verdict
    reason: str
    """A phrase with places for ``facts``."""
    facts: Mapping[str, str] = field(default_factory=dict)
    is_plain: bool = True
    """Whether the base stays as it is: neither held in fewer bits nor partly outside the device."""

    @property
    def pair(self) -> tuple[str, Mapping[str, str]]:
        return self.reason, self.facts


UNKNOWN_MACHINE = RunsHere("unknown", NO_MACHINE)
UNKNOWN_FILES = RunsHere("unknown", NOT_LOOKED_AT)


def for_pictures(base: BaseModelEntry, device: Device | None, known: Sequence[Measurement]) -> RunsHere:
    """``known``: what trainings on this base took, the newest first."""
    if device is None:
        return UNKNOWN_MACHINE
    recipe = recipe_for("style", base, trigger_word="style", captions=["a picture"] * USUAL_PICTURES)
    plan = look_planner.plan_for(recipe, base, device)
    if plan is None:
        needed = base.training_memory(recipe.quantization)
        fits = needed <= room_of(device)
    else:
        needed, fits, recipe = plan.memory_bytes, plan.fits, planned(recipe, plan)
    if not fits:
        return _too_large(needed, device, plan)
    return _timed(estimate_for(recipe, base, known, _there(device), plan), plan)


def for_texts(base: TextModelEntry, device: Device | None, paces: Sequence[VoicePace]) -> RunsHere:
    """``paces``: what trainings on this base took, the newest first."""
    if device is None:
        return UNKNOWN_MACHINE
    recipe, voice = voice_recipe_for(base, USUAL_TEXTS), _usual_voice()
    plan = voice_planner.plan_for(recipe, base, voice, device)
    if not plan.fits:
        return _too_large(plan.memory_bytes, device, plan)
    estimate = voice_estimate(planned(recipe, plan), base, voice, paces, _there(device), plan)
    if estimate.seconds is None and device.kind == "cpu" and base.parameters > LARGE_PARAMETERS:
        return RunsHere("slowly", NO_CARD, is_plain=_is_plain(plan))
    return _timed(estimate, plan)


@cache
def _usual_voice() -> FrozenVoice:
    text = FrozenText(
        sample_id="", order=(), text="x" * USUAL_CHARACTERS, language="en", channel="other", held_out=False
    )
    return FrozenVoice(texts=(text,) * USUAL_TEXTS, language="en", style_guide="")


def _there(device: Device) -> Circumstances:
    return Circumstances([device.name], None, "")


def _too_large(needed: int, device: Device, plan: Plan | None) -> RunsHere:
    if plan is not None and plan.reason == look_planner.NEEDS_BFLOAT16:
        return RunsHere("no", OLD_CARD)
    return RunsHere("no", TOO_LARGE, {"needed": gigabytes(needed), "room": gigabytes(round(room_of(device)))})


def _timed(estimate: Estimate, plan: Plan | None) -> RunsHere:
    """By the time that one alike took, else by the range that the device's speed gives."""
    seconds = estimate.seconds_range if estimate.seconds is None else (estimate.seconds, estimate.seconds)
    if seconds is None:
        return RunsHere("yes", NOT_TIMED, is_plain=_is_plain(plan))
    least, most = seconds
    if least >= NEVER_FROM:
        return RunsHere("no", WEEKS)
    verdict: Verdict = "slowly" if most > SLOW_FROM else "yes"
    reason, facts = _in_words(most)
    return RunsHere(verdict, reason, facts, _is_plain(plan))


def _in_words(seconds: float) -> tuple[str, dict[str, str]]:
    """Coarse on purpose: the card before a training tells what that one takes, with its own pictures and numbers."""
    if seconds < HOUR:
        return UNDER_AN_HOUR, {}
    if seconds <= DAYS_FROM:
        return UP_TO_HOURS, {"n": str(max(2, math.ceil(seconds / HOUR)))}
    return UP_TO_DAYS, {"n": str(math.ceil(seconds / (24 * HOUR)))}


def _is_plain(plan: Plan | None) -> bool:
    return plan is None or (plan.quantization == "none" and not plan.block_offload)
