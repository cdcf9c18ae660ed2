"""The chain: what was changed, removed, swapped or added behind Livery's back is found; erasing leaves it provable."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete, event, insert, select, update
from sqlalchemy.orm import Session

import app.models  # noqa: F401
from app.accounts.models import User
from app.audit import __main__ as command
from app.audit import chain, exports, following, queries, service
from app.audit.errors import Unrecorded
from app.audit.following import Actor, Draft
from app.audit.models import INSTALLATION, AuditChain, AuditEvent
from app.campaigns.models import Campaign
from app.db import Database, new_id
from app.migrate import migrate
from app.settings import Settings
from tests.orders import make_workspace
from tests.servers import postgres_server

pytestmark = pytest.mark.dialect

DETAILS = {"actor_name": "Ada Muster", "count": 1}
Tamper = Callable[[Session, str], object]


def add(database: Database, workspace_id: str | None, name: str = "Ada Muster", **details: object) -> AuditEvent:
    with database.write() as session:
        return chain.append(
            session,
            workspace_id=workspace_id,
            action="campaign.created",
            actor_kind="person",
            request="",
            details=DETAILS | {"actor_name": name} | details,
        )


@pytest.fixture
def workspace_id(database: Database) -> str:
    made = make_workspace(database)
    for number in range(5):
        add(database, made, subject_label=f"Campaign {number}")
    return made


def verdict(database: Database, workspace_id: str | None) -> tuple[int | None, str]:
    with database.read() as session:
        found = queries.verify(session, workspace_id)
    return found.broken_at, found.why


def at(number: int) -> object:
    return AuditEvent.sequence == number


def _swap(session: Session, _workspace_id: str) -> None:
    for old, new in ((2, 100), (3, 2), (100, 3)):
        session.execute(update(AuditEvent).where(at(old)).values(sequence=new))


def _appended(session: Session, workspace_id: str) -> None:
    """With right hashes, but without the head."""
    last = session.scalars(select(AuditEvent).where(at(5))).one()
    values = {name: getattr(last, name) for name in chain.COLUMNS} | {"sequence": 6, "previous": last.hash}
    values |= {"hash": chain.hash_of(values), "id": new_id(), "workspace_id": workspace_id}
    session.execute(insert(AuditEvent).values(values))


def _erase_quietly(session: Session, _workspace_id: str) -> None:
    nothing: dict[str, None] = dict.fromkeys((*chain.DETAILS, "salt"))
    session.execute(update(AuditEvent).where(at(4)).values(nothing))


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (lambda session, _: session.execute(update(AuditEvent).where(at(3)).values(actor_name="Eve")), (3, "changed")),
        (lambda session, _: session.execute(update(AuditEvent).where(at(3)).values(action="x.y")), (3, "changed")),
        (lambda session, _: session.execute(update(AuditEvent).where(at(2)).values(hash="0" * 64)), (2, "changed")),
        (lambda session, _: session.execute(delete(AuditEvent).where(at(2))), (2, "missing")),
        (lambda session, _: session.execute(delete(AuditEvent).where(at(1))), (1, "missing")),
        (lambda session, _: session.execute(delete(AuditEvent).where(at(5))), (5, "missing")),
        (lambda session, _: session.execute(delete(AuditEvent)), (1, "missing")),
        (lambda session, _: session.execute(delete(AuditChain)), (1, "end")),
        (lambda session, _: session.execute(update(AuditChain).values(hash="0" * 64)), (5, "end")),
        (_swap, (2, "order")),
        (_appended, (6, "end")),
        (_erase_quietly, (4, "erased")),
    ],
    ids=[
        "details",
        "action",
        "hash",
        "removed",
        "first",
        "last",
        "all",
        "head",
        "head-hash",
        "swapped",
        "appended",
        "erased",
    ],
)
def test_tampering_is_found(database: Database, workspace_id: str, tamper: Tamper, found: tuple[int, str]) -> None:
    other = make_workspace(database)
    add(database, other)
    assert verdict(database, workspace_id) == (None, "")
    with database.write() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.chain == other))
        session.execute(delete(AuditChain).where(AuditChain.chain == other))
        tamper(session, workspace_id)
    assert verdict(database, workspace_id) == found


def test_an_erasure_leaves_the_chain_provable_and_says_how_much_it_took(database: Database, workspace_id: str) -> None:
    person = new_id()
    add(database, workspace_id, "Grace", person_id=person)
    add(database, workspace_id, subject_label="grace@example.org")
    add(database, None, "Grace", changes={"ids": [person]})
    with database.write() as session:
        erased = service.forget(session, {person, "grace@example.org"})
        service.record_command(session, "app.erasure", "person.erased", events=erased)
    assert sorted(erased.values()) == [1, 2]
    with database.read() as session:
        both = [queries.verify(session, one) for one in (workspace_id, None)]
        rows = session.execute(select(AuditEvent.__table__)).all()
    assert [(one.is_intact, one.length, one.erased) for one in both] == [(True, 7, 2), (True, 2, 1)]
    assert "grace" not in str(rows).lower() and person not in str(rows)


def test_a_transaction_that_fails_leaves_no_event_and_no_gap(database: Database, workspace_id: str) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:
        chain.append(
            session, workspace_id=workspace_id, action="campaign.created", actor_kind="person", request="", details={}
        )
        raise ZeroDivisionError
    assert add(database, workspace_id).sequence == 6
    assert verdict(database, workspace_id) == (None, "")


def followed(session: Session, workspace_id: str, **given: object) -> None:
    actor = Actor("person", new_id(), "Ada")
    draft = Draft(action="campaign.created", actor=actor, workspace_id=workspace_id)
    for name, value in given.items():
        setattr(draft, name, value)
    following.follow(session, draft)


@pytest.mark.parametrize("missing", ["action", "actor"])
def test_what_nobody_has_named_is_not_committed(database: Database, workspace_id: str, missing: str) -> None:
    with pytest.raises(Unrecorded), database.write() as session:
        followed(session, workspace_id, **{missing: None})
        session.add(Campaign(workspace_id=workspace_id, name="Summer", created_by=None))
        following.record(session)
    with database.read() as session:
        assert session.scalars(select(Campaign)).all() == []


def test_what_changes_nothing_leaves_no_event(database: Database, workspace_id: str) -> None:
    with database.write() as session:
        session.add(campaign := Campaign(workspace_id=workspace_id, name="Summer", created_by=None))
    with database.write() as session:
        followed(session, workspace_id)
        session.get_one(Campaign, campaign.id).name = "Summer"
        session.execute(delete(Campaign).where(Campaign.name == "Winter"))
        assert following.record(session) is None
    assert verdict(database, workspace_id) == (None, "")


def test_an_event_costs_three_statements(database: Database, workspace_id: str) -> None:
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    with database.write() as session:
        followed(session, workspace_id)
        session.add(Campaign(workspace_id=workspace_id, name="Summer", created_by=None))
        session.flush()
        before = len(asked)
        made = following.record(session)
    assert made is not None and made.subject_label == "Summer"
    assert [one.split()[0] for one in asked[before:] if not one.startswith(("PRAGMA", "BEGIN"))] == [
        "SELECT",
        "INSERT",
        "UPDATE",
    ]


def test_many_things_by_one_statement_are_one_event_with_their_number(database: Database, workspace_id: str) -> None:
    with database.write() as session:
        session.add_all(Campaign(workspace_id=workspace_id, name=f"No. {n}", created_by=None) for n in range(30))
    with database.write() as session:
        followed(session, workspace_id, action="campaign.deleted")
        session.execute(delete(Campaign).where(Campaign.workspace_id == workspace_id))
        made = following.record(session)
    assert made is not None and made.changes is not None
    assert (made.count, len(made.changes["ids"]), made.subject_id) == (30, following.MOST_IDS, None)


def test_before_and_after_are_told_whichever_way_it_was_written(database: Database, workspace_id: str) -> None:
    with database.write() as session:
        session.add(campaign := Campaign(workspace_id=workspace_id, name="Summer", created_by=None))
    told = []
    for new in ("Autumn", "Winter"):
        with database.write() as session:
            followed(session, workspace_id, action="campaign.renamed", addressed={"campaign_id": campaign.id})
            if new == "Autumn":
                session.get_one(Campaign, campaign.id).name = new
            else:
                session.execute(update(Campaign).where(Campaign.id == campaign.id).values(name=new))
            made = following.record(session)
            assert made is not None
            told.append((made.subject_id, made.changes))
    assert told == [(campaign.id, {"name": ["Summer", "Autumn"]}), (campaign.id, {"name": ["Autumn", "Winter"]})]


def test_what_is_changed_twice_is_told_once(database: Database, workspace_id: str) -> None:
    """Forth and back is no change; two statements about the same rows are about so many and no more."""
    with database.write() as session:
        session.add_all(Campaign(workspace_id=workspace_id, name=f"No. {n}", created_by=None) for n in range(40))
        session.add(campaign := Campaign(workspace_id=workspace_id, name="Summer", created_by=None))
    with database.write() as session:
        followed(session, workspace_id, action="campaign.renamed")
        for name in ("Autumn", "Summer"):
            session.get_one(Campaign, campaign.id).name = name
            session.flush()
        made = following.record(session)
    assert made is not None and made.changes is None
    with database.write() as session:
        followed(session, workspace_id, action="campaign.deleted")
        newest = select(Campaign.id).order_by(Campaign.created_at.desc(), Campaign.id.desc())
        for wanted in (Campaign.id.in_(newest), Campaign.workspace_id == workspace_id):
            session.execute(update(Campaign).where(wanted).values(created_by=None))
        made = following.record(session)
    assert made is not None and made.count == 41


def test_passwords_leave_no_trace(database: Database, workspace_id: str) -> None:
    with database.write() as session:
        session.add(user := User(name="Ada", email="ada@example.org", password_hash="old secret", locale="en"))
    with database.write() as session:
        followed(session, workspace_id, action="person.password_changed")
        session.get_one(User, user.id).password_hash = "new secret"
        following.record(session)
    with database.read() as session:
        assert "secret" not in str(session.execute(select(AuditEvent.__table__)).all())


def _write_at_once(database: Database, workspace_id: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(database, workspace_id, f"Writer {number}"), range(40)))
    with database.read() as session:
        numbers = session.scalars(select(AuditEvent.sequence).order_by(AuditEvent.sequence)).all()
        found = queries.verify(session, workspace_id)
    assert list(numbers) == list(range(1, 41))
    assert (found.is_intact, found.length) == (True, 40)


def test_writers_at_once_make_one_chain(database: Database) -> None:
    _write_at_once(database, make_workspace(database))


@pytest.mark.slow
def test_writers_at_once_make_one_chain_on_postgresql(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as address:
        database = Database(address)
        migrate(database)
        _write_at_once(database, make_workspace(database))
        database.engine.dispose()


def test_an_export_kept_elsewhere_shows_a_chain_made_anew(
    settings: Settings,
    database: Database,
    workspace_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "Settings", lambda: settings)
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(b"".join(exports.export(database, workspace_id, "jsonl")))
    add(database, workspace_id)
    verify = ["verify", "--export", str(kept)]
    assert command.main(verify) == 0
    assert f"{workspace_id}: intact, 6 events" in capsys.readouterr().out

    kept.write_text(kept.read_text().replace("Campaign 3", "Campaign 4"))
    assert command.main(verify) == 1
    assert "broken at 4" in capsys.readouterr().out
    kept.write_bytes(b"".join(exports.export(database, workspace_id, "jsonl")))

    with database.write() as session:  # somebody with the database in their hands makes it all anew
        session.execute(delete(AuditEvent))
        session.execute(delete(AuditChain))
    for _number in range(8):
        add(database, workspace_id, "Eve")
    assert verdict(database, workspace_id) == (None, "")
    assert command.main(verify) == 1
    assert "does not hold what was exported" in capsys.readouterr().out
    kept.write_text("no event\n")
    assert command.main(verify) == 1
    assert "line 1 is no event" in capsys.readouterr().err


def test_the_installation_has_a_chain_of_its_own(database: Database, workspace_id: str) -> None:
    made = add(database, None)
    assert (made.chain, made.sequence, made.workspace_id) == (INSTALLATION, 1, None)
    with database.read() as session:
        assert set(queries.chains(session)) == {None, workspace_id}
