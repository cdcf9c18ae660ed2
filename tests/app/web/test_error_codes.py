"""Programs and tests know an error by its code, in whatever form and language it is told."""

import pytest

from app.errors import AppError, Conflict, NotFound
from app.images.errors import UnreadableArchive
from app.main import API
from tests.answers import code_of
from tests.conftest import SignUp


@pytest.mark.parametrize(
    ("error", "code"),
    [(Conflict, "conflict"), (NotFound, "not_found"), (UnreadableArchive, "unreadable_archive")],
)
def test_the_code_is_the_class_name_in_small_letters(error: type[AppError], code: str) -> None:
    assert error.code() == code


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}, {"Accept": "application/json"}])
def test_a_page_a_fragment_and_json_tell_the_same_code(sign_up: SignUp, language: str, headers: dict[str, str]) -> None:
    client = sign_up().client
    answer = client.get("/images/no-such-picture", headers=headers | {"Accept-Language": language})
    assert answer.status_code == 404 and code_of(answer) == "not_found"


def test_a_form_that_is_not_right_is_invalid(sign_up: SignUp) -> None:
    answer = sign_up().client.post("/preferences", data={"theme": "loud"})
    assert answer.status_code == 422 and code_of(answer) == "invalid"


def test_no_two_errors_share_a_code() -> None:
    assert API, "with the application come all errors"
    found, codes = list(AppError.__subclasses__()), []
    while found:
        kind = found.pop()
        found += kind.__subclasses__()
        codes.append((kind.code(), kind))
    ours = [code for code, kind in codes if kind.__module__.startswith("app.")]
    assert len(ours) == len(set(ours)), sorted(code for code in set(ours) if ours.count(code) > 1)
