"""Packs of finished ads: what goes in, exact files, the same bytes twice, and a worker that dies in between."""

import csv
import io
import json
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from psd_tools import PSDImage
from pypdf import PdfReader
from sqlalchemy import select, update

from app.ad_files.findings import TooHeavy
from app.ad_files.manifest import BYTE_ORDER_MARK
from app.ad_files.names import UnknownPlaceholder
from app.ad_files.origin import COMPOSITE_SOURCE_TYPE
from app.db import Database
from app.jobs import service as jobs
from app.jobs.models import Job
from app.layouts.channels import channel
from app.layouts.values import Rendered
from app.matrix import cells, decisions
from app.matrix.errors import NoFormat, NothingToPack, NothingToPrint
from app.matrix.labels import MADE_WITH_AI
from app.matrix.models import CampaignBrief, Pack
from app.matrix.packs import queries, service
from app.matrix.packs.contents import FORMATS, Contents, Format, PackKind
from app.matrix.packs.forms import reader
from app.matrix.packs.work import AdWork
from app.matrix.spec import CellSpec
from app.storage import Storage
from app.storage.local import LocalStorage
from tests.app.matrix.briefs import PARENTS, Matrix, make_matrix
from tests.fake_engine import FakeEngine
from tests.orders import make_workspace, worker_context
from tests.visuals import make_project
from worker.context import WorkerContext
from worker.engines import registry
from worker.handlers import rendering
from worker.handlers.packs import ad_files, kept_files
from worker.handlers.packs.ad_files import AdWriter
from worker.run_job import run_next

ROOT = Path(__file__).parents[2]
QUEUES = ("generation",)
PLACES = ("instagram_square", "display_728x90", "display_300x250")


def plain(desk: rendering.Desk, spec: CellSpec, picture: bytes) -> Rendered:
    """An ad of its exact pixels without type: setting that is tested by itself, and takes its time."""
    content = io.BytesIO()
    Image.new("RGB", (spec.place.width_px, spec.place.height_px), "#a0522d").save(content, "PNG")
    return Rendered(content.getvalue(), {}, (), ())


@pytest.fixture
def real_context(database: Database, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> WorkerContext:
    monkeypatch.setattr(registry, "engine_for", lambda family: FakeEngine())
    monkeypatch.setattr(rendering, "times_needed", lambda picture, spec: 1)  # enlarging is tested by itself
    return worker_context(database, storage)


@pytest.fixture
def context(real_context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> WorkerContext:
    monkeypatch.setattr(rendering.Desk, "rendered", plain)
    return real_context


@pytest.fixture
def matrix(database: Database, context: WorkerContext) -> Matrix:
    return finished(database, context, PLACES)


def finished(database: Database, context: WorkerContext, places: tuple[str, ...]) -> Matrix:
    """Six finished ads: one audience, three channels, two languages; the first five are approved."""
    workspace_id = make_workspace(database)
    project_id = make_project(database, workspace_id)
    made = make_matrix(database, workspace_id, project_id, channels=places, audiences=(PARENTS,))
    made.say(PARENTS.key, "de", headline="Kaffee, der wartet", short_headline="Kaffee", body="Für müde Eltern")
    made.say(PARENTS.key, "en", headline="Coffee that waits", alt="=A cup on a table")
    made.produce()
    work(context)
    approve(made, slice(0, 5))
    return made


def approve(matrix: Matrix, which: slice) -> None:
    with matrix.database.write() as session:
        decisions.decide(session, matrix.author, [one.cell.id for one in matrix.cells()[which]], "approved")


def work(context: WorkerContext) -> None:
    while run_next(context, QUEUES):
        pass


def order(matrix: Matrix, *formats: Format, pattern: str = "") -> str:
    with matrix.database.write() as session:
        return service.order(session, matrix.author, formats or ("channel",), pattern, reader("de")).id


def view_of(matrix: Matrix, pack_id: str) -> queries.PackView:
    with matrix.database.read() as session:
        (view,) = queries.views(session, **matrix.where, pack_id=pack_id)
        return view


def zip_of(matrix: Matrix, storage: Storage, pack_id: str) -> bytes:
    with matrix.database.read() as session:
        key = session.get_one(Pack, pack_id).key
    assert key is not None
    return storage.get(key)


def opened(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def stored(matrix: Matrix, storage: Storage) -> list[str]:
    return list(storage.keys_under(f"projects/{matrix.project_id}/ads/packs"))


@pytest.mark.slow
def test_every_file_has_the_pixels_type_and_weight_of_its_channel(
    database: Database, real_context: WorkerContext, storage: Storage
) -> None:
    """Every kind of file, set for real; and made once more, the same bytes."""
    matrix = finished(database, real_context, ("instagram_square", "display_728x90", "print_a5"))
    packs = [order(matrix, *FORMATS, pattern="{number}_{channel}_{locale}") for _ in range(2)]
    work(real_context)
    view = view_of(matrix, packs[0])
    assert (view.job.state, view.failures) == ("done", ())
    assert zip_of(matrix, storage, packs[0]) == zip_of(matrix, storage, packs[1])
    found = opened(zip_of(matrix, storage, packs[0]))
    rows = json.loads(found["manifest.json"])
    assert len(found) == 2 + len(rows) == 2 + 5 * 6 + 1, "a print PDF for the one that is printed"
    for row in rows:
        place, content = channel(row["channel"]), found[row["file"]]
        assert row["file"].startswith(f"{row['channel']}/{row['locale']}/00")
        assert (row["width_px"], row["height_px"]) == (place.width_px, place.height_px)
        assert COMPOSITE_SOURCE_TYPE.encode() in content, row["file"]
        if row["type"] == "application/pdf":
            page = PdfReader(io.BytesIO(content)).pages[0]
            assert {"de": "Kaffee", "en": "Coffee"}[row["locale"]] in page.extract_text()
            has_bleed = page.trimbox.width < page.bleedbox.width < page.mediabox.width
            assert has_bleed == row["file"].endswith(".print.pdf")
        elif row["file"].endswith(".psd"):
            document = PSDImage.open(io.BytesIO(content))
            assert document.size == (place.width_px, place.height_px)
            assert {"picture", "text"} <= {layer.name for layer in document}
        else:
            with Image.open(io.BytesIO(content)) as picture:
                assert picture.size == (place.width_px, place.height_px), row["file"]
                assert row["type"] == Image.MIME[picture.format or ""]
            assert place.max_bytes is None or len(content) <= place.max_bytes
    types = {(row["channel"], row["type"]) for row in rows}
    own = {("instagram_square", "image/jpeg"), ("display_728x90", "image/png"), ("print_a5", "application/pdf")}
    assert own < types


def test_the_table_tells_what_each_file_is_made_from(matrix: Matrix, context: WorkerContext, storage: Storage) -> None:
    pack_id = order(matrix)
    work(context)
    found = opened(zip_of(matrix, storage, pack_id))
    rows = {(row["channel"], row["locale"]): row for row in json.loads(found["manifest.json"])}
    german, english = rows["instagram_square", "de"], rows["instagram_square", "en"]
    assert german["alt_text"] == "Kaffee, der wartet Für müde Eltern" and english["alt_text"] == "=A cup on a table"
    assert (german["headline"], rows["display_728x90", "de"]["headline"]) == ("Kaffee, der wartet", "Kaffee")
    spec = matrix.cells()[0].spec
    assert spec is not None
    assert german["prompt"].endswith("A coffee cup, for parents of small children")
    assert isinstance(german["seed"], int) and german["base_model"] and german["kit_version"] == spec.kit_version
    assert german["approved_at"] and german["ai_statement"] == MADE_WITH_AI["de"]
    table = found["manifest.csv"].decode()
    assert table.startswith(BYTE_ORDER_MARK)
    lines = csv.DictReader(io.StringIO(table.removeprefix(BYTE_ORDER_MARK)), delimiter=";")
    assert "'=A cup on a table" in {line["alt_text"] for line in lines}


def test_only_what_is_approved_goes_in_and_the_rest_is_told(matrix: Matrix) -> None:
    last = matrix.cells()[5].cell
    pack_id = order(matrix, pattern="{number}")
    with matrix.database.read() as session:
        contents = Contents.model_validate(session.get_one(Pack, pack_id).contents)
        going = queries.going(session, **matrix.where)
        assert session.get_one(CampaignBrief, matrix.campaign_id).name_pattern == "{number}"
    assert (contents.count, last.id in {one.cell_id for one in contents.ads}) == (5, False)
    assert (going.count, [(one.cell.id, one.state) for one in going.left_out]) == (5, [(last.id, "open")])
    assert "approved_by" not in str(contents), "whoever is erased does not live on in an order"


def test_nothing_is_ordered_that_would_be_empty(matrix: Matrix) -> None:
    with pytest.raises(UnknownPlaceholder):
        order(matrix, pattern="{brand}")
    with matrix.database.write() as session, pytest.raises(NoFormat):
        service.order(session, matrix.author, (), "", reader("en"))
    ids = [one.cell.id for one in matrix.cells()]
    with matrix.database.write() as session:
        decisions.decide(session, matrix.author, ids[4:], "open")
    with pytest.raises(NothingToPrint):  # what is left are screens
        order(matrix, "print")
    with matrix.database.write() as session:
        decisions.decide(session, matrix.author, ids, "rejected", "Too dark")
    with pytest.raises(NothingToPack):
        order(matrix)
    assert matrix.jobs("pack") == []


def test_the_same_state_gives_the_same_bytes(matrix: Matrix, context: WorkerContext, storage: Storage) -> None:
    packs = [order(matrix, "channel", "webp") for _ in range(2)]
    work(context)
    first, second = (view_of(matrix, one) for one in packs)
    assert (first.number, second.number) == (1, 2)
    assert first.sha256 == second.sha256
    assert zip_of(matrix, storage, packs[0]) == zip_of(matrix, storage, packs[1])
    with matrix.database.write() as session:
        cells.change(session, matrix.author, matrix.cells()[0].cell.id, "this", "layout", {"layout": "split"})
    work(context)
    approve(matrix, slice(0, 1))
    third = order(matrix, "channel", "webp")
    work(context)
    assert view_of(matrix, third).sha256 != first.sha256


def test_another_attempt_goes_on_with_the_next_file(
    matrix: Matrix, context: WorkerContext, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = order(matrix, "channel", "webp")
    work(context)
    made: list[tuple[str, PackKind]] = []
    usual = AdWriter.file

    def loses_its_lease(writer: AdWriter, ad: AdWork, kind: PackKind) -> object:
        made.append((ad.packed.cell_id, kind))
        if len(made) == 4:
            with matrix.database.write() as session:
                session.execute(update(Job).where(Job.state == "running").values(fence=Job.fence + 1))
        return usual(writer, ad, kind)

    monkeypatch.setattr(AdWriter, "file", loses_its_lease)
    pack_id = order(matrix, "channel", "webp")
    run_next(context, QUEUES)
    with matrix.database.write() as session:
        session.execute(update(Job).where(Job.state == "running").values(state="queued", lease_until=None, owner=None))
    work(context)
    assert len(made) == len(set(made)) == 10
    assert zip_of(matrix, storage, pack_id) == zip_of(matrix, storage, undisturbed)
    assert len(stored(matrix, storage)) == 2, "what waited to be packed is gone"


def test_what_waits_and_was_swept_away_is_made_again(
    matrix: Matrix, context: WorkerContext, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = order(matrix)
    work(context)
    usual = kept_files.KeptFiles.content

    def swept(kept: kept_files.KeptFiles, ad: AdWork, kind: PackKind) -> object:
        kept.clear()
        return usual(kept, ad, kind)

    monkeypatch.setattr(kept_files.KeptFiles, "content", swept)
    pack_id = order(matrix)
    work(context)
    assert zip_of(matrix, storage, pack_id) == zip_of(matrix, storage, undisturbed)


def test_a_pack_that_is_cancelled_leaves_nothing(
    matrix: Matrix, context: WorkerContext, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_id = order(matrix)
    usual = AdWriter.file

    def cancelled(writer: AdWriter, ad: AdWork, kind: PackKind) -> object:
        with matrix.database.write() as session:
            job = session.scalars(select(Job).where(Job.subject_id == pack_id)).one()
            if not job.cancel_requested:
                jobs.request_cancel(session, workspace_id=matrix.workspace_id, job_id=job.id)
        return usual(writer, ad, kind)

    monkeypatch.setattr(AdWriter, "file", cancelled)
    work(context)
    view = view_of(matrix, pack_id)
    assert (view.job.state, view.is_there, stored(matrix, storage)) == ("cancelled", False, [])


def test_what_cannot_be_made_is_told_and_the_others_go_on(
    matrix: Matrix, context: WorkerContext, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ad_files.picture_file

    def too_heavy(png: bytes, kind: Any, *given: Any, **more: Any) -> Any:
        if kind == "jpeg":
            raise TooHeavy(kilobytes=200, most=150)
        return usual(png, kind, *given, **more)

    monkeypatch.setattr(ad_files, "picture_file", too_heavy)
    lost = matrix.cells()[2].version
    assert lost is not None and lost.key is not None
    storage.delete(lost.key)
    pack_id = order(matrix)
    work(context)
    view = view_of(matrix, pack_id)
    assert [(one.kind, one.code) for one in view.failures] == [
        ("jpeg", "too_heavy"),
        ("jpeg", "too_heavy"),
        ("png", "file_gone"),
    ]
    rows = json.loads(opened(zip_of(matrix, storage, pack_id))["manifest.json"])
    assert [(bool(row["file"]), bool(row["findings"])) for row in rows[:3]] == [(False, True)] * 3
    assert len(rows) == 5


def test_a_pack_without_any_file_fails_in_a_sentence(matrix: Matrix, context: WorkerContext, storage: Storage) -> None:
    storage.delete_under(f"projects/{matrix.project_id}/ads")
    pack_id = order(matrix, "png")
    work(context)
    view = view_of(matrix, pack_id)
    assert (view.job.state, view.job.error_code, stored(matrix, storage)) == ("failed", "nothing_packed", [])


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from app.db import Database
    from app.storage.local import LocalStorage
    from tests.orders import worker_context
    from worker.handlers.packs.ad_files import AdWriter
    from worker.run_job import run_next

    usual, made = AdWriter.file, []

    def file(writer, ad, kind):
        made.append(kind)
        if len(made) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return usual(writer, ad, kind)

    AdWriter.file = file
    run_next(worker_context(Database(sys.argv[1]), LocalStorage(Path(sys.argv[2]))), ("generation",))
"""


@pytest.mark.slow
def test_a_pack_whose_worker_is_killed_goes_on_to_the_same_bytes(
    matrix: Matrix, context: WorkerContext, storage: Storage, database_url: str
) -> None:
    """kill -9 in the middle of a pack, by a process of its own."""
    assert isinstance(storage, LocalStorage)
    undisturbed = order(matrix, "channel", "webp")
    work(context)
    pack_id = order(matrix, "channel", "webp")
    died = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), database_url, str(storage.folder)],
        check=False,
        cwd=ROOT,
    )
    assert died.returncode == -signal.SIGKILL
    view = view_of(matrix, pack_id)
    assert (view.job.state, view.is_there) == ("running", False)
    assert len([one for one in stored(matrix, storage) if one.endswith(".json")]) == 3
    with matrix.database.write() as session:  # as whoever watches the leases does
        session.execute(update(Job).where(Job.state == "running").values(state="queued", lease_until=None, owner=None))
    work(context)
    assert view_of(matrix, pack_id).job.state == "done"
    assert zip_of(matrix, storage, pack_id) == zip_of(matrix, storage, undisturbed)
    assert len(stored(matrix, storage)) == 2
