"""Files as narrow as 12 to 32, which no real base is."""

import pytest

from app.adapters import inspecting
from app.lora_files.keys import signs


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters of these tests are of bases whose tokens are 12 to 32 numbers wide, so that they take no time."""
    for architecture, widths in signs.WIDTHS.items():
        monkeypatch.setitem(signs.WIDTHS, architecture, widths | {12, 16, 32})
    # In this process, as the one that looks at headers would know nothing of them.
    monkeypatch.setattr(inspecting, "looked_at", inspecting.passport_of)
