"""“Write with it” opens the writing studio with that very voice, not with the newest."""

from app.adapters.models import Adapter
from app.db import Database, new_id, now
from app.storage import Storage
from tests.answers import code_of
from tests.conftest import SignedIn
from tests.visuals import make_project
from tests.written import Brand, make_voice


def test_the_linked_voice_is_chosen(brand: Brand, owner: SignedIn, database: Database, storage: Storage) -> None:
    first = brand.voice_id
    second = make_voice(database, storage, owner.workspace_id, brand.project_id, version=2)
    studio = f"/projects/{brand.project_id}/writing"
    assert f'value="{second}" selected' in owner.client.get(studio).text
    link = f"{studio}?adapter={first}"
    assert f'href="{link}"' in owner.client.get(f"/adapters/{first}").text
    assert f'value="{first}" selected' in owner.client.get(link).text
    with database.write() as session:
        session.get_one(Adapter, first).archived_at = now()
    assert f'value="{first}"' not in owner.client.get(studio).text
    assert f'value="{first}" selected' in owner.client.get(link).text, "from the archive too, where a link names it"


def test_a_voice_that_is_not_this_brands_is_said_so(brand: Brand, owner: SignedIn, database: Database) -> None:
    other = make_project(database, owner.workspace_id, name="Another")
    for project_id, adapter_id in ((other, brand.voice_id), (brand.project_id, new_id())):
        answer = owner.client.get(f"/projects/{project_id}/writing?adapter={adapter_id}")
        assert answer.status_code == 422
        assert code_of(answer) == "no_such_voice"
