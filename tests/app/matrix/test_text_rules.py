"""Words are checked against the brand's rules and the brief, by field."""

from app.matrix.drafts.requests import writing_request
from app.matrix.spec import Words
from app.matrix.text_rules import findings
from app.writings.checks import Rules
from tests.app.matrix.briefs import PARENTS, brief


def told(
    words: Words, rules: Rules | None = None, locale: str = "de", also: str = "", **fields: object
) -> list[tuple[str, str]]:
    found = findings(words, brief(**fields), rules or Rules(), locale, also=also)
    return [(one.field, one.finding.kind) for one in found]


def test_phrases_of_brand_and_brief_are_forbidden_in_every_field() -> None:
    words = Words(headline="Billiger Genuss", body="Das beste Glas", alt="ein billiges Glas")
    rules = Rules(forbidden=("beste",))
    assert told(words, rules, must_not=("billig",)) == [
        ("headline", "forbidden"),
        ("body", "forbidden"),
        ("alt", "forbidden"),
    ]


def test_what_must_be_said_may_stand_anywhere_on_the_ad() -> None:
    said = {"must_say": ("nur bis Freitag|bis Freitag", " | ")}
    assert told(Words(headline="Ein Glas"), **said) == [("", "missing")]
    assert told(Words(headline="Ein Glas", badge="Bis Freitag"), **said) == []
    assert told(Words(headline="Ein Glas", alt="bis Freitag"), **said) == [("", "missing")]
    assert told(Words(headline="Ein Glas"), also="Nur bis Freitag", **said) == []


def test_claims_of_the_brand_are_needed_where_it_says_so_of_other_texts() -> None:
    rules = Rules(claims=("seit 1901",), claim_channels=("mail", "other"))
    assert told(Words(headline="Ein Glas"), rules) == [("", "missing")]
    assert told(Words(headline="Ein Glas"), rules.model_copy(update={"claim_channels": ("mail",)})) == []


def test_lengths_and_address_count_by_field_and_language() -> None:
    assert told(Words(headline="x" * 91, call_to_action="x" * 31)) == [
        ("headline", "too_long"),
        ("call_to_action", "too_long"),
    ]
    rules = Rules(address="sie")
    assert told(Words(headline="Hol dir dein Glas"), rules, "de-AT") == [("headline", "address")] * 2
    assert told(Words(headline="Hol dir dein Glas"), rules, "nl") == []


def test_a_request_says_what_the_brief_says_and_not_what_is_forbidden() -> None:
    campaign = brief(why_now="Winter is near.", must_not=("cheap",))
    request = writing_request(campaign, PARENTS, "body", "de-AT", "c" * 32, None)
    assert (request.language, request.count, request.length) == ("de", 3, "short")
    assert request.audience == "parents of small children"
    assert "A coffee cup. " in request.brief and "Winter is near" in request.brief and "an hour" in request.brief
    assert "cheap" not in request.brief
