"""The weights that a trained cell keeps beside its record, and the network that they make again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from omnibench.adapt.low_rank import merge_lora
from omnibench.architecture.volume_vits import VOLUME_VITS
from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones, tasks
from omnibench.context import default_data
from omnibench.encoders import TrainableEncoder
from omnibench.encoders.build import LoadedTrainable, load_encoder
from omnibench.errors import DamageError, RequestError, WeightsError
from omnibench.record_files import WEIGHTS
from omnibench.sources import drawn

FOLDERS = 5  # of a record's path: records, task, dataset, backbone, adaptation


@dataclass(frozen=True)
class Network:
    """What a cell trained, as it is used.

    Attributes:
        module: prepared pixels [B, 3, S, S] -> outputs.
        loaded: the backbone in it, with its preprocessing.
        outputs: what it gives, in words and with its shape.
        on_embedding: embeddings [B, D] -> the same outputs, where nothing else of the backbone is
            used than its pooled embedding.
    """

    module: nn.Module
    loaded: LoadedTrainable
    outputs: str
    on_embedding: Callable[[Tensor], Tensor] | None = None


def weights_to_store(model: nn.Module, loaded: LoadedTrainable | None) -> bytes:
    """Return what a model has beyond its backbone as loaded, as a safetensors file's content.

    Frozen parameters of the backbone are left out; buffers, such as the statistics of batch norms,
    and frozen random parts of a head are not, as nothing else has them.

    Args:
        loaded: the backbone in the model; None where its features are computed outside of it.
    """
    parameters = loaded.encoder.module.parameters() if loaded else ()
    frozen = {id(parameter) for parameter in parameters if not parameter.requires_grad}
    state = model.state_dict(keep_vars=True)
    # Cloned, since the format refuses tensors that share their memory.
    return save(
        {
            name: value.detach().cpu().contiguous().clone()
            for name, value in state.items()
            if id(value) not in frozen
        }
    )


def network_of(record: Mapping[str, Any], weights: Path) -> Network:
    """Return the network of a record: what its cell trained or, of a backbone that it left, that.

    Args:
        record: with its `path`.
        weights: what lies beside it.

    Raises:
        OmnibenchError: it is a network of volumes; and as of `rebuilt`.
    """
    if weights.name.endswith(f".{WEIGHTS}"):
        return rebuilt(record, weights.read_bytes())
    spec = record["spec"]
    if record["notes"]["architecture"] in VOLUME_VITS:
        raise RequestError(
            f"{record['path']} left a network of volumes, and what is exported takes images; use "
            f"it here, as record:{record['digest'][:8]}"
        )
    card = BackboneCard(
        id=spec["backbone"],
        source=f"record:{record['digest']}",
        pool=tasks.get(spec["task"]).adaptations[spec["adaptation"]].pool,
    )
    loaded = _loaded(card, record)
    return Network(_Pooled(loaded.encoder), loaded, "embeddings [B, D]")


class _Pooled(nn.Module):
    """The pooled embeddings of an encoder."""

    def __init__(self, encoder: TrainableEncoder) -> None:
        super().__init__()
        self.encoder, self.backbone = encoder, encoder.module

    def forward(self, pixels: Tensor) -> Tensor:
        return self.encoder.pooled(pixels).float()


def rebuilt(record: Mapping[str, Any], weights: bytes) -> Network:
    """Make the network of a record again, in evaluation mode and float32, its LoRA merged.

    Args:
        record: with its `path`.
        weights: the content of the file that `weights_to_store` made.

    Raises:
        RequestError: its backbone is not registered here.
        WeightsError: its backbone is another one than was trained on.
        DamageError: the weights are not this network's.
    """
    spec = record["spec"]
    task, loaded = tasks.get(spec["task"]), _backbone(record)
    state = load(weights)
    network = task.network(record, loaded, state)
    # With the statistics of batch norms, which stay as they are where nothing of it is trained.
    own = {id(value) for value in loaded.encoder.module.state_dict(keep_vars=True).values()}
    parts = network.module.state_dict(keep_vars=True)
    lacking = [name for name, value in parts.items() if name not in state and id(value) not in own]
    foreign = [n for n, value in state.items() if n not in parts or parts[n].shape != value.shape]
    if lacking or foreign:
        raise DamageError(
            f"the weights beside {record['path']} are of another network: {len(lacking)} of its "
            f"tensors are absent and {len(foreign)} are not its own; run its cell again with "
            "--force"
        )
    with torch.no_grad():
        network.module.load_state_dict(state, strict=False)
    merge_lora(network.module)
    network.module.eval().requires_grad_(False)
    return network


def card_of(record: Mapping[str, Any]) -> BackboneCard:
    """Return the card of the backbone that a record was trained on.

    What a training left is known by its record, whatever a suite calls it.

    Raises:
        RequestError: it is not registered here.
    """
    name = record["spec"]["backbone"]
    if name in backbones:
        return backbones.get(name)
    maker = str(record["digests"].get("source.backbone")).partition(" ")[0]
    for card in map(backbones.get, backbones):
        if card.source == f"record:{maker}":
            return card
    raise RequestError(
        f"the backbone '{name}' of the record {record['path']} is not registered here; give the "
        "file that registers it with --plugin"
    )


def _backbone(record: Mapping[str, Any]) -> LoadedTrainable:
    """Load the backbone that a record was trained on."""
    spec, card = record["spec"], card_of(record)
    if spec["recipe"].get("init") == "per-repetition":
        card = drawn(card, spec["repetition"])
    loaded = _loaded(card, record)
    if loaded.digest != record["digests"].get("backbone"):
        raise WeightsError(
            f"{spec['backbone']}: its weights are other ones than the record {record['path']} was "
            "trained on; put those back, or run its cell again with --force"
        )
    return loaded


def _loaded(card: BackboneCard, record: Mapping[str, Any]) -> LoadedTrainable:
    """Load a backbone as a record's recipe says, in float32."""
    recipe = {**record["spec"]["recipe"], "precision": "fp32"}
    results = Path(record["path"]).parents[FOLDERS]
    loaded = load_encoder(card, recipe, "cpu", default_data(), results)
    if not isinstance(loaded.encoder, TrainableEncoder):
        raise RequestError(f"{card.id}: its Encoder has no module that could be exported")
    return LoadedTrainable(**vars(loaded))
