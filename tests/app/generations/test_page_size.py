"""The studio's page stays light however much a workspace has: what is not seen at once comes when it is looked at."""

import re
from datetime import timedelta
from html import unescape

import pytest
from fastapi import FastAPI

from app.base_files.models import BaseCopy
from app.base_models import catalogue
from app.base_models.models import OwnBase
from app.db import Database
from app.storage import Storage
from tests.conftest import SignedIn
from tests.html_forms import controls
from tests.visuals import START, make_adapter, make_pictures, make_project

MOST_BYTES = 100_000
ADAPTERS, BASES, ORDERS, OF_EACH = 40, 12, 63, 8
LONG_NAME = "Nordlicht, winter campaign for the northern countries, tried again with other pictures"
PROMPT = "nordlicht, a lighthouse on a cliff in the morning, seen from the sea, with gulls and a small red boat " * 3


@pytest.mark.slow
def test_40_adapters_12_bases_and_500_pictures(
    app: FastAPI, owner: SignedIn, database: Database, storage: Storage
) -> None:
    project_id = make_project(database, owner.workspace_id)
    other = make_project(database, owner.workspace_id, name="Another brand", trigger="another")
    ids = [
        make_adapter(database, storage, owner.workspace_id, (project_id, other)[n % 2], name=LONG_NAME, version=n + 1)
        for n in range(ADAPTERS)
    ]
    with database.write() as session:
        session.add_all(
            OwnBase(
                workspace_id=owner.workspace_id,
                name=f"{LONG_NAME} {n}",
                family="stable_diffusion_xl",
                place="local",
                source=f"{n}.safetensors",
            )
            for n in range(BASES - len(catalogue.all_models()))
        )
        session.add_all(
            BaseCopy(workspace_id=owner.workspace_id, base_model=one.key, machine="m", byte_count=1)
            for one in catalogue.all_models()
        )
    for n in range(ORDERS):
        make_pictures(
            database,
            storage,
            owner.workspace_id,
            project_id,
            count=OF_EACH,
            prompt=PROMPT,
            adapter_id=ids[0],
            user_id=owner.user_id,
            created_at=START + timedelta(minutes=n),
        )
    assert ORDERS * OF_EACH > 500
    text = owner.client.get(f"/projects/{project_id}/studio").text
    assert len(text.encode()) < MOST_BYTES
    composer = controls(text, "composer")
    assert len(composer["adapter_id"][0].options) == 1 + ADAPTERS and len(composer["base_model"][0].options) == BASES

    # What is not on it is one request away, and each of those is light too.
    mix = owner.client.get(f"/projects/{project_id}/studio/mix").text
    assert mix.count("<select") == 3 and mix.count(f'value="{ids[-1]}"') == 3
    (menu, *_) = re.findall(r'hx-get="(/outputs/[0-9a-f]{32}/menu)"', text)
    assert "data-more" in owner.client.get(menu).text
    seen, page = 0, text
    while page:
        assert len(page.encode()) < MOST_BYTES
        seen += page.count("data-tile=")
        earlier = re.search(r'hx-get="([^"]+before=[^"]+)"', page)
        page = owner.client.get(unescape(earlier[1]), headers={"hx-request": "true"}).text if earlier else ""
    assert seen == ORDERS * OF_EACH
