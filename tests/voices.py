"""The two voices of ``tests/data/voice``, as training reads them and as rows of a brand."""

import hashlib
import json
from typing import Any

import numpy as np
from safetensors.numpy import save

from app.adapters import service as adapters
from app.adapters.models import Adapter
from app.adapters.service import AdapterFiles
from app.adapters.voice.files import CONFIGURATION
from app.db import Database, new_id
from app.storage import Storage
from app.voice.analysis import pairs
from app.voice.analysis.pairs import VoiceSample
from app.voice.models import TextSample
from tests.servers import ROOT

FOLDER = ROOT / "tests" / "data" / "voice"
BUILTIN = "smollm2-135m-instruct"
NORDLICHT, FIZZBEE = "nordlicht", "fizzbee"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()]


def samples(name: str, language: str | None = None) -> list[VoiceSample]:
    """All samples of one voice, or those in ``language``, with derived briefs."""
    wanted = [row for row in rows(name) if language in (None, row["language"])]
    vocabulary = pairs.Vocabulary.of((row["text"], row["language"]) for row in wanted)
    return [
        VoiceSample(
            sample_id=f"{name}-{number}",
            text=row["text"],
            title=row["title"],
            channel=row["channel"],
            language=row["language"],
            brief=pairs.derive_brief(
                row["text"],
                title=row["title"],
                channel=row["channel"],
                language=row["language"],
                vocabulary=vocabulary,
            ),
        )
        for number, row in enumerate(wanted)
    ]


def voice_rows(name: str = NORDLICHT, language: str = "en") -> list[dict[str, Any]]:
    """Text, title, channel and language of one of the two voices."""
    return [row for row in rows(name) if row["language"] == language]


def add_texts(database: Database, workspace_id: str, project_id: str, count: int, name: str = NORDLICHT) -> list[str]:
    """Give the brand the first ``count`` texts of a voice; returns their ids."""
    rows = [
        TextSample(
            workspace_id=workspace_id,
            project_id=project_id,
            position=position,
            text_hash=hashlib.sha256(row["text"].encode()).hexdigest()[:32],
            signature="",
            **row,
        )
        for position, row in enumerate(voice_rows(name)[:count])
    ]
    with database.write() as session:
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def voice_file(side: int = 64) -> bytes:
    """A voice with one changed layer, ``side`` numbers wide: 576 in the builtin model."""
    layer, random = "base_model.model.model.layers.0.self_attn.q_proj", np.random.default_rng(0)
    halves = {
        f"{layer}.lora_A.weight": random.normal(size=(2, side)).astype(np.float32),
        f"{layer}.lora_B.weight": random.normal(size=(side, 2)).astype(np.float32),
    }
    facts = {"r": 2, "lora_alpha": 4, "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct"}
    return save(halves, {CONFIGURATION: json.dumps(facts)})


def add_voice(
    database: Database, storage: Storage, workspace_id: str, project_id: str, *, base_model: str = BUILTIN
) -> Adapter:
    """A voice of the brand, and its files."""
    content = voice_file()
    adapter_id = new_id()
    key = f"projects/{project_id}/adapters/{adapter_id}/adapter.safetensors"
    gguf_key = key.replace("safetensors", "gguf")
    storage.put(key, content)
    storage.put(gguf_key, b"GGUF")
    with database.write() as session:
        return adapters.register(
            session,
            adapter_id=adapter_id,
            workspace_id=workspace_id,
            project_id=project_id,
            training_id=None,
            version=None,
            modality="text",
            purpose="voice",
            base_model=base_model,
            rank=2,
            alpha=4,
            trigger_word="",
            files=AdapterFiles(key, key, key, len(content), hashlib.sha256(content).hexdigest(), gguf_key),
            facts={"language": "en", "sample_count": 24},
            created_by=None,
        )
