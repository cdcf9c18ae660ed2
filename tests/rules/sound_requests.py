"""What a request needs so that it changes something: worlds are made of the least, and much of it is refused there.

Named by route. A route that is not here is asked as ``worlds.Walk`` asks it.
"""

import hashlib
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pyotp
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Authenticator, Membership, Passkey, RecoveryCode, User, Workspace
from app.accounts.passwords import hash_password
from app.accounts.service import create_person, sha256
from app.adapters.models import Adapter, MergedFile
from app.base_models.models import OfferedBase, OwnBase
from app.brand_kits.models import KitVersion
from app.brand_kits.snapshot import KitSnapshot
from app.campaigns.channels.models import OwnChannel
from app.db import Base, Database, new_id
from app.generations.models import Generation, Output
from app.generations.recipe import AdapterUse, GenerationRecipe
from app.images.models import Image
from app.jobs.models import Job, Worker
from app.lora_files import key_formats, safetensors_file
from app.projects.models import Project
from app.voice.models import TextSample
from app.web.flashes import from_stamp
from app.writings.models import BlindVote, WritingVariant
from tests.app.accounts.soft_passkey import SoftPasskey
from tests.app.brand_kits.make_fonts import font_file
from tests.app.brand_kits.make_guidelines import pdf, simple
from tests.app.lora_files.deltas import SD_1, random_lora
from tests.conftest import PASSWORD
from tests.rules.worlds import PLAIN_PARAMETERS, Walk, World
from tests.voices import voice_file

Prepare = Callable[[Session, World], None]
HUB_BASE = "stable-diffusion-1-5"
"""A base model of the catalogue with files to fetch."""
NEW = "a new one"


@dataclass(frozen=True)
class Sound:
    """What a request needs beyond the least."""

    prepare: Prepare | None = None
    given: Mapping[str, Any] | Callable[[World], Mapping[str, Any]] | None = None
    file: Callable[[World], tuple[str, bytes]] | None = None
    replaced: tuple[str, str] | Callable[[World], tuple[str, str]] | None = None
    """A piece of the address, and what stands there instead."""
    first: Callable[[World], None] | None = None
    """Requests that come before."""

    def make_ready(self, database: Database, world: World) -> None:
        if self.prepare is not None:
            with database.write() as session:
                self.prepare(session, world)
        if self.first is not None:
            self.first(world)

    def send(self, walk: Walk, world: World) -> Any:
        address = walk.address(world)
        if self.replaced is not None:
            address = address.replace(*(self.replaced(world) if callable(self.replaced) else self.replaced))
        given = self.given(world) if callable(self.given) else self.given
        return walk.send(world, given=given, file=self.file(world) if self.file else None, address=address)


def _set(model: type[Base], **values: Any) -> Prepare:
    def prepare(session: Session, world: World) -> None:
        table: Any = model.__table__
        where = table.c.id == world.id(table.name)
        session.execute(update(model).where(where).values(**values).execution_options(synchronize_session=False))

    return prepare


def _without(model: type[Base]) -> Prepare:
    def prepare(session: Session, world: World) -> None:
        table: Any = model.__table__
        session.execute(delete(model).where(table.c.workspace_id == world.id("workspaces")))

    return prepare


def _second_owner(session: Session, world: World) -> None:
    another = create_person(session, name="Another", email=f"{new_id()}@example.org", password_hash="-", locale="en")
    session.add(Membership(workspace_id=world.id("workspaces"), user_id=another.id, role="owner"))


def _another_browser(session: Session, world: World) -> None:
    row = world.rows["browser_sessions"] | {"id": new_id(), "token_hash": new_id()}
    session.execute(insert(Base.metadata.tables["browser_sessions"]).values(row))


def _installation(session: Session, world: World) -> None:
    """The world's workspace is the first, and there is a worker."""
    earliest = session.scalars(select(func.min(Workspace.created_at))).one()
    _set(Workspace, created_at=earliest - timedelta(days=1))(session, world)
    if session.get(Worker, PLAIN_PARAMETERS["worker_id"]) is None:
        session.add(Worker(id=PLAIN_PARAMETERS["worker_id"], served="training"))


def _drained(session: Session, world: World) -> None:
    _installation(session, world)
    session.flush()
    session.get_one(Worker, PLAIN_PARAMETERS["worker_id"]).draining = True


def _running(session: Session, world: World) -> None:
    _installation(session, world)
    session.flush()
    session.get_one(Worker, PLAIN_PARAMETERS["worker_id"]).draining = False


def _drawn_with_an_adapter(session: Session, world: World) -> None:
    recipe = GenerationRecipe(
        base_model="livery-builtin",
        prompt="a pot",
        adapters=(AdapterUse(adapter_id=world.id("adapters")),),
        width=256,
        height=256,
        seed=1,
    )
    _set(Generation, recipe=recipe.model_dump(mode="json"))(session, world)


def _many_texts(session: Session, world: World) -> None:
    for number in range(25):
        words = f"Text {number}: we bake bread with rye, salt and water, and let it rest for {number + 2} hours."
        row = world.rows["text_samples"] | {"id": new_id(), "text": words, "position": number}
        row |= {"text_hash": hashlib.sha256(words.encode()).hexdigest()[:32], "included": True, "import_id": None}
        session.execute(insert(TextSample).values(row))


def _download_queued(session: Session, world: World) -> None:
    job = world.rows["jobs"] | {"id": new_id(), "subject_id": world.id("base_downloads"), "kind": "base_download"}
    session.execute(insert(Job).values(job))


def _offered(session: Session, world: World) -> None:
    session.merge(
        OfferedBase(
            machine="0" * 32, name="pots.safetensors", family="stable_diffusion", facts={"family": "stable_diffusion"}
        )
    )


def _password(session: Session, world: World) -> None:
    _set(User, password_hash=hash_password(PASSWORD))(session, world)


def _other_member(session: Session, world: World) -> None:
    another = create_person(session, name="Another", email=f"{new_id()}@example.org", password_hash="-", locale="en")
    session.add(Membership(workspace_id=world.id("workspaces"), user_id=another.id, role="editor"))
    world.rows["another"] = {"id": another.id}


RECOVERY_CODE = "abcdefghjkmnpqrs"


def _with_password_alone(session: Session, world: World) -> None:
    """Nobody asks for a second step."""
    _password(session, world)
    for factor in (Authenticator, Passkey):
        session.execute(delete(factor).where(factor.user_id == world.id("users")))


def _with_known_code(session: Session, world: World) -> None:
    _password(session, world)
    _set(RecoveryCode, code_hash=sha256(RECOVERY_CODE))(session, world)


def _first_step(world: World) -> None:
    world.browser.post("/sign-in", data={"email": world.rows["users"]["email"], "password": PASSWORD})


def _without_app(session: Session, world: World) -> None:
    session.execute(delete(Authenticator).where(Authenticator.user_id == world.id("users")))


def _app_code(world: World) -> dict[str, str]:
    page = html.unescape(world.browser.get("/account/second-factor").text)
    (secret,), (sealed,) = (
        re.findall(r'data-copy="([A-Z2-7]{32})"', page),
        re.findall(r'"sealed" value="([^"]+)"', page),
    )
    return {"sealed": sealed, "code": pyotp.TOTP(secret).now()}


def _new_passkey(world: World) -> dict[str, str]:
    passkey = SoftPasskey()
    options = world.browser.post("/account/passkeys/options", data={"name": NEW}).json()
    world.rows["soft_passkey"] = {"is": passkey}
    return {"name": NEW, "credential": passkey.make(options)}


def _with_passkey(world: World) -> None:
    world.browser.post("/account/passkeys", data=_new_passkey(world))


def _signed_by_passkey(world: World) -> dict[str, str]:
    options = world.browser.post("/sign-in/passkey/options").json()
    return {"credential": world.rows["soft_passkey"]["is"].sign(options)}


def _other_with_app(session: Session, world: World) -> None:
    _other_member(session, world)
    session.flush()
    session.add(Authenticator(user_id=world.id("another"), sealed_secret="sealed"))


LORA = random_lora(SD_1, "stable_diffusion_1", alpha=2.0)


def _adapter_file(_world: World) -> tuple[str, bytes]:
    return "pots.safetensors", safetensors_file.to_bytes(key_formats.to_kohya(LORA, "stable_diffusion_1"), {})


def _voice_file(_world: World) -> tuple[str, bytes]:
    return "voice.safetensors", voice_file(576)


def _text_file(_world: World) -> tuple[str, bytes]:
    return "pots.txt", b"We bake bread with rye and salt.\n" * 5


def _uploaded(world: World) -> None:
    answer = world.browser.post("/adapter-files", files={"file": _adapter_file(world)})
    world.rows["brought_files"] = {"id": answer.headers["location"].rsplit("/", 1)[1]}


def _font_file(_world: World) -> tuple[str, bytes]:
    return "muster.ttf", font_file()


def _guideline_file(_world: World) -> tuple[str, bytes]:
    return "guideline.pdf", pdf(simple())


def _kit_emptied(session: Session, world: World) -> None:
    where = {"workspace_id": world.id("workspaces"), "project_id": world.id("projects")}
    session.add(KitVersion(**where, number=2, snapshot=KitSnapshot(version=2).model_dump(mode="json")))


MOMENT = from_stamp(int(PLAIN_PARAMETERS["stamp"]))
NAMED = Sound(given={"name": NEW})
OUTPUTS = Sound(given=lambda world: {"ids": [world.id("outputs")]})
TEXTS = Sound(given=lambda world: {"ids": [world.id("text_samples")]})
IMAGES = Sound(given=lambda world: {"ids": [world.id("images")]})
LEFT_OUT_IMAGE = _set(Image, included=False)
GONE_OUTPUT = Sound(_set(Output, deleted_at=MOMENT))
SECOND_OWNER = Sound(_second_owner)
TO_ANOTHER = Sound(_other_member, replaced=lambda world: (world.id("users"), world.id("another")))
OTHER_WITH_APP = Sound(_other_with_app, replaced=TO_ANOTHER.replaced)
FOUND = Sound(given={"find": "caption"})
REMOVED_CHANNEL = Sound(_set(OwnChannel, removed_at=MOMENT))
LOCAL = Sound(_offered, {"entry": "pots.safetensors"})
ARCHIVED_BASE = Sound(_set(OwnBase, archived_at=MOMENT))
ARCHIVED_ADAPTER = Sound(_set(Adapter, archived_at=MOMENT))
OF_THE_HUB = ("livery-builtin", HUB_BASE)
FETCHED = Sound(replaced=OF_THE_HUB)
NOT_MERGED = Sound(_without(MergedFile))
ADAPTER_FILE = Sound(file=_adapter_file)
VOICE_FILE = Sound(file=_voice_file)
TEXT_FILE = Sound(file=_text_file)
FONT_FILE = Sound(file=_font_file)
GUIDELINE_FILE = Sound(file=_guideline_file)
ADOPTED = Sound(given={"base_model": "stable-diffusion-1-5"}, first=_uploaded)
NOT_VOTED = Sound(_without(BlindVote))
WITH_ADAPTER = Sound(_drawn_with_an_adapter)
TAUGHT = Sound(_many_texts)

SOUND: dict[str, Sound] = {
    "POST /preferences": Sound(given={"theme": "dark"}),
    "POST /account/name": NAMED,
    "POST /account/password": Sound(
        _password, {"present": PASSWORD, "password": NEW + " and long", "password_again": NEW + " and long"}
    ),
    "POST /sign-in": Sound(
        _with_password_alone, lambda world: {"email": world.rows["users"]["email"], "password": PASSWORD}
    ),
    "POST /sign-in/second-step": Sound(_with_known_code, {"code": RECOVERY_CODE}, first=_first_step),
    "POST /sign-in/passkey": Sound(given=_signed_by_passkey, first=_with_passkey),
    "POST /account/second-factor/authenticator": Sound(_without_app, _app_code),
    "POST /account/passkeys": Sound(given=_new_passkey),
    "POST /members/{user_id}/second-factor/remove": OTHER_WITH_APP,
    "DELETE /api/v1/members/{user_id}/second-factor": OTHER_WITH_APP,
    "POST /account/browsers/sign-out-others": Sound(_another_browser),
    "POST /members/{user_id}/role": Sound(_second_owner, {"role": "editor"}),
    "POST /members/{user_id}/remove": SECOND_OWNER,
    "POST /members/leave": SECOND_OWNER,
    "POST /members/{user_id}/reset-link": TO_ANOTHER,
    "POST /settings": NAMED,
    "POST /settings/channels": Sound(given={"name": NEW, "width_px": "640", "height_px": "480"}),
    "POST /settings/channels/{channel_id}/put-back": REMOVED_CHANNEL,
    "POST /projects/{project_id}/palette": Sound(given={"add": "#123456"}),
    "POST /projects/{project_id}/name": NAMED,
    "POST /projects/{project_id}/cover": Sound(given=lambda world: {"picture_id": world.id("images")}),
    "POST /projects/{project_id}/unarchive": Sound(_set(Project, archived_at=MOMENT)),
    "POST /projects/{project_id}/images/include": Sound(LEFT_OUT_IMAGE, IMAGES.given),
    "POST /projects/{project_id}/images/leave-out": IMAGES,
    "POST /projects/{project_id}/images/delete": IMAGES,
    "POST /projects/{project_id}/images/restore/{stamp}": Sound(_set(Image, deleted_at=MOMENT)),
    "POST /projects/{project_id}/images/replace": FOUND,
    "POST /images/{image_id}/include": Sound(LEFT_OUT_IMAGE),
    "POST /projects/{project_id}/brand-kit/colours": Sound(
        _set(Project, palette=["#123456"]), {"role_text": "#123456"}
    ),
    "POST /projects/{project_id}/brand-kit/do-nots": Sound(given={"do_nots": NEW}),
    "POST /projects/{project_id}/brand-kit/legal": Sound(given={"locale": ["de"], "legal": [NEW], "disclaimers": [""]}),
    "POST /projects/{project_id}/brand-kit/personas": Sound(given={"persona": [NEW], "who": [""], "motive": [""]}),
    "POST /projects/{project_id}/brand-kit/guidelines": GUIDELINE_FILE,
    "POST /projects/{project_id}/brand-kit/guidelines/{guideline_id}": Sound(given={"rule": ["0"]}),
    "POST /api/v1/projects/{project_id}/brand-kit/guidelines": GUIDELINE_FILE,
    "POST /api/v1/projects/{project_id}/brand-kit/guidelines/{guideline_id}/take-over": Sound(given={"rules": [0]}),
    "POST /projects/{project_id}/brand-kit/logos/{logo_kind}": Sound(given={"clear_percent": "40"}),
    "POST /projects/{project_id}/brand-kit/awaited-fonts/remove": Sound(
        given=lambda world: {"family": f"{world.name} awaited"}
    ),
    "POST /projects/{project_id}/brand-kit/font-roles": Sound(
        given=lambda world: {"headline_family": f"{world.name} family"}
    ),
    "POST /projects/{project_id}/brand-kit/fonts": FONT_FILE,
    "POST /projects/{project_id}/brand-kit/fonts/{sha}": Sound(given={"licence": NEW}),
    "POST /projects/{project_id}/brand-kit/versions/{kit_version}/put-back": Sound(
        _kit_emptied, replaced=("/versions/1/", "/versions/2/")
    ),
    "POST /projects/{project_id}/brand-kit/versions/{kit_version}/restore": Sound(_kit_emptied),
    "POST /api/v1/projects/{project_id}/brand-kit/versions/{kit_version}/restore": Sound(_kit_emptied),
    "POST /api/v1/projects/{project_id}/brand-kit/fonts": FONT_FILE,
    "POST /projects/{project_id}/voice/files": TEXT_FILE,
    "POST /projects/{project_id}/voice/texts/include": TEXTS,
    "POST /projects/{project_id}/voice/texts/leave-out": TEXTS,
    "POST /projects/{project_id}/voice/texts/channel": TEXTS,
    "POST /projects/{project_id}/voice/texts/personal": TEXTS,
    "POST /projects/{project_id}/voice/texts/delete": TEXTS,
    "POST /projects/{project_id}/voice/texts/restore/{stamp}": Sound(_set(TextSample, deleted_at=MOMENT)),
    "POST /base-models/local": LOCAL,
    "POST /base-models/{base_id}/describe": NAMED,
    "POST /base-models/{base_id}/take-back": ARCHIVED_BASE,
    "POST /base-models/{key}/fetch": FETCHED,
    "POST /base-models/{key}/cancel": Sound(_download_queued, replaced=OF_THE_HUB),
    "POST /base-models/{key}/remove-files": FETCHED,
    "POST /adapter-files": ADAPTER_FILE,
    "POST /adapter-files/{file_id}/adopt": ADOPTED,
    "POST /projects/{project_id}/adapters/voice": VOICE_FILE,
    "POST /adapters/{voice_adapter_id}/merged/{form}": NOT_MERGED,
    "POST /adapters/{adapter_id}/unarchive": ARCHIVED_ADAPTER,
    "POST /projects/{project_id}/voice-trainings": TAUGHT,
    "POST /outputs/{output_id}/compare": WITH_ADAPTER,
    "POST /outputs/{output_id}/strip": WITH_ADAPTER,
    "POST /variants/{variant_id}/edit": Sound(given={"text": NEW}),
    "POST /variants/{variant_id}/unfavourite": Sound(prepare=_set(WritingVariant, favourite=True)),
    "POST /variants/{variant_id}/reopen": Sound(prepare=_set(WritingVariant, review="approved")),
    "POST /blind-pairs/{pair_id}/vote": NOT_VOTED,
    "POST /outputs/{output_id}/unfavourite": Sound(prepare=_set(Output, favourite=True)),
    "POST /outputs/{output_id}/reopen": Sound(prepare=_set(Output, review="approved")),
    "POST /outputs/{output_id}/keep": Sound(prepare=_set(Output, in_gallery=False)),
    "POST /gallery/review/{output_id}/unfavourite": Sound(prepare=_set(Output, favourite=True)),
    "POST /gallery/review/{output_id}/reopen": Sound(prepare=_set(Output, review="approved")),
    "POST /gallery/selection/favourite": OUTPUTS,
    "POST /gallery/selection/unfavourite": replace(OUTPUTS, prepare=_set(Output, favourite=True)),
    "POST /gallery/selection/reopen": replace(OUTPUTS, prepare=_set(Output, review="approved")),
    "POST /gallery/selection/keep": replace(OUTPUTS, prepare=_set(Output, in_gallery=False)),
    "POST /api/v1/outputs/mark": Sound(given=lambda world: {"ids": [world.id("outputs")], "review": "approved"}),
    "POST /gallery/selection/approve": OUTPUTS,
    "POST /gallery/selection/reject": OUTPUTS,
    "POST /gallery/selection/sort": Sound(given=lambda world: {"ids": [world.id("outputs")], "tags": NEW}),
    "POST /gallery/selection/delete": OUTPUTS,
    "POST /gallery/deletions/{number}/undo": GONE_OUTPUT,
    "POST /campaigns": NAMED,
    "POST /campaigns/{campaign_id}/rename": NAMED,
    "POST /operations/jobs/{job_id}/requeue": Sound(_set(Job, state="failed")),
    "POST /operations/workers/{worker_id}/drain": Sound(_running),
    "POST /operations/workers/{worker_id}/resume": Sound(_drained),
    "PATCH /api/v1/me": NAMED,
    "PATCH /api/v1/members/{user_id}": Sound(_second_owner, {"role": "editor"}),
    "DELETE /api/v1/members/{user_id}": SECOND_OWNER,
    "POST /api/v1/members/{user_id}/reset-link": TO_ANOTHER,
    "PATCH /api/v1/workspace": NAMED,
    "PATCH /api/v1/projects/{project_id}": NAMED,
    "PATCH /api/v1/images/{image_id}": Sound(given={"caption": NEW}),
    "POST /api/v1/projects/{project_id}/captions/replace": FOUND,
    "POST /api/v1/projects/{project_id}/voice/texts/change": Sound(
        given=lambda world: {"ids": [world.id("text_samples")], "included": False}
    ),
    "POST /api/v1/projects/{project_id}/voice/imports": TEXT_FILE,
    "POST /api/v1/own-base-models/local": LOCAL,
    "PUT /api/v1/own-base-models/{base_id}": NAMED,
    "POST /api/v1/own-base-models/{base_id}/take-back": ARCHIVED_BASE,
    "POST /api/v1/base-models/{key}/files": FETCHED,
    "DELETE /api/v1/base-models/{key}/files": FETCHED,
    "PATCH /api/v1/adapters/{adapter_id}": NAMED,
    "POST /api/v1/adapters/{adapter_id}/unarchive": ARCHIVED_ADAPTER,
    "POST /api/v1/adapters/{voice_adapter_id}/merged/{form}": NOT_MERGED,
    "POST /api/v1/projects/{project_id}/adapters/voice": VOICE_FILE,
    "POST /api/v1/adapter-files": ADAPTER_FILE,
    "POST /api/v1/adapter-files/{file_id}/adopt": ADOPTED,
    "POST /api/v1/projects/{project_id}/voice-trainings": TAUGHT,
    "POST /api/v1/outputs/{output_id}/strip": WITH_ADAPTER,
    "PATCH /api/v1/variants/{variant_id}": Sound(given={"text": NEW}),
    "POST /api/v1/blind-pairs/{pair_id}/vote": NOT_VOTED,
    "POST /api/v1/deletions/{number}/undo": GONE_OUTPUT,
    "POST /api/v1/campaigns": NAMED,
    "POST /api/v1/ad-channels": Sound(given={"name": NEW, "width_px": 640, "height_px": 480}),
    "POST /api/v1/ad-channels/{channel_id}/put-back": REMOVED_CHANNEL,
    "PATCH /api/v1/campaigns/{campaign_id}": NAMED,
}
"""By route."""
