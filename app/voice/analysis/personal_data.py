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
    "phone": N_("Phone number"),
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
PHONES = (
    re.compile(r"(?<![\w.,/+#-])(?<!\d )(?:\+|00|\(?0)\d{0,4}[\d \t/().–-]{5,24}\d(?![\w])"),
    # As in North America: (555) 123-4567, 555-123-4567, 1-800-555-0199.
    re.compile(r"(?<![\w.,/+#-])(?<!\d )(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![\w-])"),
    # Whatever stands behind a word for it.
    re.compile(
        r"(?<![^\W_])(?:tel(?:efon|ephone)?|fon|phone|mobile?|mobilfunk|handy|fax|hotline|whatsapp|durchwahl)\b"
        r"[.:]*[ \t]*(?P<number>\+?\(?\d[\d \t/().–-]{3,24}\d)(?!\w)",
        re.IGNORECASE,
    ),
)
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
WHEN = re.compile(
    r"(?<![\d./-])(?<!\d )(?:\d{4}-\d\d-\d\d|(?:0?[1-9]|[12]\d|3[01])(?:\.(?:0?[1-9]|1[0-2])\.(?:\d{4}|\d\d)?"
    r"|([/-])(?:0?[1-9]|[12]\d|3[01])\1(?:\d{4}|\d\d))(?![.\d])|\d{1,2}[.:]\d\d ?[–-] ?\d{1,2}[.:]\d\d(?![.\d]))"
)
"""Dates, and hours from and to."""
FEWEST_DIGITS, MOST_DIGITS = 7, 15
FEWEST_BEHIND_A_WORD = 5
MARK = r"[ \t*_~>]*"
"""What stands around a line in Markdown and in mails that are quoted."""
CLOSING = re.compile(
    rf"^{MARK}(?:mit (?:(?:ganz |sehr )?(?:freundlich|best|herzlich|lieb|sonnig|schön)e[nm] )?"
    r"gr(?:ü(?:ß|ss)en|u(?:ß|ss))"
    r"|(?:(?:ganz |sehr )?(?:viele|beste|liebe|herzliche|freundliche|schöne|sonnige|lieber|herzlicher|schöner) ){0,2}"
    r"gr(?:ü(?:ß|ss)e|u(?:ß|ss))|(?:herzlichst|hochachtungsvoll|alles liebe|bis bald|mfg|lg|vg)"
    r"|(?:best|kind|warm|warmest|kindest) (?:regards|wishes)|regards|sincerely|yours (?:sincerely|truly|faithfully)"
    r"|best|cheers|all the best|many thanks|with love|love"
    r"|cordialement|bien à vous|amicalement|un saludo|saludos(?: cordiales)?|cordiali saluti|distinti saluti"
    r"|(?:met )?vriendelijke groet(?:en)?|atenciosamente|abraços|pozdrawiam(?: serdecznie)?)"
    rf"(?: (?:aus|from) [^\n,*_]{{2,30}})?[^\S\n]*[,!.–-]?{MARK}(?P<rest>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
THANKS = re.compile(
    rf"^{MARK}(?:(?:vielen |herzlichen |lieben |besten )?dank|danke|thanks(?: so much| a lot)?|thank you(?: so much)?"
    r"|yours|warmly|take care|merci|gracias|grazie|bedankt|obrigad[oa]|dziękuję)[ \t,!.–*_~>-]*(?P<rest>)$",
    re.IGNORECASE | re.MULTILINE,
)
"""Closings that also begin sentences: they count only alone on their line."""
LETTER = re.compile(
    r"\A\W*(?:dear|hi|hello|hey|good (?:morning|afternoon|evening)|hallo|liebe[rs]?|guten|sehr geehrte|moin|servus)\b",
    re.IGNORECASE,
)
ADDRESSED = re.compile(
    r"\b(?:Herrn?|Frau|Mr|Mrs|Ms|Miss|Dr|Prof)\.?[^\S\n]+(?:Dr\.[^\S\n]+|Prof\.[^\S\n]+)?(?P<name>[A-ZÄÖÜ][\w'’-]+)"
)
_NAME = r"(?:[A-ZÄÖÜÉÀÈŁŚŻÓ][\w'’.-]*|von|van|de|zu|del|di|da)"
PERSON = re.compile(rf"{_NAME}(?: (?:{_NAME}|und|and|y|e|&)){{0,4}}")
NOT_A_PERSON = re.compile(
    r"team\b|crew\b|\b(?:ihr|ihre|your|the|das|die|der|gmbh|ag|inc|ltd|kg|shop|store|redaktion|editors?|eure?|dein)\b",
    re.IGNORECASE,
)
ROLE = re.compile(
    r"\b(?:marketing|vertrieb|sales|leit(?:ung|er|erin)|geschäftsführ\w*|gründer\w*|founder|co-founder|head|manager\w*"
    r"|director|directrice|direktor\w*|officer|ceo|cto|cmo|inhaber\w*|owner|service|kundenservice|support|assistent\w*"
    r"|assistant|beratung|berater\w*|consultant|editor\w*|redakteur\w*|president|vorstand|pr|presse|press)\b",
    re.IGNORECASE,
)
SIGNED = re.compile(
    rf"^{MARK}(?P<name>{_NAME}(?: {_NAME}){{1,3}})[^\S\n]*[|·•,–-][^\S\n]*(?P<role>[^\n]{{2,80}})$", re.MULTILINE
)
"""A name and what its bearer is: "Ada Muster | Head of Marketing"."""
AFTER_NAME = re.compile(r"[^\S\n]*(?:[|·•,/(]|[^\S\n][–-][^\S\n]).*$")
OWN_PREFIX = re.compile(r"(?:Ihr|Ihre|Your|Euer|Eure|Dein|Deine)\s+", re.IGNORECASE)
LONGEST_NAME = 60
NEXT_LINES = re.compile(r"\n*+[^\n]*+(?:\n[^\n]*+)?")
"""The two lines after a closing."""


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
    # Dates and hours become something that no number goes on over, of the same length.
    timeless = WHEN.sub(lambda match: "·" * len(match[0]), text)
    for form in PHONES:
        for match in form.finditer(timeless):
            group = "number" if "number" in form.groupindex else 0
            digits = sum(char.isdigit() for char in match[group])
            if (FEWEST_BEHIND_A_WORD if group else FEWEST_DIGITS) <= digits <= MOST_DIGITS:
                yield Finding(match.start(group), match.end(group), "phone")


def _names(text: str) -> Iterator[Finding]:
    for form in (CLOSING, THANKS):
        for match in form.finditer(text):
            if match["rest"].strip():
                yield from _person(text, match.start("rest"), match["rest"])
            else:
                yield from _signature(text, match.end())
    for match in SIGNED.finditer(text):
        if ROLE.search(match["role"]) and not ROLE.search(match["name"]) and not NOT_A_PERSON.search(match["name"]):
            yield Finding(match.start("name"), match.end("name"), "name")
    last = text.rstrip().rfind("\n") + 1
    if last and LETTER.match(text) and OWN_PREFIX.match(text, last):
        yield from _person(text, last, text[last:].rstrip())
    for match in ADDRESSED.finditer(text):
        yield Finding(match.start("name"), match.end("name"), "name")


def _signature(text: str, at: int) -> Iterator[Finding]:
    """Names in the lines from ``at``; a single word behind a name is what its bearer is."""
    found = False
    lines = NEXT_LINES.match(text, at)
    assert lines is not None
    for line in lines[0].lstrip("\n").split("\n"):
        if CLOSING.match(line):
            return
        start = text.index(line, at) if line else at
        at = start + len(line)
        for one in _person(text, start, line):
            if not found or " " in text[one.start : one.end]:
                found = True
                yield one


def _person(text: str, start: int, line: str) -> Iterator[Finding]:
    """A line under a closing, if it is a name: capitalised words and nothing else, not a team's."""
    if len(line) > 2 * LONGEST_NAME:
        return
    offset = len(line) - len(line.lstrip(" \t*_~>–-"))
    name = AFTER_NAME.sub("", line[offset:]).rstrip(" \t*_~,.!")
    own = OWN_PREFIX.match(name)
    if own:
        offset, name = offset + own.end(), name[own.end() :]
    is_person = PERSON.fullmatch(name) and not NOT_A_PERSON.search(name) and not ROLE.search(name)
    # A single word in capitals is a brand.
    if is_person and len(name) <= LONGEST_NAME and (" " in name or not name.isupper()):
        yield Finding(start + offset, start + offset + len(name), "name")
