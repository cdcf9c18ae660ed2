"""The models of a pipeline that are trained, the denoiser and maybe text encoders, with the adapter in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from app.trainings.look.recipe import TrainingRecipe
from worker.engines import optimizers
from worker.engines.image.base import lora
from worker.engines.image.training import compiling


class TrainedModels:
    """``training_state.Trainable`` of a pipeline."""

    def __init__(
        self,
        models: Mapping[str, torch.nn.Module],
        targets: Mapping[str, Sequence[str]],
        recipe: TrainingRecipe,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        """Put an adapter into these models, by their names in the file, the denoiser first; there into the layers whose
        names end as ``targets`` says. Its random numbers come from ``generator``."""
        self._models = dict(models)
        self._denoiser: Any = next(iter(self._models.values()))
        self.parameters: dict[str, torch.nn.Parameter] = {}
        self.groups: list[list[torch.nn.Parameter]] = []
        """Parameters of each model, without DoRA's magnitudes."""
        self.magnitudes: list[torch.nn.Parameter] = []
        for name, model in self._models.items():
            added = lora.inject(model, recipe.rank, recipe.alpha, targets[name], generator, recipe.network)
            self.parameters |= {f"{name}.{key}": parameter for key, parameter in added.items()}
            self.groups.append([one for key, one in added.items() if not lora.is_magnitude(key)])
            self.magnitudes += [one for key, one in added.items() if lora.is_magnitude(key)]
            for parameter in added.values():  # PEFT puts them beside the base, whose blocks may wait elsewhere
                parameter.data = parameter.data.to(device)
        self._trial = compiling.Trial(self._denoiser) if recipe.compile else None

    def tensors(self) -> dict[str, torch.Tensor]:
        return {
            f"{part}.{key}": value for part, model in self._models.items() for key, value in lora.state(model).items()
        }

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for part, own in parts_of(tensors, self._models).items():
            lora.restore(self._models[part], own)

    @property
    def recomputes_activations(self) -> bool:
        return bool(self._denoiser.is_gradient_checkpointing)

    def recompute_activations(self) -> None:
        self._denoiser.enable_gradient_checkpointing()

    def note_step(self, seconds: float) -> None:
        if self._trial is not None:
            self._trial.step(seconds)

    def release(self) -> None:
        if self._trial is not None:
            self._trial.end()
        self._denoiser.disable_gradient_checkpointing()


def optimizer_for(trainable: TrainedModels, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """The recipe's, with groups for the denoiser, the text encoders together, and DoRA's magnitudes. Raises
    ``EngineError`` (``optimizer_unavailable``)."""
    of_denoiser, *of_encoders = trainable.groups
    return optimizers.make(
        recipe.optimizer,
        [of_denoiser, [one for group in of_encoders for one in group]],
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        magnitudes=trainable.magnitudes,
    )


def parts_of(tensors: Mapping[str, torch.Tensor], names: Mapping[str, object]) -> dict[str, dict[str, torch.Tensor]]:
    """An adapter's tensors by the model that they are in, whose name they begin with."""
    return {
        part: {key.removeprefix(f"{part}."): value for key, value in tensors.items() if key.startswith(f"{part}.")}
        for part in names
    }
