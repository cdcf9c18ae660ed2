"""The families that Livery knows: one module each beside this one."""

import pkgutil
from importlib import import_module

from app.lora_files import families
from app.lora_files.families.facts import Architecture, FamilyFacts

_NO_FAMILY = ("facts", "known")


def found() -> tuple[FamilyFacts, ...]:
    """The ``FACTS`` of every module here, by their place."""
    names = [one.name for one in pkgutil.iter_modules(families.__path__) if one.name not in _NO_FAMILY]
    facts = (import_module(f"{families.__name__}.{name}").FACTS for name in names)
    return tuple(sorted(facts, key=lambda one: one.place))


FAMILIES = found()
"""In the order of lists."""


def find(architecture: Architecture) -> FamilyFacts | None:
    """None for an architecture whose layers Livery has no table of."""
    return next((one for one in FAMILIES if one.architecture == architecture), None)


def get(architecture: Architecture) -> FamilyFacts:
    """For an architecture that was checked before. Raises ``KeyError``."""
    found = find(architecture)
    if found is None:
        raise KeyError(architecture)
    return found


def by_key(key: str) -> FamilyFacts | None:
    """By the catalogue's word for it; None for a family of language models."""
    return next((one for one in FAMILIES if one.key and one.key == key), None)


def is_u_net(architecture: Architecture) -> bool:
    found = find(architecture)
    return found is not None and found.is_u_net


def is_transformer(architecture: Architecture) -> bool:
    found = find(architecture)
    return found is not None and not found.is_u_net


def u_nets() -> tuple[FamilyFacts, ...]:
    return tuple(one for one in FAMILIES if one.is_u_net)


def with_engine() -> tuple[FamilyFacts, ...]:
    """Those that Livery trains and draws with."""
    return tuple(one for one in FAMILIES if one.key)


def runs_in(architecture: Architecture, program: str) -> bool:
    """Whether that program runs bases of this architecture."""
    found = find(architecture)
    return found is not None and program in found.runs_in


def listing() -> str:
    """Those that Livery trains and draws with, for sentences: ``SDXL, FLUX.1``."""
    return ", ".join(one.short_name for one in with_engine())
