"""The pool of disposable processes: what breaks one costs one file, and nothing is left when it is over."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import AppError
from app.images.errors import TruncatedImage
from app.reading import pool as pools
from app.reading import registry
from app.reading.errors import ReadersBusy, Unreadable
from app.reading.pool import ReaderPool
from app.reading.registry import Reader

HERE = "tests.app.reading.readers_for_tests"
# Children read the registry of their own, so tests reach theirs through readers that are named in it.
NAMES = ("echo", "refuse", "fail", "work", "hold", "crash", "grow", "flood", "look_around")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[ReaderPool]:
    """A pool whose children know the readers of these tests, too, each with two seconds and 500 MB."""
    program = tmp_path / "child.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import runpy, sys
            sys.path.insert(0, sys.argv[1])
            from app.reading import registry
            for name in {NAMES!r}:
                registry.READERS[name] = registry.Reader("{HERE}:" + name, seconds=2, memory_mb=500)
            runpy.run_path({str(pools.__file__).replace("pool.py", "child.py")!r}, run_name="__main__")
            """
        )
    )
    for name in NAMES:
        reader = Reader(f"{HERE}:{name}", seconds=2, memory_mb=500, most_answer_mb=5)
        monkeypatch.setitem(registry.READERS, name, reader)
    monkeypatch.setattr(pools, "PROGRAM", program)
    found = ReaderPool(2, wait_seconds=0.5, most_waiting=1)
    yield found
    found.close()


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def until_ended(process: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while is_running(process) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_running(process)


def test_answers_come_back_with_their_bytes_and_from_one_process(pool: ReaderPool) -> None:
    data = os.urandom(3_000_000)
    first = pool.ask("echo", {"a": ["ü", "\ud800", None]}, [data, b""], name="a")
    assert first.value["question"] == {"a": ["ü", "\ud800", None]}
    assert first.blobs == [data, b""]
    assert pool.ask("echo", 1, name="a").value["process"] == first.value["process"] != os.getpid()


def test_what_a_reader_raises_is_raised_here_or_is_a_property_of_the_file(
    pool: ReaderPool, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TruncatedImage) as refused:
        pool.ask("refuse", "logo.png", name="x")
    assert refused.value.params == {"name": "logo.png"}
    with pytest.raises(Unreadable) as unreadable:
        pool.ask("fail", 1, name="logo.png")
    assert "“logo.png” could not be read" in str(unreadable.value)
    assert unreadable.value.status == 422
    assert "ZeroDivisionError" in str([vars(record).get("trace") for record in caplog.records])
    assert len(pool.processes()) == 1


@pytest.mark.parametrize(("reader", "question"), [("crash", 0), ("work", 60), ("grow", 2**31), ("flood", 6_000_000)])
def test_a_file_that_breaks_its_reader_costs_one_process_and_the_next_is_read(
    pool: ReaderPool, reader: str, question: int
) -> None:
    begin = time.monotonic()
    with pytest.raises(Unreadable):
        pool.ask(reader, question, name="a")
    assert time.monotonic() - begin < 40
    assert pool.ask("echo", 1, name="a").value["question"] == 1


def test_a_reader_that_has_grown_or_read_much_makes_room_for_a_new_one(
    pool: ReaderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pool.ask("echo", 1, name="a").value["process"]
    monkeypatch.setattr(pools, "FILES_EACH", 2)
    assert pool.ask("echo", 1, name="a").value["process"] == first
    second = pool.ask("echo", 1, name="a").value["process"]
    assert second != first
    assert until_ended(first)
    monkeypatch.setattr(pools, "GROWN_BYTES", 1_000_000)
    pool.ask("echo", 1, name="a")
    assert until_ended(second)


def test_a_reader_knows_no_secret_and_writes_nothing(
    pool: ReaderPool, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("SECRET_KEY", "not for readers")
    monkeypatch.setenv("DATABASE_URL", "postgresql://…")
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = pool.ask("look_around", [str(tmp_path / "x"), server.getsockname()[1]], name="a").value
    assert not {"SECRET_KEY", "DATABASE_URL", "HOME"} & set(found["environment"])
    assert not found["can_write"]
    assert found["open"] < 64
    # Not every system lets a process leave its network.
    leaves = "import os; from app.reading.child import leave_the_network as leave; os._exit(not leave())"
    if subprocess.run([sys.executable, "-c", leaves], cwd=pools.ROOT, check=False).returncode == 0:
        assert not found["can_connect"]


def test_so_many_wait_and_no_more(pool: ReaderPool) -> None:
    running = [threading.Thread(target=pool.ask, args=("hold", 3), kwargs={"name": "a"}) for _ in range(2)]
    for thread in running:
        thread.start()
    while len(pool.processes()) < 2:
        time.sleep(0.01)
    outcomes: list[type[AppError] | None] = []

    def ask() -> None:
        try:
            pool.ask("echo", 1, name="a")
            outcomes.append(None)
        except AppError as error:
            assert error.params == {"seconds": 1}
            outcomes.append(type(error))

    asking = [threading.Thread(target=ask) for _ in range(6)]
    for thread in asking:
        thread.start()
    for thread in (*asking, *running):
        thread.join()
    assert outcomes == [ReadersBusy] * 6
    assert ReadersBusy.status == 503
    assert len(pool.processes()) == 2


def test_many_threads_share_a_few_processes(pool: ReaderPool) -> None:
    patient = ReaderPool(2, wait_seconds=60, most_waiting=100)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(patient.ask("echo", 1, name="a").value["process"]))
        for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    assert len(set(found)) <= 2
    patient.close()
    assert all(until_ended(process) for process in set(found))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("is_busy", [False, True])
def test_readers_end_with_the_process_that_started_them(is_busy: bool, tmp_path) -> None:
    code = """
    import sys, threading, time
    from app.reading import pool
    if sys.argv[1] == "busy":
        question = ("preview_of_texts", QUESTION, [b"a,b\\n" * 40_000])
        threading.Thread(target=pool.ask, args=question, daemon=True).start()
        while not pool.shared().processes():
            time.sleep(0.01)
    else:
        pool.ask("palette", {"size": 1}, [])
    print(*pool.shared().processes(), flush=True)
    time.sleep(60)
    """
    question = {
        "format": "csv",
        "name": "a",
        "limits": {"most_bytes": 10**8, "most_unpacked_bytes": 10**8},
        "wanted": None,
        "otherwise": "en",
    }
    program = textwrap.dedent(code).replace("QUESTION", repr(question))
    parent = subprocess.Popen(
        [sys.executable, "-c", program, "busy" if is_busy else "idle"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    reader = int(parent.stdout.readline())
    assert is_running(reader)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert until_ended(reader, 5)


def test_a_forked_process_has_readers_of_its_own() -> None:
    pools.ask("palette", {"size": 1}, [])
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if pools.shared().processes() == [] and pools.ask("palette", {"size": 1}, []).value == [] else 1
            pools.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pools.ask("palette", {"size": 1}, []).value == []


def test_the_web_process_has_no_decoder() -> None:
    code = "import sys, app.main;print(sorted(set(sys.modules) & {'pyvips', 'PIL', 'pi_heif', 'resvg_py', 'openpyxl'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
