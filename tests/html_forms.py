"""Reads a form out of a page: what a browser would let people fill in."""

from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Control:
    """An ``input``, ``select`` or ``textarea`` with its attributes."""

    kind: str
    """``select``, ``textarea``, or the input's type."""
    attributes: dict[str, str]
    text: str = ""
    """Of a ``textarea``."""
    options: dict[str, bool] = field(default_factory=dict)
    """Of a ``select``: whether each value is the selected one."""

    @property
    def value(self) -> str:
        if self.kind == "select":
            return next((value for value, selected in self.options.items() if selected), next(iter(self.options)))
        return self.text if self.kind == "textarea" else self.attributes.get("value", "")


class _Reader(HTMLParser):
    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id, self.within = form_id, False
        self.controls: dict[str, list[Control]] = defaultdict(list)
        self.open: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.within = given.get("id") == self.form_id
        if not self.within or given.get("form", self.form_id) != self.form_id:
            return
        if tag == "option" and self.open is not None:
            self.open.options[given.get("value", "")] = "selected" in given
        elif tag in ("input", "select", "textarea") and given.get("name"):
            control = Control(given.get("type", "text") if tag == "input" else tag, given)
            self.controls[given["name"]].append(control)
            self.open = None if tag == "input" else control

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.within = False
        elif tag in ("select", "textarea"):
            self.open = None

    def handle_data(self, data: str) -> None:
        if self.open is not None and self.open.kind == "textarea":
            self.open.text += data


def controls(page: str, form_id: str) -> dict[str, list[Control]]:
    """The controls of the form with this id, by name, in the order of the page."""
    reader = _Reader(form_id)
    reader.feed(page)
    return dict(reader.controls)
