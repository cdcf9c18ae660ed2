"""What looks like personal data in a text: mail addresses, telephone numbers, bank accounts, names.

Found by form, so that nothing is certain: a person decides. Names are found where texts put them, under a closing
("Viele Grüße", "Best regards") and behind a form of address ("Frau", "Mr."); names in running text are not found.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from app.errors import N_

Kind = Literal["mail", "phone", "iban", "name"]
KINDS: dict[str, str] = {
    "mail": N_("Mail address"),
    "phone": N_("Telephone number"),
    "iban": N_("Bank account"),
    "name": N_("Name"),
}
MASKS = {
    "mail": {"en": "[mail address]", "de": "[E-Mail]"},
    "phone": {"en": "[phone]", "de": "[Telefon]"},
    "iban": {"en": "[account]", "de": "[Konto]"},
    "name": {"en": "[name]", "de": "[Name]"},
}
MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}(?!\w)")
PHONE = re.compile(r"(?<![\w.,/+#-])(?<!\d )(?:\+|00|\(?0)\d{0,4}[\d \t/().–-]{5,24}\d(?![\w])")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
FEWEST_DIGITS, MOST_DIGITS = 7, 15
CLOSING = re.compile(
    r"^[^\S\n]*(?:mit (?:freundlichen|besten|herzlichen|lieben|sonnigen) grüßen|(?:viele|beste|liebe|herzliche"
    r"|freundliche|schöne|sonnige) grüße|(?:herzlichst|hochachtungsvoll|alles liebe|bis bald|mfg|lg|vg)"
    r"|(?:best|kind|warm|warmest|kindest) (?:regards|wishes)|regards|sincerely|yours (?:sincerely|truly|faithfully)"
    r"|best|cheers|all the best|many thanks|with love|love)"
    r"(?: (?:aus|from) [^\n,]{2,30})?[^\S\n]*[,!.–-]?[^\S\n]*(?P<rest>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
ADDRESSED = re.compile(
    r"\b(?:Herrn?|Frau|Mr|Mrs|Ms|Miss|Dr|Prof)\.?[^\S\n]+(?:Dr\.[^\S\n]+|Prof\.[^\S\n]+)?(?P<name>[A-ZÄÖÜ][\w'’-]+)"
)
PERSON = re.compile(r"(?:[A-ZÄÖÜÉ][\w'’.-]*|von|van|de|zu)(?: (?:[A-ZÄÖÜÉ][\w'’.-]*|von|van|de|zu|und|and|&)){0,4}")
NOT_A_PERSON = re.compile(
    r"team\b|crew\b|\b(?:ihr|ihre|your|the|das|die|der|gmbh|ag|inc|ltd|kg|shop|store|redaktion|editors?|eure?|dein)\b",
    re.IGNORECASE,
)
OWN_PREFIX = re.compile(r"^(?:Ihr|Ihre|Your|Euer|Eure|Dein|Deine)\s+", re.IGNORECASE)
LONGEST_NAME = 60
LINES_AFTER_CLOSING = 2


@dataclass(frozen=True, order=True)
class Finding:
    """A place in a text, from ``start`` up to ``end``."""

    start: int
    end: int
    kind: str


def find(text: str) -> list[Finding]:
    """Everything that looks like personal data, in the order of the text, without overlaps."""
    found = [*_ibans(text), *_mails(text), *_phones(text), *_names(text)]
    kept: list[Finding] = []
    for one in sorted(found, key=lambda item: (item.start, -item.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def mask(text: str, findings: Sequence[Finding], language: str) -> str:
    """The text with a word in brackets in place of each finding."""
    said = language if language in ("de", "en") else "en"
    for one in sorted(findings, reverse=True):
        text = text[: one.start] + MASKS[one.kind][said] + text[one.end :]
    return text


def within(findings: Sequence[Finding], start: int, end: int) -> list[Finding]:
    """What of the findings lies in a stretch of their text, counted from its start."""
    return [
        Finding(max(one.start, start) - start, min(one.end, end) - start, one.kind)
        for one in findings
        if one.start < end and one.end > start
    ]


def to_json(findings: Sequence[Finding]) -> list[list[object]]:
    return [[one.kind, one.start, one.end] for one in findings]


def from_json(stored: Sequence[Sequence[object]]) -> list[Finding]:
    return [Finding(int(str(start)), int(str(end)), str(kind)) for kind, start, end in stored]


def _mails(text: str) -> Iterator[Finding]:
    for match in MAIL.finditer(text):
        yield Finding(match.start(), match.end(), "mail")


def _ibans(text: str) -> Iterator[Finding]:
    for match in IBAN.finditer(text):
        if is_iban(match[0]):
            yield Finding(match.start(), match.end(), "iban")


def is_iban(written: str) -> bool:
    """Whether the check digits are right (ISO 13616: the rearranged number leaves 1 when divided by 97)."""
    compact = written.replace(" ", "").upper()
    if not 15 <= len(compact) <= 34:
        return False
    rearranged = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1


def _phones(text: str) -> Iterator[Finding]:
    for match in PHONE.finditer(text):
        digits = sum(char.isdigit() for char in match[0])
        if FEWEST_DIGITS <= digits <= MOST_DIGITS and not DATE.fullmatch(match[0].strip()):
            yield Finding(match.start(), match.end(), "phone")


def _names(text: str) -> Iterator[Finding]:
    for match in CLOSING.finditer(text):
        rest = match["rest"].strip()
        if rest:
            yield from _person(text, match.start("rest"), match["rest"])
            continue
        at = match.end()
        for line in text[at:].lstrip("\n").split("\n")[:LINES_AFTER_CLOSING]:
            start = text.index(line, at) if line else at
            yield from _person(text, start, line)
            at = start + len(line)
    for match in ADDRESSED.finditer(text):
        yield Finding(match.start("name"), match.end("name"), "name")


def _person(text: str, start: int, line: str) -> Iterator[Finding]:
    """A line under a closing, if it is a name: capitalised words and nothing else, not a team's."""
    offset = len(line) - len(line.lstrip())
    name = line.strip().rstrip(",.!")
    own = OWN_PREFIX.match(name)
    if own:
        offset, name = offset + own.end(), name[own.end() :]
    is_person = PERSON.fullmatch(name) and not NOT_A_PERSON.search(name)
    # A single word in capitals is a brand.
    if is_person and len(name) <= LONGEST_NAME and not name.isupper():
        yield Finding(start + offset, start + offset + len(name), "name")
