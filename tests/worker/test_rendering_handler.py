"""From a brief to laid out ads: pictures are drawn by an engine without a model, layouts are real."""

import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select, update

from app.brand_kits import service as kits
from app.brand_kits.service import Author as KitAuthor
from app.brand_kits.snapshot import LegalLines
from app.db import Database
from app.generations.models import Output
from app.jobs import claims
from app.jobs.models import Job
from app.layouts.values import Rendered
from app.matrix import cells, decisions, pictures, service
from app.matrix.errors import LockedPart, NotDrawnYet, NothingChanged, NothingToUndo
from app.matrix.models import CampaignPicture, Cell, CellVersion
from app.matrix.spec import CellSpec
from app.sign_off import queries as verdicts
from app.sign_off.errors import ReasonMissing
from app.storage import Storage
from tests.app.matrix.briefs import PARENTS, RUNNERS, Matrix, brief, make_matrix
from tests.conftest import SignUp
from tests.fake_engine import FakeEngine
from tests.orders import make_workspace, worker_context
from tests.tokens import api_client
from tests.visuals import make_pictures, make_project
from worker.context import WorkerContext
from worker.engines import registry
from worker.handlers import rendering
from worker.run_job import run_next

QUEUES = ("generation",)


def flat(desk: rendering.Desk, spec: CellSpec, picture: bytes) -> Rendered:
    """An ad without type, whose bytes tell its specification."""
    content = io.BytesIO()
    told = PngInfo()
    told.add_text("spec", spec.model_dump_json())
    Image.new("L", (spec.place.width_px // 10, spec.place.height_px // 10)).save(content, "PNG", pnginfo=told)
    return Rendered(content.getvalue(), {}, (), ())


@pytest.fixture
def real_context(database: Database, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> WorkerContext:
    monkeypatch.setattr(registry, "engine_for", lambda family: FakeEngine())
    monkeypatch.setattr(rendering, "times_needed", lambda picture, spec: 1)  # enlarging is tested by itself
    return worker_context(database, storage)


@pytest.fixture
def context(real_context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> WorkerContext:
    monkeypatch.setattr(rendering.Desk, "rendered", flat)
    return real_context


@pytest.fixture
def matrix(database: Database) -> Matrix:
    workspace_id = make_workspace(database)
    return make_matrix(database, workspace_id, make_project(database, workspace_id))


def work(context: WorkerContext) -> int:
    count = 0
    while run_next(context, QUEUES):
        count += 1
    return count


def test_a_brief_becomes_a_matrix_of_finished_ads(
    matrix: Matrix, real_context: WorkerContext, storage: Storage
) -> None:
    matrix.say(PARENTS.key, "de", headline="Kaffee, der wartet", short_headline="Kaffee")
    made = matrix.produce()
    # Two audiences, and squares and wide pictures for each; the strip is cut from the wide one.
    assert (made.cells, made.orders, made.changed) == (8, 4, None)
    assert [view.state for view in matrix.cells()] == ["waiting"] * 8
    assert work(real_context) == 8
    views = matrix.cells()
    assert [view.state for view in views] == ["open"] * 8
    for view in views:
        assert view.spec is not None and view.version is not None and view.version.key is not None
        with Image.open(io.BytesIO(storage.get(view.version.key))) as ad:
            assert ad.size == (view.spec.place.width_px, view.spec.place.height_px)
        assert storage.get(view.version.preview_key or "").startswith(b"RIFF")
    said = {(one.cell.channel, one.cell.locale): one.spec.headline for one in views[:4] if one.spec is not None}
    assert said["instagram_square", "de"] == "Kaffee, der wartet"
    assert said["display_728x90", "de"] == "Kaffee"
    assert said["instagram_square", "en"] == ""


def test_making_the_ads_again_orders_nothing_twice(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    assert matrix.produce().orders == 0
    work(context)
    again = matrix.produce()
    assert (again.orders, again.changed) == (0, None)
    assert len(matrix.jobs("generation")) == len(matrix.jobs("rendering")) == 4


def test_redoing_one_cell_is_one_job_and_can_be_undone(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    work(context)
    first = matrix.cells()[0]
    with matrix.database.write() as session:
        changed = cells.change(session, matrix.author, first.cell.id, "this", "layout", {"layout": "split"})
    assert (changed.count, len(matrix.jobs("rendering")), work(context)) == (1, 5, 1)
    assert [view.cell.version for view in matrix.cells()] == [2] + [1] * 7
    with matrix.database.write() as session:
        cells.put_back(session, matrix.author, first.cell.id)
    work(context)
    undone = matrix.cells()[0]
    assert (undone.spec, undone.cell.version, undone.version.sha256 if undone.version else "") == (
        first.spec,
        3,
        first.version.sha256 if first.version else "no version",
    )


def test_all_like_it_change_and_come_back_together(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    work(context)
    first = matrix.cells()[0]
    with matrix.database.write() as session:
        changed = cells.change(session, matrix.author, first.cell.id, "like", "layout", {"layout": "split"})
    # Every square ad, of both audiences and languages.
    assert changed.count == 4
    with matrix.database.write() as session:
        assert cells.undo(session, matrix.author, changed.rendering.id).count == 4
    with matrix.database.write() as session, pytest.raises(NothingToUndo):
        cells.undo(session, matrix.author, changed.rendering.id)
    with matrix.database.write() as session, pytest.raises(NothingChanged):
        cells.change(session, matrix.author, first.cell.id, "this", "layout", {"layout": "poster"})


def test_words_of_their_own_stay_when_the_campaigns_words_change(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    work(context)
    own = matrix.cells()[0]
    assert own.spec is not None
    words = own.spec.words.model_copy(update={"headline": "Nur hier"})
    with matrix.database.write() as session:
        cells.change(session, matrix.author, own.cell.id, "this", "words", {"words": words})
    matrix.say(PARENTS.key, "de", headline="Für alle")
    said = [view.spec.words.headline for view in matrix.cells() if view.spec is not None]
    assert said == ["Nur hier", "", "Für alle", "", "", "", "", ""]


def test_a_change_reopens_what_was_approved(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    work(context)
    with matrix.database.write() as session:
        session.execute(update(Cell).values(review="approved"))
    first = matrix.cells()[0].cell.id
    with matrix.database.write() as session:
        changed = cells.change(session, matrix.author, first, "this", "crop", {"focus": (0.2, 0.8)})
    assert changed.reopened == 1
    assert [view.cell.review for view in matrix.cells()] == ["open"] + ["approved"] * 7


def test_locked_parts_are_an_owners(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    work(context)
    first = matrix.cells()[0].cell.id
    owner = cells.Author(matrix.workspace_id, matrix.campaign_id, None, is_owner=True)
    with matrix.database.write() as session, pytest.raises(LockedPart):
        cells.change(session, matrix.author, first, "this", "parts", {"hidden": ("logo",)})
    with matrix.database.write() as session:
        assert cells.change(session, matrix.author, first, "this", "parts", {"hidden": ("body",)}).count == 1
    with matrix.database.write() as session:
        assert cells.change(session, owner, first, "this", "parts", {"hidden": ("body", "logo")}).count == 1


def test_new_pictures_take_the_place_of_the_old_ones(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    work(context)
    before = [view.spec.output_id for view in matrix.cells() if view.spec is not None]
    with matrix.database.write() as session:
        pictures.draw(session, matrix.author, RUNNERS.key, "square", "a teacup")
    work(context)
    after = [view.spec.output_id for view in matrix.cells() if view.spec is not None]
    changed = [old != new for old, new in zip(before, after, strict=True)]
    assert changed == [False] * 4 + [True, True, False, False]


def test_a_chosen_picture_is_kept_for_the_next_ads(matrix: Matrix, context: WorkerContext, storage: Storage) -> None:
    matrix.produce()
    work(context)
    other = make_pictures(matrix.database, storage, matrix.workspace_id, matrix.project_id)[0].id
    with matrix.database.write() as session:
        changed = pictures.choose(session, matrix.author, matrix.cells()[0].cell.id, "like", other)
    assert changed.count == 2
    with matrix.database.read() as session:
        kept = select(CampaignPicture.audience, CampaignPicture.shape).where(CampaignPicture.output_id == other)
        assert [tuple(row) for row in session.execute(kept)] == [(PARENTS.key, "square")]


def test_a_new_kit_is_taken_over_on_demand(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    work(context)
    kit_author = KitAuthor(matrix.workspace_id, matrix.project_id, None)
    with matrix.database.write() as session:
        assert cells.take_over_kit(session, matrix.author) is None
        kits.change(session, kit_author, {"legal": (LegalLines(locale="de", legal=("Nur solange Vorrat.",)),)})
        changed = cells.take_over_kit(session, matrix.author)
    assert changed is not None and changed.count == 8
    assert {view.spec.legal for view in matrix.cells() if view.spec is not None} == {"Nur solange Vorrat.", ""}


def test_a_picture_that_is_gone_is_told_and_the_others_go_on(
    matrix: Matrix, context: WorkerContext, storage: Storage
) -> None:
    matrix.produce()
    for _ in range(4):
        run_next(context, QUEUES)
    with matrix.database.read() as session:
        lost = session.scalars(select(Output).order_by(Output.created_at)).first()
    assert lost is not None
    storage.delete(lost.key)
    work(context)
    states = [view.state for view in matrix.cells()]
    assert states.count("problem") == 2 and states.count("open") == 6


def test_another_attempt_lays_out_only_what_is_left(
    matrix: Matrix, context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix.produce()
    for _ in range(4):
        run_next(context, QUEUES)
    laid: list[str] = []
    usual = rendering.Desk.laid_out

    def dies_at_the_second(desk: rendering.Desk, task: object) -> object:
        laid.append(task.version_id)  # type: ignore[attr-defined]
        if len(laid) == 2:
            with context.database.write() as session:  # the lease is another's now
                session.execute(update(Job).where(Job.state == "running").values(fence=Job.fence + 1))
        return usual(desk, task)  # type: ignore[arg-type]

    monkeypatch.setattr(rendering.Desk, "laid_out", dies_at_the_second)
    run_next(context, QUEUES)
    with context.database.write() as session:
        session.execute(update(Job).where(Job.state == "running").values(state="queued", lease_until=None, owner=None))
    work(context)
    assert [view.state for view in matrix.cells()] == ["open"] * 8
    counts = {one: laid.count(one) for one in laid}
    assert sorted(counts.values()) == [1] * 7 + [2]


def test_what_the_brief_no_longer_lists_leaves_the_matrix_and_comes_back(
    matrix: Matrix, context: WorkerContext
) -> None:
    matrix.produce()
    work(context)
    with matrix.database.write() as session:
        service.save_brief(session, matrix.author, matrix.project_id, brief(locales=("en",)))
        assert service.produce(session, matrix.author).cells == 4
    assert {view.cell.locale for view in matrix.cells()} == {"en"}
    with matrix.database.write() as session:
        service.save_brief(session, matrix.author, matrix.project_id, brief())
        again = service.produce(session, matrix.author)
    assert (again.cells, again.orders, again.changed) == (8, 0, None)
    assert len(matrix.versions()) == 8


def test_a_copy_begins_with_the_same_brief_words_and_pictures(matrix: Matrix, context: WorkerContext) -> None:
    matrix.say(PARENTS.key, "en", headline="Coffee that waits")
    matrix.produce()
    work(context)
    with matrix.database.write() as session:
        campaign = service.copy(session, matrix.author, "Winter launch")
    copied = Matrix(matrix.database, matrix.workspace_id, matrix.project_id, campaign.id)
    made = copied.produce()
    assert made.orders == 0 and made.changed is not None and made.changed.count == 8
    work(context)
    old, new = matrix.cells()[1].version, copied.cells()[1].version
    assert old is not None and new is not None and old.sha256 == new.sha256


def test_a_lost_lease_writes_nothing(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    for _ in range(4):
        run_next(context, QUEUES)
    with context.database.write() as session:
        claim = claims.claim_next(session, queues=QUEUES, owner="gone")
        assert claim is not None
        session.execute(update(Job).where(Job.id == claim.job_id).values(fence=Job.fence + 1))
    with context.database.read() as session:
        assert session.scalars(select(CellVersion.finished_at)).all() == [None] * 8


def test_what_is_decided_has_author_version_and_reason(matrix: Matrix, context: WorkerContext) -> None:
    matrix.produce()
    first = matrix.cells()[0].cell.id
    with matrix.database.write() as session, pytest.raises(NotDrawnYet):
        decisions.decide(session, matrix.author, [first], "approved")
    work(context)
    with matrix.database.write() as session, pytest.raises(ReasonMissing):
        decisions.decide(session, matrix.author, [first], "rejected")
    with matrix.database.write() as session:
        assert decisions.decide(session, matrix.author, [first], "rejected", "Wrong cup").count == 1
        cells.change(session, matrix.author, first, "this", "crop", {"focus": (0.1, 0.1)})
    work(context)
    with matrix.database.write() as session:
        assert decisions.decide(session, matrix.author, [first], "approved").count == 1
    with matrix.database.read() as session:
        said = verdicts.history(
            session, workspace_id=matrix.workspace_id, subject_kind=decisions.KIND, subject_id=first
        )
    assert [(one.state, one.version, one.reason) for one in said] == [("approved", 2, ""), ("rejected", 1, "Wrong cup")]


def test_text_rules_hold_for_each_ad_and_an_approval_keeps_what_it_was_given_in_spite_of(
    database: Database, context: WorkerContext, sign_up: SignUp
) -> None:
    owner = sign_up()
    rules = {"must_say": ("ab Freitag",), "must_not": ("billig",), "audiences": (PARENTS,), "locales": ("de",)}
    project_id = make_project(database, owner.workspace_id)
    matrix = make_matrix(database, owner.workspace_id, project_id, owner.user_id, **rules)
    with database.write() as session:
        author = KitAuthor(owner.workspace_id, project_id, owner.user_id)
        kits.change(session, author, {"do_nots": ("Never rotate the logo",)})
    matrix.say(PARENTS.key, "de", headline="Billiger Kaffee", body="Nur ab Freitag")
    matrix.produce()
    work(context)
    api = api_client(owner)
    home = f"/api/v1/campaigns/{matrix.campaign_id}"
    told = {one["channel"]: one for one in api.get(f"{home}/cells").json()["items"]}
    kinds = {key: [(one["field"], one["kind"]) for one in cell["text_findings"]] for key, cell in told.items()}
    # The strip has no room for the text, so that it lacks what must be said.
    assert kinds == {
        "instagram_square": [("headline", "forbidden")],
        "display_728x90": [("headline", "forbidden"), ("", "missing")],
    }
    strip = told["display_728x90"]["id"]
    assert 'data-do-nots="1"' in owner.client.get(f"/campaigns/{matrix.campaign_id}/cells/{strip}").text
    pages = (f"/campaigns/{matrix.campaign_id}", f"/campaigns/{matrix.campaign_id}/cells/{strip}")
    assert [owner.client.get(page).text.count('data-finding="missing"') for page in pages] == [0, 1]
    assert owner.client.get(pages[0]).text.count('data-state="findings"') == 2

    assert api.post(f"{home}/decide", json={"ids": [strip], "review": "approved"}).json()["count"] == 1
    (said,) = api.get(f"{home}/cells/{strip}/history").json()
    assert said["by"]
    assert [one["code"] for one in said["despite_findings"]] == ["forbidden", "missing"]
    assert 'data-despite="2"' in owner.client.get(pages[1]).text
    matrix.say(PARENTS.key, "de", headline="Kaffee ab Freitag")
    work(context)
    assert api.get(f"{home}/cells/{strip}").json()["text_findings"] == []
    api.post(f"{home}/decide", json={"ids": [strip], "review": "approved"})
    assert api.get(f"{home}/cells/{strip}/history").json()[0]["despite_findings"] == []
