"""How the fields of a recipe appear to people: on the form, and among the facts of a training. Pure.

Each kind of training has one ``Table``. Types, bounds and defaults stand in the recipe alone and are read from there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, create_model

Sentence = tuple[str, Mapping[str, Any]] | tuple[str, str, int]
"""A marked sentence with its parameters, or one with a singular, a plural and the number that decides."""
Value = Sentence | str | float | list[float]
"""What a fact tells; a ``str`` is shown as it is."""
Widget = Literal["number", "text", "lines", "select", "switch", "checks"]


def ngettext(one: str, many: str, num: int) -> tuple[str, str, int]:
    """Marks a sentence with a plural for translation."""
    return one, many, num


def always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class Field:
    """A field of a recipe. Only what differs from the usual is said."""

    label: str = ""
    hint: str = ""
    options: Mapping[Any, str] | Callable[[Any], Mapping[Any, Sentence]] | None = None
    """Value → what it is called; or that, given the plan. Makes a select, of a list of numbers checkboxes."""
    offered_on: Callable[[Any], bool] = always
    """Whether it means something on a base model. If not, the form does not show it."""
    usual: Callable[[Any], Any] | None = None
    """What an empty field takes, given the plan; shown as the placeholder. If not set: the planned recipe's value."""
    placeholder: str = ""
    """A marked sentence, shown where the usual value is None."""
    least: float | None = None
    most: float | None = None
    """The smallest and largest number that the form offers, where the recipe's bound itself is excluded."""
    is_optional: bool = False
    """Says so behind its label."""

    term: str = ""
    """What the fact is called. If not set: as ``Table.facts`` says."""
    value: Callable[[Any], Value] | None = None
    """What the fact tells, given the recipe. If not set: the field's own value, or what its options call it."""
    note: str | Callable[[Any], Sentence | None] = ""
    """A marked sentence below the fact; or that, given the recipe."""
    told: Callable[[Any], bool] | None = None
    """Whether there is a fact, given the recipe. If not set: where the value differs from the default or has none."""
    told_with: str = ""
    """The field whose fact tells this one too."""
    untold: str = ""
    """Why no fact tells it."""


@dataclass(frozen=True)
class Input:
    """A field of the form, ready to be drawn."""

    name: str
    widget: Widget
    label: str
    hint: str
    value: Any
    placeholder: Any
    options: Mapping[Any, Sentence]
    attributes: Mapping[str, Any]
    is_optional: bool


@dataclass(frozen=True)
class Fact:
    term: str
    is_name: bool
    """Whether the term is the recipe's technical name, which is not translated."""
    value: Value
    note: Sentence | None


@dataclass(frozen=True)
class Table:
    """All fields of a kind of training."""

    recipe: type[BaseModel]
    fields: Mapping[str, Field]
    """In the order of the facts."""
    groups: Mapping[str, tuple[str, ...]]
    """The form's parts, and their fields in the order of the page."""
    asked_apart: tuple[str, ...]
    """Fields that the page asks for in a way of its own."""
    not_offered: Mapping[str, str]
    """Fields that nobody fills in, and why."""
    facts_by: Literal["name", "label"]
    """What facts are called by: the recipe's technical names, or the form's labels."""

    @property
    def offered(self) -> tuple[str, ...]:
        """The fields that a person may decide, in the recipe's order."""
        return tuple(name for name in self.recipe.model_fields if name not in self.not_offered)

    @property
    def texts(self) -> tuple[str, ...]:
        """Fields that are written in words of one's own, on one line."""
        return tuple(name for name in self.offered if name not in self.asked_apart and self.widget(name) == "text")

    @property
    def switches(self) -> frozenset[str]:
        """Fields for which a browser sends nothing when they are off, so that off means "what fits" there."""
        return frozenset(name for name in self.offered if self.widget(name) == "switch")

    def widget(self, name: str) -> Widget:
        kind, has_options = _type_of(self.recipe, name), self.fields[name].options is not None
        if get_origin(kind) is tuple:
            return "checks" if has_options else "lines"
        if has_options:
            return "select"
        widgets: dict[Any, Widget] = {int: "number", float: "number", bool: "switch"}
        return widgets.get(kind, "text")

    def inputs(self, form: Any, plan: Any) -> dict[str, list[Input]]:
        """The form's fields for the planned base model, by group, filled with what was decided."""
        return {
            group: [self._input(name, form, plan) for name in names if self.fields[name].offered_on(plan.base)]
            for group, names in self.groups.items()
        }

    def _input(self, name: str, form: Any, plan: Any) -> Input:
        field, widget = self.fields[name], self.widget(name)
        usual = field.usual(plan) if field.usual is not None else getattr(plan.recipe, name)
        options = field.options(plan) if callable(field.options) else field.options or {}
        value = getattr(form, name)
        return Input(
            name=name,
            widget=widget,
            label=field.label,
            hint=field.hint,
            value=str(value).lower() if isinstance(value, bool) and widget == "select" else value,
            placeholder=usual if usual is not None else (field.placeholder, {}),
            options={key: (said, {}) if isinstance(said, str) else said for key, said in options.items()},
            attributes=self._attributes(name, widget),
            is_optional=field.is_optional,
        )

    @cached_property
    def _bounds(self) -> dict[str, dict[str, Any]]:
        """Type and bounds of each field as JSON Schema says them, whether or not it may be None."""
        found = self.recipe.model_json_schema()["properties"]
        return {name: next(iter(one.get("anyOf", ())), {}) | one for name, one in found.items()}

    def _attributes(self, name: str, widget: Widget) -> dict[str, Any]:
        """Of the HTML element: the recipe's bounds."""
        field, bounds = self.fields[name], self._bounds[name]
        if widget == "text":
            return {"maxlength": bounds["maxLength"]}
        if widget != "number":
            return {}
        is_whole = bounds["type"] == "integer"
        least = bounds.get("minimum", bounds.get("exclusiveMinimum"))
        most = bounds.get("maximum", bounds.get("exclusiveMaximum", 0) - is_whole)
        return {
            "min": least if field.least is None else field.least,
            "max": most if field.most is None else field.most,
        } | ({"inputmode": "numeric"} if is_whole else {"step": "any"})

    def facts(self, recipe: BaseModel) -> list[Fact]:
        """What a recipe's numbers are, for people; what nobody touched is left out."""
        return [self._fact(name, recipe) for name in self.fields if self._is_told(name, recipe)]

    def _is_told(self, name: str, recipe: BaseModel) -> bool:
        field, told = self.fields[name], self.recipe.model_fields[name]
        if field.told_with or field.untold:
            return False
        if field.told is not None:
            return field.told(recipe)
        return told.is_required() or getattr(recipe, name) != told.default

    def _fact(self, name: str, recipe: BaseModel) -> Fact:
        field = self.fields[name]
        value: Value = field.value(recipe) if field.value is not None else getattr(recipe, name)
        if field.value is None and isinstance(field.options, Mapping):
            value = (field.options[str(value).lower() if isinstance(value, bool) else value], {})
        term = field.term or (field.label if self.facts_by == "label" else "")
        note = field.note(recipe) if callable(field.note) else (field.note, {}) if field.note else None
        return Fact(term or name, not term, value, note)


def _type_of(recipe: type[BaseModel], name: str) -> Any:
    """``float`` for a field that is ``Annotated[float, …] | None``."""
    kind: Any = recipe.model_fields[name].annotation
    if NoneType in get_args(kind):
        kind = next(one for one in get_args(kind) if one is not NoneType)
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def overrides_of(table: Table) -> type[BaseModel]:
    """A model of the fields that a person may decide, within the recipe's bounds; None means "what fits"."""
    decided: dict[str, Any] = {
        name: (bool, False)
        if name in table.switches
        else (table.recipe.model_fields[name].rebuild_annotation() | None, None)
        for name in table.offered
    }
    return create_model(f"{table.recipe.__name__}Overrides", __config__=ConfigDict(defer_build=True), **decided)


def decided_in(table: Table, overrides: BaseModel) -> dict[str, Any]:
    """The fields that were decided, by name, without those that the page asks for apart.

    A switch that is off was not decided.
    """
    told = overrides.model_dump(include=set(table.offered) - set(table.asked_apart), exclude_none=True)
    return {name: value for name, value in told.items() if value or name not in table.switches}


def cleaned(table: Table, data: Any, clean: Callable[[str], str]) -> Any:
    """What was sent, its texts cleaned; one that is empty then was not decided."""
    if not isinstance(data, dict):
        return data
    sent = {name: data[name] for name in table.texts if isinstance(data.get(name), str)}
    return data | {name: clean(text) or None for name, text in sent.items()}


def without_empty(data: Any) -> Any:
    """What a browser sent, without the fields that were left empty."""
    if not isinstance(data, dict):
        return data
    return {name: value for name, value in data.items() if not (isinstance(value, str) and not value.strip())}
