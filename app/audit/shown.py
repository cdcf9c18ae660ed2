"""Events as people read them: a sentence, and what changed."""

from typing import Any, NamedTuple

import babel.numbers

from app.audit.actions import ACTIONS
from app.audit.kinds import FIELDS, KINDS, ngettext
from app.audit.models import AuditEvent
from app.errors import N_
from app.web.language import translate, translations

WHO = {
    "token": N_("The token %(name)s"),
    "link": N_("%(name)s (via a link)"),
    "command": N_("The command %(name)s"),
}
"""A person is called by their name."""
ERASED = N_("Someone whose details were erased")
VALUES: dict[Any, str] = {
    True: N_("yes"),
    False: N_("no"),
    "viewer": N_("Viewer"),
    "editor": N_("Editor"),
    "owner": N_("Owner"),
    "open": N_("open"),
    "approved": N_("approved"),
    "rejected": N_("rejected"),
    "keep": N_("keep"),
    "mask": N_("mask"),
    "light": N_("light"),
    "dark": N_("dark"),
    "auto": N_("same as device"),
    "en": N_("English"),
    "de": N_("German"),
}
"""Values that have a name."""
OWN_WORDS = ("name", "trigger_word", "workspace")
"""Fields with what people wrote, which may be one of those words by chance."""
NOTHING = "–"
END_OF_A_LOG = ngettext("%(num)s event, last hash %(hash)s", "%(num)s events, last hash %(hash)s", 2)


class Change(NamedTuple):
    """One line of what changed. ``values`` is None where only that it changed is kept; what there was before may be
    empty."""

    name: str
    values: tuple[str, str] | None


def sentence(event: AuditEvent, locale: str) -> str:
    action = ACTIONS.get(event.action)
    who = _who(event, locale)
    if action is None:  # of a later version, or one that is gone
        return f"{who}: {event.action}"
    return translate(locale, action.sentence, who=who, what=_what(event, locale))


def _who(event: AuditEvent, locale: str) -> str:
    if event.actor_name is None:
        return translate(locale, ERASED)
    pattern = WHO.get(event.actor_kind)
    return translate(locale, pattern, name=event.actor_name) if pattern else event.actor_name


def _what(event: AuditEvent, locale: str) -> str:
    kind = KINDS[ACTIONS[event.action].kind]
    if kind.one and event.subject_label:
        return translate(locale, kind.one, label=event.subject_label)
    if event.count is not None and event.count > 1:
        shown = babel.numbers.format_decimal(event.count, locale=locale)
        return translations(locale).ngettext(*kind.many, event.count) % {"num": shown}
    return translate(locale, kind.some)


def changes(event: AuditEvent, locale: str) -> list[Change]:
    """What changed, line by line; nothing for ids and for what is said in the sentence."""
    found = event.changes or {}
    told = [
        Change(
            _field(name, locale),
            ("" if pair[0] is None else _told(name, pair[0], locale), _told(name, pair[1], locale)),
        )
        for name, pair in found.items()
        if name not in ("fields", "ids", "events", "logs")
    ]
    told += [Change(_field(name, locale), None) for name in found.get("fields", ())]
    if "events" in found:
        shown = babel.numbers.format_decimal(sum(found["events"].values()), locale=locale)
        told.append(Change(_field("events", locale), ("", shown)))
    for length, last in found.get("logs", {}).values():
        told.append(Change(_field("logs", locale), ("", _end_of_a_log(length, last, locale))))
    return told


def _end_of_a_log(length: int, last: str, locale: str) -> str:
    shown = babel.numbers.format_decimal(length, locale=locale)
    return translations(locale).ngettext(*END_OF_A_LOG, length) % {"num": shown, "hash": last}


def _field(name: str, locale: str) -> str:
    return translate(locale, FIELDS[name]) if name in FIELDS else name


def _told(name: str, value: Any, locale: str) -> str:
    return value if name in OWN_WORDS and isinstance(value, str) and value else _value(value, locale)


def _value(value: Any, locale: str) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool | str) and value in VALUES:
        return translate(locale, VALUES[value])
    if isinstance(value, int | float):
        return str(babel.numbers.format_decimal(value, locale=locale))
    return ", ".join(str(one) for one in value) or NOTHING if isinstance(value, list) else str(value)
