"""The network of a trained classifier: pixels in, logits out."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from omnibench.adapt.trainable import Trainable, attach
from omnibench.encoders.build import LoadedTrainable
from omnibench.task import Adaptation
from omnibench.training.trained_network import Network

from .classifier import Classifier


def network(
    spec: Mapping[str, Any],
    loaded: LoadedTrainable,
    adaptation: Adaptation,
    state: Mapping[str, Tensor],
) -> Network:
    """Make a classifier as an adaptation attaches it, its weights yet to be loaded.

    A probe of frozen embeddings attaches nothing.
    """
    trainable = (
        Trainable(loaded.encoder, gradients=False)
        if adaptation.attach is None
        else attach(adaptation, loaded.encoder, spec["options"])
    )
    name = "head.0.weight" if "head.0.weight" in state else "head.0.base_layer.weight"
    classes, width = state[name].shape
    return classifier_network(loaded, trainable, nn.Linear(width, classes))


def classifier_network(loaded: LoadedTrainable, trainable: Trainable, head: nn.Linear) -> Network:
    """Return a backbone, what was attached to it, and a linear layer as a network."""
    model = Classifier(trainable, head, dropout=0.0)

    def on_embedding(embedding: Tensor) -> Tensor:
        return model.classify(model.on_embedding(embedding))

    return Network(model, loaded, "logits [B, C]", on_embedding)
