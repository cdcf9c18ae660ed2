"""Files as narrow as 12 to 32, which no real base is."""

import pytest

from app.adapters import inspecting
from tests.narrow import narrow


@pytest.fixture(autouse=True)
def narrow_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters of these tests are of bases whose tokens are 12 to 32 numbers wide, so that they take no time."""
    narrow(monkeypatch, 12, 16, 32)
    # In this process, as the one that looks at headers would know nothing of them.
    monkeypatch.setattr(inspecting, "looked_at", inspecting.report_of)
