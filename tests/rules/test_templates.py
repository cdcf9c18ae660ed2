"""What templates promise one another."""

import re

from tests.servers import ROOT

TAG = re.compile(r'<[a-z][^<]*hx-disabled-elt="[^<]*?>', re.DOTALL)


def test_what_asks_within_a_form_does_not_disable_the_forms_buttons() -> None:
    """htmx hands ``hx-disabled-elt`` down: a summary that is worked out anew would take the click from the button."""
    tags = [tag for path in (ROOT / "templates").rglob("*.html") for tag in TAG.findall(path.read_text())]
    assert tags
    assert [tag for tag in tags if 'hx-disinherit="hx-disabled-elt"' not in tag] == []
