"""Components are the same for a whole page: what they show is what they are given."""

import pytest
from jinja2 import meta, nodes

from app.web.templating import PAGE_WIDE, TEMPLATES, device, environment, speaking

COMPONENTS = sorted(path.name for path in (TEMPLATES / "components").glob("*.html"))


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_reads_its_parameters_and_what_every_page_has(name: str) -> None:
    """They are put together once for a page, so anything else would be that of the first part that imports them."""
    parsed = environment().parse((TEMPLATES / "components" / name).read_text())
    own = {node.name for node in parsed.find_all(nodes.Name) if node.ctx == "store"}
    assert meta.find_undeclared_variables(parsed) - own <= set(PAGE_WIDE)


@pytest.mark.parametrize(
    ("locale", "name", "told"),
    [
        ("de", "CPU (2 cores)", "Prozessor (2 Kerne)"),
        ("en", "CPU (1 cores)", "Processor (1 core)"),
        ("de", "NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090"),
        ("de", "CPU", "CPU"),
    ],
)
def test_a_device_is_told_in_the_readers_language(locale: str, name: str, told: str) -> None:
    with speaking(locale):
        assert device(name) == told
