"""``python -m tests.tools.messages``: brings ``templates/locales/de.po`` up to the sentences in the sources.

New sentences come in untranslated, changed ones are never guessed at, and what is gone is dropped.
"""

import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from fastapi import FastAPI

from app.accounts.api_guide import guide
from app.main import API

ROOT = Path(__file__).parents[2]
GERMAN = ROOT / "templates" / "locales" / "de.po"
KEYWORDS = {"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}
SOURCES = (("app", "**.py", "python"), ("worker", "**.py", "python"), ("templates", "**.html", "jinja2"))
JINJA = {"trimmed": "true", "silent": "false", "extensions": "jinja2.ext.do"}
TITLE = "# German sentences of Livery."
# What a catalogue must say about itself to be read; names, addresses and dates would only be noise between versions.
HEADER = tuple(
    f'"{name}:' for name in ("Language", "Plural-Forms", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")
)


def sentences() -> Catalog:
    """Every sentence that is marked for translation in code and templates, and those of the API."""
    catalog = Catalog(project="Livery", charset="utf-8")
    for folder, pattern, kind in SOURCES:
        found = extract_from_dir(ROOT / folder, [(pattern, kind)], {pattern: JINJA}, keywords=KEYWORDS)
        for filename, _line, message, comments, context in found:
            catalog.add(message, locations=[(f"{folder}/{filename}", 0)], auto_comments=comments, context=context)
    for sentence in of_the_api():
        catalog.add(sentence, locations=[("templates/pages/api.html", 0)])
    return catalog


def of_the_api() -> Iterator[str]:
    """What the API says about itself: the page that shows it is read in German too."""
    described = FastAPI()
    for api in API:
        described.include_router(api.router)
    for chapter in guide(described.openapi(), ""):
        yield chapter.name.capitalize()
        for operation in chapter.operations:
            yield operation.summary
            if operation.description:
                yield operation.description


def german() -> Catalog:
    with GERMAN.open("rb") as file:
        return read_po(file, locale="de")


def save(catalog: Catalog) -> None:
    """Writes the catalogue sorted, with a header that holds nothing but what readers need."""
    catalog.fuzzy = False
    text = io.BytesIO()
    write_po(text, catalog, width=110, no_location=True, omit_header=False, sort_output=True)
    head, _, body = text.getvalue().decode().partition("\n\n")
    lines = [line for line in head.splitlines() if not line.startswith('"') or line.startswith(HEADER)]
    GERMAN.parent.mkdir(parents=True, exist_ok=True)
    GERMAN.write_text("\n".join(lines) + "\n\n" + body.rstrip() + "\n")


def is_translated(message: Message) -> bool:
    """Whether every form of it is there."""
    forms = (message.string,) if isinstance(message.string, str) else message.string or ()
    return bool(forms) and all(forms)


def main() -> None:
    catalog = german() if GERMAN.exists() else Catalog(locale="de", charset="utf-8", header_comment=TITLE)
    catalog.update(sentences(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    save(catalog)
    missing = sum(1 for message in catalog if message.id and not is_translated(message))
    print(f"{len(catalog)} sentences, {missing} of them not translated yet")


if __name__ == "__main__":
    main()
