"""What a browser calls itself, in words that its person recognises."""

from app.errors import N_

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_SMALL = ("iPhone", "Android")


def words_for(user_agent: str) -> tuple[str, dict[str, str]]:
    """A sentence and its parameters. Most browsers also claim to be others, so the order of the lists matters."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    if browser and system:
        return N_("%(browser)s on %(system)s"), {"browser": browser, "system": system}
    if browser or system:
        return "%(name)s", {"name": browser or system or ""}
    return N_("A program or an unknown browser"), {}
