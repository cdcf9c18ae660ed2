"""A language model that is trained, with the adapter in it."""

from collections.abc import Mapping

import torch

from app.trainings.voice.recipe import VoiceRecipe
from worker.engines.text import lora
from worker.engines.text.base import Loaded


class TrainedModel:
    """``training_state.Trainable`` of a language model."""

    def __init__(self, loaded: Loaded, recipe: VoiceRecipe, generator: torch.Generator) -> None:
        """Put an adapter into the model; its random numbers come from ``generator``. Raises ``EngineError``
        (``model_unsupported``)."""
        self._model = loaded.model
        self.parameters = lora.inject(loaded.model, recipe, generator)

    def tensors(self) -> dict[str, torch.Tensor]:
        return lora.state(self._model)

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        lora.restore(self._model, tensors)

    @property
    def recomputes_activations(self) -> bool:
        return bool(self._model.is_activation_checkpointing)

    def recompute_activations(self) -> None:
        self._model.activation_checkpointing_enable({"use_reentrant": False})
        self._model.train()  # the libraries compute twice only then; there is no dropout that it would switch on

    def note_step(self, seconds: float) -> None: ...

    def release(self) -> None:
        self._model.activation_checkpointing_disable()
        self._model.eval()
