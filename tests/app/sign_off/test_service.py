"""What is said is written down once, a reason may follow, and an undo leaves it in the history."""

from collections.abc import Callable
from typing import Any

import pytest

from app.db import Database, new_id
from app.errors import NotFound
from app.sign_off import queries, service
from app.sign_off.errors import NotApproved, OwnWork, ReasonMissing, SomeNotApproved, TooLateToUndo
from app.sign_off.service import Recorded
from tests.conftest import SignedIn

pytestmark = pytest.mark.dialect
CELLS = [new_id(), new_id()]
Say = Callable[..., Recorded]


@pytest.fixture
def say(database: Database, owner: SignedIn) -> Say:
    def record(state: str = "approved", **given: Any) -> Recorded:
        about = {"workspace_id": owner.workspace_id, "subject_kind": "cell", "subject_ids": CELLS}
        with database.write() as session:
            return service.record(session, **about | {"state": state, "user_id": owner.user_id} | given)

    return record


def said(database: Database, workspace_id: str, cell: str = CELLS[0]) -> list[tuple[str, str, bool]]:
    with database.read() as session:
        rows = queries.history(session, workspace_id=workspace_id, subject_kind="cell", subject_id=cell)
    return [(row.state, row.reason, row.taken_back_at is not None) for row in rows]


def in_force(database: Database, workspace_id: str) -> dict[str, queries.VerdictView]:
    with database.read() as session:
        return queries.latest(session, workspace_id=workspace_id, subject_kind="cell", subject_ids=CELLS)


def test_many_are_judged_at_once_and_each_keeps_its_history(database: Database, owner: SignedIn, say: Say) -> None:
    assert say(versions={CELLS[0]: 3}) == Recorded(tuple(CELLS))
    say("rejected", reason="wrong logo", subject_ids=CELLS[:1], versions={CELLS[0]: 3})
    now = in_force(database, owner.workspace_id)
    assert [(now[cell].state, now[cell].version, now[cell].reason) for cell in CELLS] == [
        ("rejected", 3, "wrong logo"),
        ("approved", None, ""),
    ]
    assert now[CELLS[0]].by and now[CELLS[0]].by == now[CELLS[1]].by
    assert said(database, owner.workspace_id) == [("rejected", "wrong logo", False), ("approved", "", False)]


def test_the_same_is_not_said_twice_but_of_a_new_version_it_is(database: Database, owner: SignedIn, say: Say) -> None:
    say(versions={CELLS[0]: 1})
    assert say(versions={CELLS[0]: 1}).said == ()
    assert say(versions={CELLS[0]: 2}).said == (CELLS[0],)
    assert len(said(database, owner.workspace_id)) == 2


def test_a_reason_that_follows_completes_ones_own_verdict_alone(
    database: Database, owner: SignedIn, say: Say, editor: SignedIn
) -> None:
    say("rejected")
    assert say("rejected", reason="too dark").said == tuple(CELLS)
    assert said(database, owner.workspace_id) == [("rejected", "too dark", False)]
    say("rejected", reason="too small", user_id=editor.user_id)
    assert said(database, owner.workspace_id) == [("rejected", "too small", False), ("rejected", "too dark", False)]


def test_a_rejection_may_need_a_reason(say: Say) -> None:
    with pytest.raises(ReasonMissing):
        say("rejected", needs_reason=True)
    assert say("rejected", needs_reason=True, reason="too dark").said
    assert say("approved", needs_reason=True).said


def test_ones_own_is_left_out_where_the_workspace_wants_that(say: Say, rules: Callable[..., None]) -> None:
    assert say(own_ids=CELLS).said == tuple(CELLS)
    rules(forbids_own_approval=True)
    assert say("rejected", own_ids=CELLS).said == tuple(CELLS), "rejecting one's own is no approval"
    assert say(own_ids=CELLS[:1]) == Recorded((CELLS[1],), (CELLS[0],))
    with pytest.raises(OwnWork):
        say(own_ids=CELLS)


def test_an_undo_brings_back_what_was_said_before_under_its_own_author(
    database: Database, owner: SignedIn, say: Say, editor: SignedIn
) -> None:
    say(user_id=editor.user_id)
    act = new_id()
    say("rejected", act_id=act)
    about = {"workspace_id": owner.workspace_id, "subject_kind": "cell", "user_id": owner.user_id}
    with database.write() as session:
        service.take_back(session, subject_ids=CELLS[:1], act_id=act, **about)  # type: ignore[arg-type]
    now = in_force(database, owner.workspace_id)
    assert [now[cell].state for cell in CELLS] == ["approved", "rejected"]
    assert said(database, owner.workspace_id) == [("rejected", "", True), ("approved", "", False)]
    one = {"subject_id": CELLS[1], "verdict_id": now[CELLS[1]].id} | about
    with database.write() as session:
        assert service.take_back_one(session, **one) == "approved"  # type: ignore[arg-type]
    with database.write() as session, pytest.raises(TooLateToUndo):
        service.take_back_one(session, **one)  # type: ignore[arg-type]
    for wrong in ({"verdict_id": new_id()}, {"subject_id": CELLS[0]}, {"workspace_id": new_id()}):
        with database.write() as session, pytest.raises(NotFound):
            service.take_back_one(session, **one | wrong)  # type: ignore[arg-type]


def test_another_workspace_sees_nothing(database: Database, say: Say) -> None:
    say()
    assert said(database, new_id()) == [] and in_force(database, new_id()) == {}


def test_what_is_removed_for_good_is_forgotten(database: Database, owner: SignedIn, say: Say) -> None:
    say()
    with database.write() as session:
        service.forget(session, subject_kind="cell", subject_ids=CELLS[:1])
    assert set(in_force(database, owner.workspace_id)) == {CELLS[1]}


def test_downloads_of_viewers_are_approved() -> None:
    service.check_download(["open", "rejected"], may_all=True)
    service.check_download(["approved", "approved"], may_all=False)
    with pytest.raises(NotApproved):
        service.check_download(["open"], may_all=False)
    with pytest.raises(SomeNotApproved) as refused:
        service.check_download(["approved", "open", "rejected"], may_all=False)
    assert refused.value.params == {"count": 2, "all": 3}
