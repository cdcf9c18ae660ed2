"""The frame's bundles hold every source once and in order, and their addresses change with their content alone."""

import re
import subprocess
import sys

import pytest
from starlette.testclient import TestClient

from app.web.wire import bundles
from app.web.wire.bundles import LIBRARY, SCRIPTS, STATIC, STYLES, Bundle, joined_scripts, joined_styles
from tests.conftest import SignedIn

OF_ONE_PAGE = {"js/crop.js", "js/passkey.js", "js/passport.js", "js/start-mask.js", "js/suggestions.js"}
"""Scripts that a page brings along itself."""


@pytest.mark.parametrize(("name", "sources"), [("livery.css", STYLES), ("livery.js", (LIBRARY, *SCRIPTS))])
def test_every_source_is_in_it_once_and_in_order(name: str, sources: tuple[str, ...]) -> None:
    content = bundles.bundles()[name].content.decode()
    texts = [(STATIC / one).read_text().rstrip().removesuffix(";") for one in sources]
    assert [content.count(text) for text in texts] == [1] * len(texts)
    places = [content.index(text) for text in texts]
    assert places == sorted(places)


def test_no_script_is_forgotten() -> None:
    there = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*.js")}
    in_pages = "".join(path.read_text() for path in (STATIC.parent / "pages").glob("*.html"))
    assert there == {LIBRARY, *SCRIPTS} | {one for one in there if f"static('{one}')" in in_pages}
    assert there - {LIBRARY, *SCRIPTS} >= OF_ONE_PAGE


def test_the_address_changes_with_the_content_and_only_then() -> None:
    one = Bundle("livery.css", "text/css", joined_styles({"a.css": "a {}", "b.css": "b {}"}).encode())
    same = Bundle("livery.css", "text/css", joined_styles({"a.css": "a {}", "b.css": "b {}"}).encode())
    turned = Bundle("livery.css", "text/css", joined_styles({"b.css": "b {}", "a.css": "a {}"}).encode())
    other = Bundle("livery.css", "text/css", joined_styles({"a.css": "a {}", "b.css": "b { top: 0 }"}).encode())
    assert one.address == same.address
    assert len({one.address, turned.address, other.address}) == 3


def test_another_process_makes_the_same_bytes() -> None:
    told = "from app.web.wire import bundles; print([one.address for one in bundles.bundles().values()])"
    made = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == str([one.address for one in bundles.bundles().values()])


def test_each_script_has_a_scope_of_its_own() -> None:
    joined = joined_scripts("var lib = 1;", {"a.js": "const same = 1;", "b.js": "const same = 2;"})
    assert joined.startswith("var lib = 1;\n") and joined.count('"use strict";') == 2
    for linked in ('import { a } from "./a.js";', "export function a() {}", "const a = 1;\nexport { a };"):
        with pytest.raises(ValueError, match=r"a\.js"):
            joined_scripts("", {"a.js": linked})
    assert "import(" in joined_scripts("", {"a.js": 'import("./later.js");'})


def test_pages_name_the_bundles_and_browsers_keep_them_under_their_own_hash(owner: SignedIn) -> None:
    page = owner.client.get("/projects").text
    for bundle in bundles.bundles().values():
        assert page.count(bundle.address) == 1
        answer = owner.client.get(bundle.address)
        assert answer.headers["content-type"].startswith(bundle.media_type)
        assert answer.content == bundle.content and "immutable" in answer.headers["cache-control"]
        for other in ("", "?v=0123456789ab"):
            assert owner.client.get(f"/static/{bundle.name}{other}").headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in owner.client.get("/projects").headers["content-security-policy"]


def test_sources_are_served_as_before_and_what_is_not_there_is_not_found(owner: SignedIn) -> None:
    client: TestClient = owner.client
    for name in (*STYLES, LIBRARY, *SCRIPTS, *OF_ONE_PAGE):
        assert client.get(f"/static/{name}").text == (STATIC / name).read_text(), name
    assert client.get("/static/js/nothing.js").status_code == 404
    fonts = re.findall(r'url\("([^"]+)"\)', bundles.bundles()["livery.css"].content.decode())
    assert fonts and all(client.get(f"/static/{font}").status_code == 200 for font in fonts)
