"""A workspace with one row of everything in it, and requests to every route that fit it.

Nothing here knows the features by name except the tables below, so that a new table or route is walked from its first
day; where something cannot be guessed, the test that needs it fails and says what to add.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import PIL.Image
import pydantic
from fastapi import FastAPI, params
from fastapi.routing import iter_route_contexts
from sqlalchemy import Table, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

import app.models  # noqa: F401
from app.accounts.service import sha256
from app.audit import chain
from app.base_models import catalogue
from app.brand_kits.guidelines.proposals import Found
from app.brand_kits.snapshot import Font, KitSnapshot, Logo
from app.db import Base, Database, UtcDateTime, new_id, now
from app.generations.recipe import GenerationRecipe
from app.jobs.kinds import KINDS
from app.layouts.channels import channel
from app.matrix.brief import Audience, Brief
from app.matrix.spec import CellSpec, Place, Words
from app.storage import Storage
from app.trainings.estimates import Estimate
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.voice.recipe import VoiceRecipe
from app.web.gate.csrf import token_for
from app.web.gate.middleware import SESSION_COOKIE
from app.writings.recipe import ArmRecipe, Message, WritingOrder, WritingRecipe

NOT_OF_A_WORKSPACE = {"workers", "offered_bases", "tallies", "orphan_files"}
"""Tables about the whole machine."""

AUDIT = ("audit_chains", "audit_events")
"""A chain is not made row by row: the world's begins with one true event."""

TABLE_OF_PARAMETER = {
    "user_id": "users",
    "session_id": "browser_sessions",
    "invitation_id": "invitations",
    "base_id": "base_models",
    "token_id": "api_tokens",
    "passkey_id": "passkeys",
    "project_id": "projects",
    "image_id": "images",
    "text_id": "text_samples",
    "import_id": "voice_imports",
    "training_id": "trainings",
    "voice_training_id": "voice_trainings",
    "voice_adapter_id": "voice_adapters",
    "sample_id": "training_samples",
    "adapter_id": "adapters",
    "file_id": "brought_files",
    "generation_id": "generations",
    "writing_id": "writings",
    "variant_id": "writing_variants",
    "pair_id": "blind_pairs",
    "output_id": "outputs",
    "change_id": "output_changes",
    "start_id": "start_pictures",
    "campaign_id": "campaigns",
    "cell_id": "cells",
    "rendering_id": "renderings",
    "channel_id": "own_channels",
    "guideline_id": "brand_guidelines",
    "job_id": "jobs",
    "workspace_id": "workspaces",
    "verdict_id": "verdicts",
}
"""Every id that an address can carry."""

PLAIN_PARAMETERS = {
    "stamp": "1764000000000000",
    "number": "1764000000000000",
    "size": "thumb",
    "key": "livery-builtin",
    "place": "0",
    "times": "2",
    "step": "10",
    "dialect": "canonical",
    "program": "diffusers",
    "kind": "diffusers",
    "voice_file": "safetensors",
    "form": "gguf_f16",
    "name": "look",
    "tag": "summer",
    "worker_id": "a-machine-1",
    "help_page": "formats",
    "logo_kind": "light",
    "kit_version": "1",
}
"""What else an address can carry; ``sha`` is the world's own."""

TABLE_OF_FIELD = TABLE_OF_PARAMETER | {
    "base_model": "base_models",
    "campaign": "campaigns",
    "adapter": "adapters",
    "brand": "projects",
    "source": "outputs",
    "again": "generations",
    "start": "start_pictures",
    "order_id": "trainings",
    "image_ids": "images",
    "picture_id": "images",
    "cover_id": "images",
    "text_ids": "text_samples",
    "output_ids": "outputs",
    "adapter_ids": "adapters",
}
"""Every id that a form, a JSON body or a query can carry. ``ids`` are of what the address is about."""

VALUES: dict[str, dict[str, Any]] = {
    "base_models": {"family": "stable_diffusion", "place": "hub", "source": "someone/something"},
    "base_copies": {"base_model": "stable-diffusion-1-5"},
    "base_downloads": {"base_model": "stable-diffusion-1-5"},
    "invitations": {"role": "editor", "accepted_at": None},
    "voice_imports": {"format": "txt"},
    "text_samples": {"channel": "post", "language": "en"},
    "boilerplate_lines": {"choice": "keep"},
    "jobs": {"lane": "generation", "kind": "generation", "state": "queued"},
    "images": {
        "format": "png",
        "width": 64,
        "height": 48,
        "working_width": 64,
        "working_height": 48,
        "dhash": "0" * 16,
    },
    "trainings": {"purpose": "style", "base_model": "livery-builtin"},
    "adapters": {
        "purpose": "style",
        "base_model": "livery-builtin",
        "rank": 4,
        "alpha": 4.0,
        "facts": {"base_edition": catalogue.get("livery-builtin").edition},
    },
    "merged_files": {"form": "gguf_f16"},
    "guideline_logos": {"place": 0},
    "own_channels": {"width_px": 640, "height_px": 480, "file_type": "png"},
    "outputs": {"width": 64, "height": 48},
    "output_changes": {"before": {"favourite": True}, "after": {"favourite": False}},
    "start_pictures": {"width": 64, "height": 48},
    "writings": {"channel": "post", "language": "de", "count": 1},
    "writing_variants": {"arm": "adapter", "position": 0, "finished": True},
    "blind_votes": {"choice": "left"},
    "verdicts": {"subject_kind": "variant", "state": "rejected", "taken_back_at": None, "taken_back_by": None},
    "training_samples": {"width": 64, "height": 48},
}
"""Where a column means more than its type says."""

TEXT_FOR_FIELD = {
    "base_model": "livery-builtin",
    "address": "ada/look",
    "repository": "ada/look",
    "token": "hf_of_nobody",
    "layout": "poster",
    "audience": "0000000a",
    "own_key": "0000000a",
    "locale": "de",
    "locales": "de",
    "channels": "x_post",
    "role": "viewer",
    "email": "somebody@example.org",
    "password": "a long enough password",
    "password_again": "a long enough password",
    "present": "a long enough password",
    "colours": "#336699",
    "palette": "#336699",
    "add": "#336699",
}


NEEDED_IN_PRACTICE = {"anyway", "brief", "prompt", "name", "find", "words", "text"} | {
    "offer",
    "own_key",
    "own_name",
    "channels",
    "locales",
    "layout",
}
"""Fields that a form may leave out, and a request that means something does not."""

FREE_TEXTS = {"title", "caption", "look_notes", "note"}
"""Texts that may be empty and are not, here: they would tell."""

PICTURES = 12
"""As many as a training needs."""


@dataclass
class World:
    """One row of every table, and two ways in: a browser and a program."""

    name: str
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    sha: str = ""
    browser: TestClient = None  # type: ignore[assignment]
    program: TestClient = None  # type: ignore[assignment]

    def id(self, table: str) -> str:
        return str(self.rows[table]["id"])

    @property
    def ids(self) -> set[str]:
        return {row["id"] for table, row in self.rows.items() if "id" in row and table not in NOT_OF_A_WORKSPACE}


class Nobody(World):
    """Its ids are of nothing."""

    def id(self, table: str) -> str:
        return sha256(table)[:32]


def build(application: FastAPI, storage: Storage, name: str, *, role: str = "owner") -> World:
    """A workspace of its own, whose every text contains ``name``."""
    world = World(name, sha=sha256(name + new_id()))
    world.rows = {table.name: {"id": new_id()} for table in Base.metadata.sorted_tables if "id" in table.columns}
    session_token, api_token = new_id(), f"lvy_{new_id()}"
    given: dict[str, dict[str, Any]] = {key: dict(values) for key, values in VALUES.items()}
    given["memberships"] = {"role": role}
    given["browser_sessions"] = {"token_hash": sha256(session_token)}
    given["api_tokens"] = {"token_hash": sha256(api_token), "revoked_at": None, "read_only": False}
    given["users"] = {"email": f"{new_id()}@example.org", "locale": "en", "theme": "auto"}
    given["trainings"] |= {"recipe": _training_recipe(name), "estimate": ESTIMATE.model_dump(mode="json")}
    given["writings"] |= {"recipe": _writing_order(name)}
    given["verdicts"] |= {"subject_id": world.id("writing_variants")}
    given["writing_variants"] |= {"text": f"{name} text"}
    given["brand_kits"] = {"snapshot": _kit(name, world.sha)}
    given["campaign_briefs"] = {"brief": _brief(name)}
    given["campaigns"] = {"name": f"{name} campaign"}
    given["campaign_pictures"] = {"audience": "0000000a", "shape": "square"}
    given["campaign_words"] = {"locale": "de", "audience": "0000000a"}
    given["cells"] = {"audience": "0000000a", "locale": "de", "version": 1, "review": "approved"}
    given["cell_versions"] = {"spec": _cell_spec(name, world), "number": 1, "sha256": world.sha, "findings": []}
    given["brand_guidelines"] = {"found": _found(name, world.sha)}
    given["generations"] = {"recipe": _generation_recipe(name), "channel": "square"}
    database: Database = application.state.database
    with database.write() as session:
        for table in Base.metadata.sorted_tables:
            if table.name not in (*NOT_OF_A_WORKSPACE, *AUDIT):
                world.rows[table.name] = _row(world, table, given.get(table.name, {}))
                session.execute(table.insert(), world.rows[table.name])
        tables = Base.metadata.tables
        session.execute(tables["jobs"].insert(), _job(world, "training", world.id("trainings")))
        session.execute(tables["jobs"].insert(), _job(world, "writing", world.id("writings")))
        session.execute(tables["jobs"].insert(), _job(world, "rendering", world.id("renderings")))
        earlier = {"id": new_id(), "number": 0, "spec": _cell_spec(name, world) | {"theme": "dark"}}
        session.execute(tables["cell_versions"].insert(), world.rows["cell_versions"] | earlier)
        # A voice's training and adapter are rows of the same tables, told apart by what they learn from.
        voice_training = world.rows["trainings"] | {"id": new_id()} | _voice_training(name)
        session.execute(tables["trainings"].insert(), voice_training)
        session.execute(tables["jobs"].insert(), _job(world, "voice_training", voice_training["id"]))
        voice_adapter = world.rows["adapters"] | {
            "id": new_id(),
            "modality": "text",
            "purpose": "voice",
            "base_model": "smollm2-135m-instruct",
            "version": 2,
            "training_id": voice_training["id"],
        }
        session.execute(tables["adapters"].insert(), voice_adapter)
        merged_voice = world.rows["merged_files"] | {"id": new_id(), "adapter_id": voice_adapter["id"]}
        session.execute(tables["merged_files"].insert(), merged_voice)
        for kind in KINDS:
            for state in ("done", "failed"):
                ended = {"state": state, "finished_at": now()}
                session.execute(tables["jobs"].insert(), _job(world, kind, new_id()) | ended)
        others = [{"id": new_id(), "sha256": sha256(new_id())} for _number in range(PICTURES - 1)]
        session.execute(tables["images"].insert(), [world.rows["images"] | other for other in others])
        _begin_chain(session, world)
    picture = io.BytesIO()
    PIL.Image.new("RGB", (64, 48), "#336699").save(picture, "WEBP")
    for row in world.rows.values():
        for column, value in row.items():
            if column == "key" or column.endswith("_key"):
                storage.put(value, picture.getvalue())
    storage.put(f"worlds/{world.sha}/kit.svg", picture.getvalue())
    world.rows |= {"voice_trainings": voice_training, "voice_adapters": voice_adapter}
    world.browser = TestClient(application, follow_redirects=False, raise_server_exceptions=False)
    world.browser.cookies.set(SESSION_COOKIE, session_token)
    world.browser.headers["x-csrf-token"] = token_for(application.state.signing_key, world.id("browser_sessions"))
    world.program = TestClient(application, follow_redirects=False, raise_server_exceptions=False)
    world.program.headers["authorization"] = f"Bearer {api_token}"
    return world


def _brief(name: str) -> dict[str, Any]:
    audience = Audience(key="0000000a", name=f"{name} audience")
    made = Brief(offer=f"{name} offer", audiences=(audience,), channels=("x_post",), locales=("de",), layout="poster")
    return made.model_dump(mode="json")


def _cell_spec(name: str, world: World) -> dict[str, Any]:
    spec = CellSpec(
        place=Place.of(channel("x_post")),
        locale="de",
        output_id=world.id("outputs"),
        picture=world.sha,
        words=Words(headline=f"{name} headline"),
        focus=(0.2, 0.3),
        layout="split",
        kit_version=0,
    )
    return spec.model_dump(mode="json")


def _job(world: World, kind: str, subject_id: str) -> dict[str, Any]:
    """The row of a further job like the world's own, of another kind."""
    about = {"lane": KINDS[kind].queue, "kind": kind, "subject_id": subject_id}
    return world.rows["jobs"] | {"id": new_id()} | about


def _begin_chain(session: Session, world: World) -> None:
    details = {"actor_id": world.id("users"), "actor_name": f"{world.name} name", "person_id": world.id("users")}
    event = chain.append(
        session,
        workspace_id=world.id("workspaces"),
        action="project.created",
        actor_kind="person",
        request="",
        details=details | {"subject_id": world.id("projects"), "subject_label": f"{world.name} brand", "count": 1},
    )
    world.rows["audit_events"] = {"id": event.id}


class Unspent:
    """Worlds for one request after another: what only looks leaves a world as it was, so the next request gets it."""

    def __init__(self, application: FastAPI, storage: Storage, name: str) -> None:
        self._made = (application, storage, name)
        self._world: World | None = None

    def world_for(self, walk: "Walk") -> World:
        """A world that nobody has changed."""
        world = self._world or build(*self._made)
        self._world = None if walk.changes else world
        return world


ESTIMATE = Estimate(
    seconds=None, time_basis="none", memory_bytes=1, memory_basis="catalogue", file_bytes=None, cost=None
)


def _training_recipe(name: str) -> dict[str, Any]:
    recipe = TrainingRecipe(
        base_model="livery-builtin",
        purpose="style",
        trigger_word=name.lower(),
        rank=4,
        alpha=4,
        learning_rate=1e-4,
        steps=10,
        resolution=256,
        sample_prompts=(f"{name} prompt",),
    )
    return recipe.model_dump(mode="json")


def _voice_training(name: str) -> dict[str, Any]:
    text = {
        "sample_id": new_id(),
        "order": [["user", f"{name} order"]],
        "text": f"{name} text",
        "language": "en",
        "channel": "post",
        "held_out": False,
    }
    recipe = VoiceRecipe(base_model="smollm2-135m-instruct", rank=4, alpha=8, learning_rate=1e-3, epochs=1)
    return {
        "modality": "text",
        "purpose": "voice",
        "base_model": "smollm2-135m-instruct",
        "recipe": recipe.model_dump(mode="json"),
        "voice": {"texts": [text], "language": "en", "style_guide": f"{name} guide"},
        "measures": None,
    }


def _writing_order(name: str) -> dict[str, Any]:
    recipe = WritingRecipe(
        base_model="smollm2-135m-instruct", messages=(Message(role="user", content=f"{name} brief"),), seed=1
    )
    return WritingOrder(arms=(ArmRecipe(arm="adapter", recipe=recipe),)).model_dump(mode="json")


def _generation_recipe(name: str) -> dict[str, Any]:
    recipe = GenerationRecipe(base_model="livery-builtin", prompt=f"{name} prompt", width=256, height=256, seed=1)
    return recipe.model_dump(mode="json")


def _kit(name: str, sha: str) -> dict[str, Any]:
    """A kit with a logo and a font, which are one file here."""
    file = {"sha256": sha, "key": f"worlds/{sha}/kit.svg", "filename": f"{name} file", "byte_count": 1}
    logo = Logo(kind="light", format="svg", width=1000, height=500, transparent=True, **file)
    facts = {"weight": 400, "italic": False, "variable": False, "glyphs": 1, "fs_type": 0}
    font = Font(format="ttf", family=f"{name} family", style="Regular", **facts, **file)
    return KitSnapshot(
        version=1, logos=(logo,), fonts=(font,), do_nots=(f"{name} not",), awaited=(f"{name} awaited",)
    ).model_dump(mode="json")


def _found(name: str, sha: str) -> dict[str, Any]:
    """A rule, a family and a logo."""
    rule = {"text": f"{name} rule", "kind": "do_not", "page": 1}
    logo = {"format": "png", "sha256": sha, "width": 64, "height": 48, "transparent": True}
    found = {"rules": [rule], "families": [{"name": f"{name} font", "pages": 1}], "logos": [logo]}
    return Found.model_validate(found).model_dump(mode="json")


def _row(world: World, table: Table, given: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.name in given:
            row[column.name] = given[column.name]
        elif column.foreign_keys:
            other = next(iter(column.foreign_keys)).column
            row[column.name] = world.rows[other.table.name][other.name]
        elif column.name == "sha256":
            row[column.name] = world.sha
        elif column.name == "id":
            row[column.name] = world.id(table.name)
        elif column.name == "key" or column.name.endswith("_key"):
            row[column.name] = f"worlds/{new_id()}/{table.name}.webp"
        elif column.name == "subject_id":
            row[column.name] = world.id("generations")
        elif column.name == "expires_at":
            row[column.name] = now() + timedelta(days=1)
        elif column.name.endswith("_at") and not column.nullable:
            row[column.name] = now()
        elif column.unique:
            row[column.name] = sha256(new_id())
        elif column.name in FREE_TEXTS or (column.default is None and not column.nullable):
            row[column.name] = _value(world, column)
    return row


def _value(world: World, column: Any) -> Any:
    kind = column.type.python_type
    if kind is str:
        return f"{world.name} {column.name}"[: column.type.length or 200]
    if kind is bool:
        return False
    if kind in (int, float):
        return kind(1)
    if isinstance(column.type, UtcDateTime):
        return now()
    return [] if kind is list or "list" in str(column.type).lower() or column.name in ("pictures", "notes") else {}


def rows_of(database: Database, world: World) -> dict[str, list[dict[str, Any]]]:
    """Everything in the database that belongs to the world, as it stands now."""
    found: dict[str, list[dict[str, Any]]] = {}
    with database.read() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in NOT_OF_A_WORKSPACE:
                continue
            columns = table.columns
            if "workspace_id" in columns:
                where = columns["workspace_id"] == world.id("workspaces")
            elif table.name in ("users", "workspaces"):
                where = columns["id"] == world.id(table.name)
            else:
                column = next(column for column in columns if column.foreign_keys)
                where = column == world.id(next(iter(column.foreign_keys)).column.table.name)
            rows = [dict(row) for row in session.execute(select(table).where(where)).mappings()]
            found[table.name] = sorted(rows, key=repr)
    return found


def rows_that_name(database: Database, world: World) -> list[str]:
    """Rows of others, whoever they are, that hold an id of the world anywhere."""
    own = {table: {repr(row) for row in rows} for table, rows in rows_of(database, world).items()}
    found = []
    with database.read() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in NOT_OF_A_WORKSPACE:
                continue
            rows = [repr(dict(row)) for row in session.execute(select(table)).mappings()]
            others = [row for row in rows if row not in own[table.name]]
            found += [f"{table.name}: {row}" for row in others for one in world.ids if one in row]
    return found


@dataclass(frozen=True)
class Walk:
    """One method of one route."""

    method: str
    path: str
    route: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def parameters(self) -> list[str]:
        return list(self.route.param_convertors)

    @property
    def id_parameters(self) -> list[str]:
        return [name for name in self.parameters if name not in PLAIN_PARAMETERS and name != "sha"]

    def fields(self, where: str) -> Iterator[Any]:
        """The route's and its dependencies' parameters of one kind: ``body_params`` or ``query_params``."""
        waiting = [self.route.dependant]
        while waiting:
            dependant = waiting.pop()
            yield from getattr(dependant, where)
            waiting += dependant.dependencies

    def references(self, where: str) -> list[str]:
        """The ids that a body or query of this route can carry."""
        names = {name for one in self.fields(where) for name in _names(one.name, _schema(one.field_info.annotation))}
        return sorted(name for name in names if self.table_of(name) is not None)

    def table_of(self, name: str) -> str | None:
        if name == "ids":
            about = self.path.replace("/api/v1", "")
            if "/voice" in about:
                return "text_samples"
            if about.startswith("/campaigns"):
                return "cells"
            return "images" if "/images" in about or "/captions" in about else "outputs"
        return TABLE_OF_FIELD.get(name)

    def client(self, world: World) -> TestClient:
        return world.program if self.is_api else world.browser

    def address(self, own: World, foreign: World | None = None, only: str | None = None) -> str:
        """The route's address with the ids of ``own``; ``foreign`` gives that of the parameter ``only``."""
        address = self.path
        for name in self.parameters:
            source = foreign if foreign is not None and name == only else own
            if name == "sha":
                value = own.sha[:16]
            elif name in PLAIN_PARAMETERS:
                value = PLAIN_PARAMETERS[name]
            else:
                value = source.id(TABLE_OF_PARAMETER[name])
            address = address.replace("{" + name + "}", value).replace("{" + name + ":path}", value)
        return address

    def send(
        self,
        own: World,
        foreign: World | None = None,
        *,
        parameter: str | None = None,
        reference: str | None = None,
        client: TestClient | None = None,
        given: Mapping[str, Any] | None = None,
        file: tuple[str, bytes] | None = None,
        address: str | None = None,
    ) -> Any:
        """Call the route as ``own``; ``foreign`` gives the id of one address parameter or of one field.

        ``given`` holds fields of the form or body, ``file`` the name and content of what is uploaded, and ``address``
        the address, where made-up ones would not do.
        """
        bodies: dict[str, Any] = {"data": {}, "json": None, "files": []}
        query: dict[str, Any] = {}
        for one in self.fields("body_params"):
            value = self._sample(one.name, _schema(one.field_info.annotation), own, foreign, reference)
            if "UploadFile" in str(one.field_info.annotation):
                bodies["files"].append((one.name, file or ("one.png", _png(own), "image/png")))
            elif isinstance(one.field_info, params.Form):
                single = _is_model(one.field_info.annotation)
                bodies["data"] |= value if single else {one.name: value}
            else:
                bodies["json"] = value
        if given is not None:
            kind = "json" if bodies["json"] is not None else "data"
            bodies[kind] = {**bodies[kind], **given}
        for one in self.fields("query_params"):
            value = self._sample(one.name, _schema(one.field_info.annotation), own, foreign, reference)
            if _is_model(one.field_info.annotation):
                query |= {name: item for name, item in value.items() if item is not None}
            elif one.field_info.is_required() or one.name == reference:
                query[one.name] = value
        bodies = {kind: content for kind, content in bodies.items() if content not in (None, [])}
        return (client or self.client(own)).request(
            self.method, address or self.address(own, foreign, parameter), params=query or None, **bodies
        )

    def _sample(
        self, name: str, schema: dict[str, Any], own: World, foreign: World | None, reference: str | None
    ) -> Any:
        """The smallest value that fits, with the ids of ``own`` and that of ``foreign`` for ``reference``."""
        schema = _resolved(schema)
        table = self.table_of(name)
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            wanted = set(schema.get("required", ()))
            chosen = {
                key: part
                for key, part in schema.get("properties", {}).items()
                if key in wanted | NEEDED_IN_PRACTICE
                or (reference is not None and reference in _names(key, _with_defs(part, schema)))
            }
            # A change of nothing proves nothing: say at least one thing.
            if not chosen and self.method == "PATCH" and schema.get("properties"):
                key, part = next(iter(schema["properties"].items()))
                chosen = {key: part}
            return {
                key: self._sample(key, _with_defs(part, schema), own, foreign, reference)
                for key, part in chosen.items()
            }
        if kind == "array":
            return [self._sample(name, _with_defs(schema.get("items", {}), schema), own, foreign, reference)]
        if table is not None:
            return (foreign if foreign is not None and name == reference else own).id(table)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if kind == "boolean":
            return True
        if kind in ("integer", "number"):
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        if schema.get("pattern") == "^[0-9a-f]{32}$":
            raise AssertionError(f"{self} takes an id called “{name}”: add it to TABLE_OF_FIELD")
        return TEXT_FOR_FIELD.get(name, f"{own.name} {name}"[: schema.get("maxLength", 60)])


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)


@cache
def _schema(annotation: Any) -> dict[str, Any]:
    if "UploadFile" in str(annotation):
        return {"type": "string"}
    return pydantic.TypeAdapter(annotation).json_schema()


def _with_defs(part: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    return part | {"$defs": whole["$defs"]} if "$defs" in whole else part


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while True:
        if "$ref" in schema:
            schema = _with_defs(schema["$defs"][schema["$ref"].rsplit("/", 1)[1]], schema)
        elif "anyOf" in schema:
            # The most telling choice: of a price, the number before the text; never the null.
            choices = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
            schema = _with_defs(choices[0], schema)
        else:
            return schema


def _names(name: str, schema: dict[str, Any]) -> set[str]:
    """The names of all values in a schema, however deep."""
    schema = _resolved(schema)
    if "properties" in schema:
        return {found for key, part in schema["properties"].items() for found in _names(key, _with_defs(part, schema))}
    if schema.get("type") == "array":
        return _names(name, _with_defs(schema.get("items", {}), schema))
    return {name}


def _png(world: World) -> bytes:
    """A picture that no other world has."""
    picture = io.BytesIO()
    PIL.Image.new("RGB", (320, 320), "#" + world.sha[:6]).save(picture, "PNG")
    return picture.getvalue()


def walks(application: FastAPI) -> list[Walk]:
    """Every method of every route that we wrote."""
    return [
        Walk(method, str(route.path), route)
        for route in iter_route_contexts(application.routes)
        if getattr(route, "dependant", None) is not None
        for method in sorted(set(route.methods or ()) - {"HEAD"})
    ]


def brief(answer: Any) -> str:
    return f"{answer.status_code} {json.dumps(answer.text[:120])}"
