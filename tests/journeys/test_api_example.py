"""The README's example with curl does what it says."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from app.accounts import service as accounts
from app.accounts.models import ApiToken
from app.accounts.service import TOKEN_START, sha256
from app.db import Database
from app.lora_files.safetensors_file import read_header
from tests.servers import ROOT, Livery, program, running

pytestmark = pytest.mark.slow
SECRET = TOKEN_START + "e" * 43


def test_the_example_trains_and_draws(tmp_path: Path, password_hash: str) -> None:
    program("curl")
    example = re.findall(r"```sh\n(api=.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    with running(Livery(tmp_path)) as livery:
        make_token(tmp_path / "data", password_hash)
        commands = example.replace("http://127.0.0.1:8000", livery.address).replace('"steps": 300', '"steps": 5')
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env={**os.environ, "TOKEN": SECRET, "PICTURES": str(ROOT / "tests" / "data" / "brand")},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "rocket.png") as picture:
        assert picture.size == (512, 512)
        assert "nordlicht, a rocket" in str(picture.info)
    assert read_header(tmp_path / "nordlicht.safetensors").metadata["ss_network_module"] == "networks.lora"


def make_token(data: Path, password_hash: str) -> None:
    """What the owner does on the pages before: set up, and make a token."""
    database = Database(f"sqlite:///{data / 'livery.sqlite3'}")
    with database.write() as session:
        user, workspace = accounts.create_owner(
            session,
            name="Ada Muster",
            email="ada@example.org",
            password_hash=password_hash,
            workspace_name="Muster & Co.",
            locale="en",
        )
        session.add(
            ApiToken(
                workspace_id=workspace.id,
                user_id=user.id,
                name="curl",
                prefix=SECRET[:12],
                token_hash=sha256(SECRET),
            )
        )
    database.engine.dispose()
