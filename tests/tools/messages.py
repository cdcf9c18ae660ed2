"""``python -m tests.tools.messages``: brings ``templates/locales/de.po`` up to the sentences in the sources.

New sentences come in untranslated, changed ones are never guessed at, and what is gone is dropped.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
GERMAN = ROOT / "templates" / "locales" / "de.po"
KEYWORDS = {"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}


def sentences() -> Catalog:
    """Every sentence that is marked for translation in code and templates."""
    catalog = Catalog(project="Livery", charset="utf-8")
    for folder, methods in (("app", [("**.py", "python")]), ("worker", [("**.py", "python")]), ("templates", [("**.html", "jinja2")])):
        found = extract_from_dir(
            ROOT / folder,
            method_map=methods,
            options_map={"**.html": {"trimmed": "true", "silent": "false"}},
            keywords=KEYWORDS,
        )
        for filename, _line, message, comments, context in found:
            catalog.add(message, locations=[(f"{folder}/{filename}", 0)], auto_comments=comments, context=context)
    return catalog


def german() -> Catalog:
    with GERMAN.open("rb") as file:
        return read_po(file, locale="de")


def main() -> None:
    catalog = german() if GERMAN.exists() else Catalog(locale="de", project="Livery", charset="utf-8")
    catalog.update(sentences(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    text = io.BytesIO()
    write_po(text, catalog, width=110, no_location=True, omit_header=False, sort_output=True)
    lines = [line for line in text.getvalue().decode().splitlines() if not line.startswith(('"POT-Creation', '"PO-Revision'))]
    GERMAN.parent.mkdir(parents=True, exist_ok=True)
    GERMAN.write_text("\n".join(lines).rstrip() + "\n")
    missing = sum(1 for message in catalog if message.id and not message.string)
    print(f"{len(catalog)} sentences, {missing} of them not translated yet")


if __name__ == "__main__":
    main()
