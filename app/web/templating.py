"""Pages and fragments from ``templates/``: what every template is given, and the filters that speak its language."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import babel.dates
import babel.numbers
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape
from jinja2.environment import TemplateModule
from markupsafe import Markup

from app.db import DATABASE_AWAY, now
from app.jobs import queries as jobs
from app.lora_files.families import known
from app.web import flashes
from app.web.language import LOCALES, translations
from app.web.wire import bundles

TEMPLATES = Path(__file__).parents[2] / "templates"
PAGE_WIDE = ("visitor", "locale", "theme", "csrf_token", "path", "flashes")
"""What ``render`` gives to every template: components may read these and their own parameters, nothing else."""
GIGABYTES = re.compile(r"(\d+\.\d) GB")
PROCESSOR = re.compile(r"CPU \((\d+) cores\)")
"""As ``worker.engines.device`` calls a machine without a card."""
_locale: ContextVar[str] = ContextVar("locale", default="en")
_imported: ContextVar[dict[str, TemplateModule] | None] = ContextVar("imported", default=None)


@cache
def _static_hash(path: str) -> str:
    return hashlib.sha256((TEMPLATES / "static" / path).read_bytes()).hexdigest()[:12]


def static(path: str) -> str:
    """Address of a shipped file, with its content's hash, so that browsers may keep it for ever."""
    return f"/static/{path}?v={_static_hash(path)}"


def filesize(value: int, fine: bool = False) -> str:
    """``fine`` keeps a decimal in gigabytes, where sizes are held against each other."""
    number, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    digits = "#,##0" if (number >= 10 and not (fine and unit == "GB")) or unit == "B" else "#,##0.0"
    return f"{babel.numbers.format_decimal(number, digits, locale=_locale.get())}\u00a0{unit}"


def ago(value: datetime) -> Markup:
    """How long ago, or in how long; ``js/moments.js`` keeps it current while the page is open."""
    said = babel.dates.format_timedelta(value - now(), add_direction=True, locale=_locale.get())
    return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        value.isoformat(), datetime_filter(value), said
    )


def datetime_filter(value: datetime) -> str:
    return babel.dates.format_datetime(value, "medium", locale=_locale.get())


def duration(seconds: float) -> str:
    """A stretch of time in one or two units: ``42 seconds``, ``3 hours 5 minutes``."""
    seconds = max(0.0, seconds)
    locale = _locale.get()
    if 3600 <= seconds < 48 * 3600:
        whole, rest = divmod(int(seconds), 3600)
        hours = babel.dates.format_timedelta(timedelta(hours=whole), "hour", threshold=100, locale=locale)
        minutes = babel.dates.format_timedelta(timedelta(minutes=rest // 60), "minute", threshold=100, locale=locale)
        return f"{hours} {minutes}" if rest >= 60 else hours
    return babel.dates.format_timedelta(timedelta(seconds=round(seconds)), threshold=1.5, locale=locale)


def number(value: float | Decimal, digits: int | None = None) -> str:
    pattern = None if digits is None else "#,##0." + "0" * digits if digits else "#,##0"
    return babel.numbers.format_decimal(value, pattern, locale=_locale.get())


def exact(value: float | Decimal) -> str:
    """A number with all its digits, such as a learning rate of 0.0001."""
    return babel.numbers.format_decimal(value, "#,##0.##########", locale=_locale.get())


def money(value: float | Decimal, currency: str) -> str:
    return babel.numbers.format_currency(value, currency, locale=_locale.get())


def sentence(pair: tuple[str, Mapping[str, Any]] | list[Any]) -> str:
    """A marked sentence and its parameters, in the reader's language; nothing stays nothing.

    Numbers with decimals, and sizes that are kept in a row as text (``12.0 GB``), get the reader's decimal sign.
    """
    # gettext keeps a catalogue's own header under the empty sentence.
    text = translations(_locale.get()).gettext(pair[0]) if pair[0] else ""
    return text % {name: _in_place(value) for name, value in pair[1].items()} if pair[1] else text


def _in_place(value: Any) -> Any:
    if isinstance(value, float):
        return number(value)
    found = GIGABYTES.fullmatch(value) if isinstance(value, str) else None
    return f"{number(Decimal(found[1]), 1)} GB" if found else value


def device(name: str) -> str:
    """What a worker calls its device; a card's name is a name, a processor is told in the reader's language."""
    cores = PROCESSOR.fullmatch(name)
    if cores is None:
        return name
    count = int(cores[1])
    text = translations(_locale.get()).ngettext("Processor (%(num)d core)", "Processor (%(num)d cores)", count)
    return text % {"num": count}


class _Template(Template):
    """Its components are put together once for each page, not once for each tile that imports them.

    An import with context makes a new module each time, of all macros of a component and of those that it imports; on a
    page of many tiles that was most of the work.
    """

    def make_module(
        self, vars: dict[str, Any] | None = None, shared: bool = False, locals: Mapping[str, Any] | None = None
    ) -> TemplateModule:
        imported = _imported.get()
        if imported is None or not (self.name or "").startswith("components/"):
            return super().make_module(vars, shared, locals)
        if self.name not in imported:
            imported[str(self.name)] = super().make_module(vars, shared, locals)
        return imported[str(self.name)]


@cache
def environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default_for_string=True, default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    env.template_class = _Template
    env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: translations(_locale.get()).gettext(text),
        lambda one, many, count: translations(_locale.get()).ngettext(one, many, count),
        newstyle=True,
    )
    env.globals |= {
        "static": static,
        "bundle": bundles.address,
        "locales": LOCALES,
        "served_at": lambda: now().isoformat(),
        "known_families": known.listing,
    }
    env.filters |= {
        "filesize": filesize,
        "ago": ago,
        "datetime": datetime_filter,
        "device": device,
        "duration": duration,
        "number": number,
        "exact": exact,
        "money": money,
        "sentence": sentence,
    }
    return env


@contextmanager
def speaking(locale: str) -> Iterator[None]:
    """Inside, the filters speak this language."""
    token = _locale.set(locale)
    try:
        yield
    finally:
        _locale.reset(token)


def render(request: Request, template: str, context: Mapping[str, Any]) -> str:
    """The text of a page or fragment in the request's language."""
    state = request.state
    everywhere = (
        state.visitor,
        state.locale,
        state.theme,
        state.csrf_token,
        request.url.path,
        flashes.waiting(request),
    )
    given = dict(zip(PAGE_WIDE, everywhere, strict=True)) | dict(context)
    given["is_busy"] = lambda: _is_busy(request)
    token = _imported.set({})
    try:
        with speaking(state.locale):
            return environment().get_template(template).render(given)
    finally:
        _imported.reset(token)


def _is_busy(request: Request) -> bool:
    """Whether something waits or runs in the workspace that is looked at; asked for by the frame of whole pages."""
    visitor = request.state.visitor
    if visitor is None:
        return False
    try:
        with request.app.state.database.read() as session:
            return jobs.is_busy(session, workspace_id=visitor.workspace.id)
    except DATABASE_AWAY:
        return False


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page; flashes that it showed are gone afterwards."""
    response = HTMLResponse(render(request, template, context), status)
    flashes.forget(request, response)
    return response


def fragment(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A part of a page, for htmx."""
    return HTMLResponse(render(request, template, context), status)
