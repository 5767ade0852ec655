"""A model on the kept maps of a frozen backbone, as an adaptation brings it with its own loss."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from omnibench.contracts import file_of
from omnibench.data import Dataset
from omnibench.encoders.maps import UnitMaps
from omnibench.errors import ExtensionError, OmnibenchError
from omnibench.registry import import_attribute
from omnibench.task import Adaptation

if TYPE_CHECKING:
    from omnibench.training.job import Batch

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class MapInputs:
    """What the `attach` of an adaptation that needs maps is given.

    Attributes:
        dataset: images and true maps; of training and validation those that the label budget
            leaves.
        maps: the frozen backbone's, of every split.
        seed: of whatever the model draws beside its initial weights, alike for all backbones.
        device: where the model will be.
    """

    dataset: Dataset
    maps: UnitMaps
    seed: int
    device: str


@dataclass(frozen=True)
class MapAnswers:
    """What a model answers for n images.

    Attributes:
        maps: [n, H, W] or [n, H, W, C], as the truth is and in its unit.
        views: the same of each of the adaptation's `further_views`, by name.
        stored: name -> [n, ...], what is stored beside: {"spread": ...} becomes `test_spread`.
    """

    maps: NDArray[Any]
    views: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    stored: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class MapModel(nn.Module):
    """A model that is trained by its own loss; parameters with requires_grad are trained."""

    def loss(self, batch: "Batch") -> Tensor:
        """Return a part's contribution to the step's loss; the parts' sum is the loss."""
        raise NotImplementedError

    def predict(self, split: str, rows: Rows) -> MapAnswers:
        """Return the answers for the images at `rows`, under no_grad and in evaluation mode.

        An image's answer must not depend on which others are asked for.
        """
        raise NotImplementedError


def attach_to_maps(
    adaptation: Adaptation, inputs: MapInputs, options: Mapping[str, Any]
) -> MapModel:
    """Return the model that an adaptation puts on maps.

    Raises:
        ExtensionError: `attach` raises, or gives no MapModel.
    """
    function: Any = adaptation.attach
    if isinstance(function, str):
        function = import_attribute(function)
    where = f"the adaptation '{adaptation.name}': its `attach` ({file_of(function)})"
    try:
        model = function(inputs, options)
    except OmnibenchError:
        raise
    except Exception as error:
        raise ExtensionError(f"{where} raised {type(error).__name__}: {error}") from error
    if not isinstance(model, MapModel):
        raise ExtensionError(f"{where} gave a {type(model).__name__}, no MapModel")
    return model
