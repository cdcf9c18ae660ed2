"""Nobody reaches into another workspace: every route, with somebody else's ids, is a 404 and changes nothing.

Walks all routes that the application has; see ``worlds.py`` for how a request to each is made.
"""

import pytest
from fastapi import FastAPI

from app.storage import Storage
from app.web.gate import rate_limit
from tests.rules.worlds import (
    PLAIN_PARAMETERS,
    TABLE_OF_PARAMETER,
    Nobody,
    Unspent,
    World,
    brief,
    build,
    rows_of,
    rows_that_name,
    walks,
)

SECRET = "Nebelhorn"
"""In every text of the workspace that nobody else may see."""

PUBLIC = {
    "GET /health/live",
    "GET /health/ready",
    "GET /setup",
    "POST /setup",
    "GET /sign-in",
    "POST /sign-in",
    "POST /preferences",
    "GET /invitations/accept",
    "POST /invitations/accept",
    "GET /sign-in/second-step",
    "POST /sign-in/second-step",
    "POST /sign-in/passkey",
    "POST /sign-in/passkey/options",
    "GET /password-reset",
    "POST /password-reset",
}
VIEWERS_MAY_CHANGE = {
    "POST /adapter-files/passport",  # looks, and keeps nothing
    # themselves
    "POST /sign-out",
    "POST /account/name",
    "POST /account/password",
    "POST /account/browsers/{session_id}/sign-out",
    "POST /account/browsers/sign-out-others",
    "POST /account/second-factor/authenticator",
    "POST /account/second-factor/authenticator/remove",
    "POST /account/second-factor/recovery-codes",
    "POST /account/passkeys",
    "POST /account/passkeys/options",
    "POST /account/passkeys/{passkey_id}/remove",
    "PATCH /api/v1/me",
    # where they belong
    "POST /members/leave",
    "POST /workspaces",
    "POST /api/v1/workspaces",
    "POST /workspace/switch",
    # their own keys, which can no more than they
    "POST /settings/tokens",
    "POST /settings/tokens/{token_id}/revoke",
    "DELETE /api/v1/tokens/{token_id}",
    # these answer a question that is too long for an address, and change nothing
    "POST /gallery/selection/download",
    "POST /api/v1/outputs/download",
    "POST /api/v1/projects/{project_id}/trainings/plan",
    "POST /api/v1/projects/{project_id}/voice-trainings/plan",
}
"""Every changing route that a viewer may use, and why; all others need an editor or an owner."""


@pytest.fixture
def theirs(app: FastAPI, storage: Storage) -> World:
    rate_limit._limiter.cache_clear()
    return build(app, storage, SECRET)


def test_every_parameter_of_an_address_is_known(app: FastAPI) -> None:
    known = set(TABLE_OF_PARAMETER) | set(PLAIN_PARAMETERS) | {"sha"}
    unknown = {f"{walk}: {name}" for walk in walks(app) for name in walk.parameters if name not in known}
    assert not unknown, "add them to TABLE_OF_PARAMETER, or to PLAIN_PARAMETERS if they are no ids"


@pytest.mark.slow
def test_an_address_with_anothers_id_is_not_found_and_changes_nothing(
    app: FastAPI, storage: Storage, theirs: World
) -> None:
    before, wrong = rows_of(app.state.database, theirs), []
    ours = build(app, storage, "ours")
    for walk in walks(app):
        for parameter in walk.id_parameters:
            answer = walk.send(ours, theirs, parameter=parameter)
            if answer.status_code != 404:
                wrong.append(f"{walk} with another's {parameter}: {brief(answer)}")
            if SECRET in answer.text:
                wrong.append(f"{walk} with another's {parameter} tells of them")
            if walk.changes and rows_of(app.state.database, theirs) != before:
                wrong.append(f"{walk} with another's {parameter} changed their rows")
                before = rows_of(app.state.database, theirs)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("where", ["body_params", "query_params"])
@pytest.mark.slow
def test_anothers_id_in_a_form_a_body_or_a_query_leads_nowhere(
    app: FastAPI, storage: Storage, theirs: World, where: str
) -> None:
    before, wrong, nobody = rows_of(app.state.database, theirs), [], Nobody("nobody")
    worlds = Unspent(app, storage, "ours")
    for walk in walks(app):
        for reference in walk.references(where):
            ours = worlds.world_for(walk)
            answer = walk.send(ours, theirs, reference=reference)
            told = f"{walk} with another's {reference}"
            # The same as for what nobody has: a list stays empty, of a selection what is not there is left out (a
            # colleague may have deleted it meanwhile), and whoever names one thing is told that there is none.
            lenient = reference == "ids" or not walk.changes
            expected = walk.send(ours, nobody, reference=reference).status_code
            fits = answer.status_code == expected and (expected < 500 if lenient else expected in (404, 422))
            if reference == "order_id":
                # An order's number is made by the page, not found: one that is taken is taken, whoever has it.
                fits = answer.status_code == 409
            if not fits:
                wrong.append(f"{told}: {brief(answer)}")
            if SECRET in answer.text:
                wrong.append(f"{told} tells of them")
            if walk.changes and rows_of(app.state.database, theirs) != before:
                wrong.append(f"{told} changed their rows")
                before = rows_of(app.state.database, theirs)
    assert not wrong, "\n".join(wrong)
    assert not rows_that_name(app.state.database, theirs), "a row of ours has an id of theirs"


def test_lists_show_only_ones_own(app: FastAPI, storage: Storage, theirs: World) -> None:
    ours = build(app, storage, "ours")
    for walk in walks(app):
        if walk.method == "GET" and not walk.id_parameters:
            assert SECRET not in walk.send(ours).text, str(walk)


@pytest.mark.slow
def test_the_requests_of_this_walk_are_real(app: FastAPI, storage: Storage) -> None:
    """With one's own ids the same requests arrive: otherwise a 404 above would say nothing."""
    wrong, worlds = [], Unspent(app, storage, "ours")
    for walk in walks(app):
        if walk.id_parameters and str(walk) not in NOT_FOR_A_MADE_UP_WORLD:
            answer = walk.send(worlds.world_for(walk))
            if answer.status_code in (401, 403, 404, 405, 422) or answer.status_code >= 500:
                wrong.append(f"{walk}: {brief(answer)}")
    assert not wrong, "\n".join(wrong)


NOT_FOR_A_MADE_UP_WORLD = {
    "POST /projects/{project_id}/images/restore/{stamp}",  # nothing was deleted at that moment
    "POST /projects/{project_id}/voice/texts/restore/{stamp}",
    "POST /projects/{project_id}/adapters/voice",  # a picture is no voice
    "POST /api/v1/projects/{project_id}/adapters/voice",
    "GET /adapters/{adapter_id}/samples/{place}.webp",  # the adapter's passport lists no samples
    "POST /projects/{project_id}/brand-kit/awaited-fonts/remove",  # the kit awaits another family
    "POST /projects/{project_id}/brand-kit/guidelines/{guideline_id}",  # nothing is ticked
    "POST /api/v1/projects/{project_id}/brand-kit/guidelines/{guideline_id}/take-over",
}
"""Routes that rightly refuse what ``worlds.py`` makes up."""


def test_without_a_session_nothing_is_open_that_is_not_listed(app: FastAPI, storage: Storage, theirs: World) -> None:
    stranger = build(app, storage, "stranger")
    for client in (stranger.browser, stranger.program):
        client.cookies.clear()
        client.headers.pop("authorization", None)
    wrong = []
    for walk in walks(app):
        if str(walk) in PUBLIC:
            continue
        answer = walk.send(theirs, client=walk.client(stranger))
        expected = 401 if walk.is_api or walk.changes else 303
        sign_in = answer.headers.get("location", "/sign-in").startswith("/sign-in")
        if answer.status_code not in (expected, 403 if walk.changes and not walk.is_api else expected) or not sign_in:
            wrong.append(f"{walk}: {brief(answer)}")
    assert not wrong, "\n".join(wrong)


def test_viewers_change_nothing_but_what_is_theirs(app: FastAPI, storage: Storage) -> None:
    wrong = []
    viewer = build(app, storage, "viewer", role="viewer")
    before = rows_of(app.state.database, viewer)
    changing = [walk for walk in walks(app) if walk.changes and str(walk) not in PUBLIC]
    for walk in changing:
        if str(walk) not in VIEWERS_MAY_CHANGE:
            answer = walk.send(viewer)
            if answer.status_code != 403:
                wrong.append(f"{walk}: {brief(answer)}")
    # Browsers and tokens note when they were last used.
    after = rows_of(app.state.database, viewer)
    for table in ("browser_sessions", "api_tokens"):
        del before[table], after[table]
    assert not wrong, "\n".join(wrong)
    assert after == before
    assert not VIEWERS_MAY_CHANGE - {str(walk) for walk in changing}, "gone, so it need not be listed"


def test_a_token_that_may_only_read_changes_nothing(app: FastAPI, storage: Storage) -> None:
    from app.accounts.models import ApiToken

    ours = build(app, storage, "ours")
    with app.state.database.write() as session:
        session.get_one(ApiToken, ours.id("api_tokens")).read_only = True
    wrong = [
        f"{walk}: {brief(answer)}"
        for walk in walks(app)
        if walk.is_api and walk.changes
        for answer in [walk.send(ours)]
        if answer.status_code != 403
    ]
    assert not wrong, "\n".join(wrong)


def test_public_routes_are_still_there(app: FastAPI) -> None:
    assert not PUBLIC - {str(walk) for walk in walks(app)}
