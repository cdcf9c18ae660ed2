"""Trainings: what they were started with, and what was measured while it ran. Its state lives on the job."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class Training(Base):
    __tablename__ = "trainings"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    modality: Mapped[str] = mapped_column(String(8), default="image", server_default="image")
    """``image`` learns a look from pictures, ``text`` a voice from written samples."""
    purpose: Mapped[str] = mapped_column(String(12))
    base_model: Mapped[str] = mapped_column(String(80))
    recipe: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``TrainingRecipe``; of a voice a ``VoiceRecipe``."""
    pictures: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Frozen at the start: image id, working key, filename, caption, crop and target size of each."""
    voice: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    """A ``FrozenVoice``: the samples as they were at the start; None for pictures."""
    estimate: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What was promised before the start, with its basis."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    seconds_per_step: Mapped[float | None] = mapped_column(Float, default=None)
    """Measured; None until it has ended."""
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    device: Mapped[str | None] = mapped_column(String(120), default=None)
    measures: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    """``Measures`` of a voice on the validation split; None until it has ended, and for pictures."""

    __table_args__ = (Index("ix_trainings_project", "project_id", "created_at"),)


class LossPoint(Base):
    """Mean loss over a stretch of steps."""

    __tablename__ = "loss_points"

    training_id: Mapped[str] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    """The last step of the stretch."""
    loss: Mapped[float] = mapped_column(Float)
    learning_rate: Mapped[float] = mapped_column(Float)


class TrainingSample(Base):
    """A picture drawn while training. Step 0 is the base alone."""

    __tablename__ = "training_samples"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    training_id: Mapped[str] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    step: Mapped[int]
    position: Mapped[int]
    """Which of the fixed prompts."""
    prompt: Mapped[str] = mapped_column(Text)
    seed: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(String(300))
    width: Mapped[int]
    height: Mapped[int]

    __table_args__ = (UniqueConstraint("training_id", "step", "position", name="uq_training_samples_place"),)


class HeldOutPoint(Base):
    """Mean loss over the validation split of a voice's samples. Step 0 is the base alone."""

    __tablename__ = "held_out_points"

    training_id: Mapped[str] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    loss: Mapped[float] = mapped_column(Float)


class TrainingText(Base):
    """A text written while a voice is trained. Step 0 is the base alone."""

    __tablename__ = "training_texts"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    training_id: Mapped[str] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    step: Mapped[int]
    position: Mapped[int]
    """Which of the briefs."""
    brief: Mapped[str] = mapped_column(Text)
    seed: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)

    __table_args__ = (UniqueConstraint("training_id", "step", "position", name="uq_training_texts_place"),)
