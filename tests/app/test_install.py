"""What a person sees while Livery is installed, and when that fails."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import install
from app.install import AWAY, REASONS, Display, build_of_torch, entries, reason

ROOT = Path(__file__).parents[2]
PIP_SAYS = """\
Collecting accelerate==1.15.0 (from -r lock.txt (line 1))
  Downloading accelerate-1.15.0-py3-none-any.whl (380 kB)
Processing /wheels/torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl (from -r lock.txt (line 4))
Collecting numpy==2.4.6 (from -r lock.txt (line 9))
  Using cached numpy-2.4.6-cp311.whl (16.6 MB)
Requirement already satisfied: zipp==4.1.2 in /livery/.venv (from -r lock.txt (line 20)) (4.1.2)
Installing collected packages: accelerate, torch, numpy
Successfully installed accelerate-1.15.0 numpy-2.4.6 torch-2.13.0+cpu
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_few_lines_with_counts_and_sizes() -> None:
    shown = io.StringIO()
    display = Display(shown, 4)
    for line in PIP_SAYS.splitlines():
        display.hear(line)
    assert shown.getvalue().splitlines() == [
        "  Fetching 1 of 4 packages, 0 MB",
        "  Fetching 2 of 4 packages, 0 MB",
        "  Fetching 3 of 4 packages, 0 MB",
        "  Fetching 4 of 4 packages, 17 MB",
        "  Unpacking 3 packages, 17 MB as they came",
    ]


def test_on_a_terminal_one_line_is_written_again() -> None:
    shown = Terminal()
    display = Display(shown, 4)
    for line in PIP_SAYS.splitlines():
        display.hear(line)
    display.end()
    assert "\n" not in shown.getvalue()
    parts = shown.getvalue().split("\r\033[K")
    assert "Fetching 2 of 4 packages, 0 MB, 0:00: torch-2.13.0+cpu" in parts[2]
    assert parts[-1] == "", "and wiped away at the end"


@pytest.mark.parametrize(
    ("said", "sign"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('…: [Errno -2] Name or "
            "service not known')': /simple/six/\nERROR: No matching distribution found for six==1.17.0",
            AWAY,
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "THESE PACKAGES DO NOT MATCH THE HASHES",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "No space left on device",
        ),
        ("ERROR: No matching distribution found for numpy==2.4.6", "No matching distribution found"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'", "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_what_went_wrong_is_a_sentence(said: str, sign: str, tmp_path: Path) -> None:
    told = reason([said], tmp_path / "install.log")
    assert told.startswith(dict(REASONS)[sign]) and "install.log" in told


def test_of_what_has_no_sentence_pips_own_words_are_told(tmp_path: Path) -> None:
    said = "ERROR: Cannot uninstall what nobody installed"
    told = reason([said], tmp_path / "install.log")
    assert told.endswith(said) and "install.log" in told


def answering(place: dict[str, object]) -> install.Run:
    def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        report = Path(command[command.index("--report") + 1])
        report.write_text(json.dumps({"install": [{"download_info": place}]}))
        return subprocess.CompletedProcess(command, 0, "", "")

    return run


def test_the_build_of_torch_decides_which_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(install, "_torch_here", lambda: None)
    for_processors, for_cuda = (entries(ROOT / f"requirements{part}.lock")["torch"] for part in ("", "-cuda"))
    only_cuda = next(one for one in for_cuda.split("sha256:")[1:] if one[:64] not in for_processors)[:64]
    chosen, trouble = build_of_torch(
        answering({"url": "https://x/t.whl", "archive_info": {"hashes": {"sha256": only_cuda}}})
    )
    assert trouble == "" and {"torch", "triton", "nvidia-cublas"} <= set(chosen)
    processor = for_processors.split("sha256:")[1][:64]
    told = {"url": "https://x/t.whl", "archive_info": {"hashes": {"sha256": processor}}}
    assert build_of_torch(answering(told)) == ({}, "")
    strange = tmp_path / "torch-2.13.0+mine.whl"
    strange.write_bytes(b"mine")
    assert hashlib.sha256(b"mine").hexdigest() not in for_cuda
    chosen, trouble = build_of_torch(answering({"url": strange.as_uri(), "archive_info": {}}))
    assert chosen == {} and "none that Livery knows" in reason([trouble], tmp_path)


def test_a_torch_that_is_there_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        raise AssertionError("the index need not be asked")

    monkeypatch.setattr(install, "_torch_here", lambda: ("2.13.0", False))
    assert build_of_torch(run) == ({}, "")
    monkeypatch.setattr(install, "_torch_here", lambda: ("2.13.0", True))
    assert "triton" in build_of_torch(run)[0]


def test_the_web_process_gets_no_model_library() -> None:
    web = entries(ROOT / "requirements.lock", without=frozenset(install.MODEL_LIBRARIES))
    everything = entries(ROOT / "requirements.lock")
    assert set(everything) >= install.MODEL_LIBRARIES and not install.MODEL_LIBRARIES & set(web)
    assert all("--hash=sha256:" in entry for entry in web.values())


def test_wheels_come_first_and_sources_are_built_by_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[tuple[list[str], str]] = []

    def run(wanted: dict[str, str], how: str, _display: Display, _log: Path) -> str:
        ran.append((sorted(wanted), how))
        return ""

    monkeypatch.setattr(install, "_run_through", run)
    display = Display(io.StringIO(), 3)
    assert install.put_in({"pyvips": "…", "setuptools": "…", "cffi": "…"}, display, tmp_path / "log") == ""
    assert ran == [(["cffi", "setuptools"], "--only-binary=:all:"), (["pyvips"], "--no-build-isolation")]


@pytest.mark.slow
def test_a_real_pip_installs_and_refuses_what_has_another_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of our own from a folder, into an environment of its own; then the same with a byte more."""
    wheel = tmp_path / "wheels" / "colours-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("colours.py", "RED = 1\n")
        archive.writestr("colours-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: colours\nVersion: 1.0\n")
        archive.writestr(
            "colours-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("colours-1.0.dist-info/RECORD", "colours.py,,\n")
    entry = f"colours==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "there"], check=True)
    python = str(tmp_path / "there" / "bin" / "python")
    monkeypatch.setattr(install, "PIP", (python, *install.PIP[1:]))
    for name, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheel.parent),
        "PIP_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    shown = io.StringIO()
    assert install.put_in({"colours": entry}, Display(shown, 1), tmp_path / "log") == ""
    assert "Fetching 1 of 1 packages" in shown.getvalue() and "Unpacking 1 packages" in shown.getvalue()
    assert subprocess.run([python, "-c", "import colours"]).returncode == 0
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "colours"], check=True)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more.py", "")
    assert "is not the one that Livery was made with" in install.put_in(
        {"colours": entry}, Display(shown, 1), tmp_path / "log"
    )
    assert subprocess.run([python, "-c", "import colours"], capture_output=True).returncode == 1
