"""What an adaptation attaches to a backbone: the part of it that is trained, whatever the task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.contracts import file_of
from omnibench.encoders import TrainableEncoder
from omnibench.errors import ExtensionError, OmnibenchError
from omnibench.registry import import_attribute
from omnibench.task import Adaptation

Attach = Callable[[TrainableEncoder, Mapping[str, Any]], "Trainable"]


def _nothing(head: nn.Module, forward: Callable[[], Tensor]) -> None:
    """Leave the task's head as it is."""


def _no_arrays(embedding: Tensor) -> Mapping[str, Tensor]:
    """Store nothing beside a task's predictions."""
    return {}


@dataclass
class Trainable:
    """A backbone as an adaptation trains it.

    Attributes:
        encoder: whose `pooled(pixels)` and, where it has them, `intermediates(pixels, layers)` run
            through what was attached.
        gradients: whether gradients go through the encoder; what takes part has requires_grad.
        set_mode: puts what is trained into training mode and what is frozen into evaluation mode;
            None for evaluation mode throughout.
        on_embedding: what is trained between the pooled embedding [B, D] and the task's head; it
            gives [B, D] again.
        stored: name -> [N, ...], what is stored beside the predictions of a frozen backbone's
            pooled embeddings [N, D], such as how they were routed.
        on_head: changes the task's linear head in place, given the head and one forward of it.
        groups: AdamW's parameter groups of the attached parts, each {"params": [...], ...}; None
            for the recipe's rate and weight decay throughout.
    """

    encoder: TrainableEncoder
    gradients: bool = True
    set_mode: Callable[[], object] | None = None
    on_embedding: nn.Module = field(default_factory=nn.Identity)
    stored: Callable[[Tensor], Mapping[str, Tensor]] = _no_arrays
    on_head: Callable[[nn.Module, Callable[[], Tensor]], None] = _nothing
    groups: list[dict[str, Any]] | None = None

    @property
    def module(self) -> nn.Module:
        """Return the backbone's module."""
        return self.encoder.module

    def embed(self, pixels: Tensor) -> Tensor:
        """Return the embeddings [B, D] of prepared pixels [B, 3, S, S]."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.gradients):
            pooled = self.encoder.pooled(pixels)
        embedding: Tensor = self.on_embedding(pooled.float())
        return embedding

    def train(self) -> None:
        """Put what is trained into training mode and what is frozen into evaluation mode."""
        self.module.eval()
        self.on_embedding.train()
        if self.set_mode is not None:
            self.set_mode()


def blank_embedding(encoder: TrainableEncoder) -> Tensor:
    """Return the embedding [1, D] of a blank image."""
    prepare = encoder.preprocess
    pixels = torch.zeros(1, 3, prepare.size, prepare.size, device=prepare.device)
    return encoder.pooled(pixels.to(prepare.dtype))


def attach(
    adaptation: Adaptation, encoder: TrainableEncoder, options: Mapping[str, Any]
) -> Trainable:
    """Attach an adaptation to an encoder, all of whose parameters are frozen.

    Raises:
        ExtensionError: `attach` raises, gives no Trainable, or its embedding has another shape.
    """
    function = adaptation.attach
    if isinstance(function, str):
        function = import_attribute(function)
    where = f"the adaptation '{adaptation.name}': its `attach` ({file_of(function)})"
    if function is None:
        raise ExtensionError(f"the adaptation '{adaptation.name}' has no `attach`")
    with torch.no_grad():
        width = blank_embedding(encoder).shape
    try:
        trainable = function(encoder, options)
        if not isinstance(trainable, Trainable):
            raise ExtensionError(f"{where} gave a {type(trainable).__name__}, no Trainable")
        trainable.on_embedding.to(encoder.preprocess.device)
        # The head stands on the width that the backbone has without it.
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            output = trainable.on_embedding.eval()(
                torch.zeros(width, device=encoder.preprocess.device)
            )
    except OmnibenchError:
        raise
    except Exception as error:
        raise ExtensionError(f"{where} raised {type(error).__name__}: {error}") from error
    shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if shape != list(width):
        raise ExtensionError(
            f"{where} gave an `on_embedding` whose forward returns {shape} for {list(width)}; "
            "it must keep the embedding's width"
        )
    return trainable


def groups_of(model: nn.Module, trainable: Trainable | None) -> dict[str, Any]:
    """Return a job's `groups`: those of what was attached and one of all else that is trained."""
    if trainable is None or trainable.groups is None:
        return {}
    attached = {id(parameter) for group in trainable.groups for parameter in group["params"]}
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in attached]
    return {"groups": [{"params": others}, *trainable.groups]}
