"""The frame's scripts and styles as one file each, so that a page opens with a handful of requests.

The sources stay separate files under ``templates/static`` and are served as they are, too. They are joined when the
process starts, always to the same bytes; the address carries a hash of them, so a browser keeps a bundle until it
changes. What a single page needs beside the frame comes with that page.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parents[3] / "templates" / "static"
STYLES = ("tokens.css", "layout.css", "components.css", "pictures.css", "pages.css", "pages/why.css")
LIBRARY = "htmx.min.js"
"""An ordinary script: what it defines, all others see."""
SCRIPTS = (
    "js/theme.js",
    "js/signed-out.js",
    "js/toast.js",
    "js/problems.js",
    "js/controls.js",
    "js/steady.js",
    "js/copy.js",
    "js/tab-title.js",
    "js/live.js",
    "js/ring.js",
    "js/selection.js",
    "js/grid-size.js",
    "js/compare.js",
    "js/judging.js",
    "js/lightbox.js",
    "js/why.js",
    "js/dropzone.js",
    "js/keys.js",
    "js/draft.js",
    "js/moments.js",
)
FOR_EVER = "public, max-age=31536000, immutable"
SCOPE = """// %s
(() => {
"use strict";
try {
%s
} catch (error) {
reportError(error);
}
})();
"""
LINKED = re.compile(r"^(?:import|export)\b(?!\()", re.MULTILINE)


@dataclass(frozen=True)
class Bundle:
    name: str
    """Of the file, as browsers see it."""
    media_type: str
    content: bytes

    @property
    def version(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:12]

    @property
    def address(self) -> str:
        return f"/static/{self.name}?v={self.version}"

    def answer(self, request: Request) -> Response:
        """To be kept for ever under its own hash, and not under another one, as of a page older than this process."""
        kept = request.query_params.get("v") == self.version
        headers = {"cache-control": FOR_EVER if kept else "no-cache"}
        return Response(self.content, media_type=self.media_type, headers=headers)


def joined_styles(sources: Mapping[str, str]) -> str:
    """By name, in their order; a later one may correct an earlier one."""
    return "".join(f"/* {name} */\n{text.rstrip()}\n" for name, text in sources.items())


def joined_scripts(library: str, sources: Mapping[str, str]) -> str:
    """Each of ``sources`` in a scope of its own and strict, as a module is; where one fails, the others go on.

    Raises ``ValueError`` for one that imports or exports: it would have to be a file of its own.
    """
    linked = [name for name, text in sources.items() if LINKED.search(text)]
    if linked:
        raise ValueError(f"scripts of the frame share nothing by import: {', '.join(linked)}")
    parts = [f"{library.rstrip().removesuffix(';')};\n"]
    for name, text in sources.items():
        parts.append(SCOPE % (name, text.rstrip()))
    return "".join(parts)


@cache
def bundles() -> dict[str, Bundle]:
    """By name."""
    styles = joined_styles({name: (STATIC / name).read_text() for name in STYLES})
    scripts = joined_scripts((STATIC / LIBRARY).read_text(), {name: (STATIC / name).read_text() for name in SCRIPTS})
    made = (
        Bundle("livery.css", "text/css", styles.encode()),
        Bundle("livery.js", "text/javascript", scripts.encode()),
    )
    return {bundle.name: bundle for bundle in made}


def address(name: str) -> str:
    """Of a bundle, for templates."""
    return bundles()[name].address
