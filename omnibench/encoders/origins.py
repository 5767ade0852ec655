"""From a card's source to a module with its weights: one function a kind of source."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from omnibench import weights
from omnibench.cards import BackboneCard, Channels
from omnibench.encoders.builders import build_module
from omnibench.encoders.coverage import Coverage
from omnibench.encoders.loading import load_weights
from omnibench.encoders.timm_create import create_timm, json_object
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.errors import MissingWeightsError, RequestError, WeightsError
from omnibench.record_files import checked_file
from omnibench.weight_folders import weights_in
from omnibench.weights import WeightFiles
from omnibench.weights_record import find_weights_record


@dataclass(frozen=True)
class Origin:
    """A module as it came from its source, and what its source tells of it.

    Attributes:
        from_transformers: it is a model of transformers, not of timm.
        arguments: what timm is told to build it, beside the name of its architecture.
    """

    module: Any
    coverage: Coverage | None = None
    mean: Channels | None = None
    std: Channels | None = None
    from_transformers: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


def _from_timm(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    files = weights.fetch(card, data)
    module = create_timm(card.source_name)
    fit_input_size(module, size, card.id)
    return Origin(module, _load(module, card, files.weights), *_statistics(module))


def files_of(card: BackboneCard, data: Path) -> WeightFiles:
    """Return the weights of a card whose source is files, and the config.json beside them.

    Raises:
        MissingWeightsError: they are absent, and cannot be fetched.
        WeightsError: they are not the pinned ones.
    """
    if card.source_kind != "file":
        files = weights.fetch(card, data)
        if files.config is None and weights.needs_config(card):
            raise WeightsError(f"{card.id}: config.json is absent; {weights.way_out(card, data)}")
        return files
    path = Path(card.source_name)
    if not (path.is_file() or path.is_dir()):
        raise MissingWeightsError(f"{card.id}: no weights file at {path}; put it there")
    config = path / "config.json"
    files = WeightFiles(
        weights_in(path) if path.is_dir() else path,
        config if config.is_file() else None,
    )
    if card.checksum is not None:
        weights.require_one_file(card, files.weights)
        weights.verify(files.weights, card.checksum)
    return files


def _from_files(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    """Make what a configuration beside the weights says: a model of timm or of transformers."""
    files = files_of(card, data)
    config = json_object(files.config) if files.config else {}
    transformers = "model_type" in config and "architecture" not in config
    if transformers and card.architecture is None and card.source_kind != "hf_hub":
        from omnibench.encoders.transformers_model import load_transformers

        module, coverage = load_transformers(card, files.weights)
        return Origin(module, coverage, *folder_statistics(files, config), from_transformers=True)
    name, options = _architecture(card, files, config)
    module = create_timm(name, options, str(files.config))
    fit_input_size(module, size, card.id)
    coverage = _load(module, card, files.weights)
    if transformers:
        from omnibench.encoders.transformers_model import adopt_settings

        settings = adopt_settings(module, config, str(files.config))
        coverage = dataclasses.replace(coverage, settings=settings)
    mean, std = folder_statistics(files, config)
    own_mean, own_std = _statistics(module)
    return Origin(module, coverage, mean or own_mean, std or own_std, arguments=options)


def _architecture(
    card: BackboneCard, files: WeightFiles, config: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return timm's name and model arguments, as card and configuration tell them.

    Raises:
        RequestError: neither names an architecture.
        WeightsError: they name different ones, or the configuration is malformed.
    """
    name, options = config.get("architecture"), config.get("model_args") or {}
    if name is None and card.architecture is not None:
        return card.architecture, {}
    if files.config is None:
        raise RequestError(
            f"{card.id}: nothing tells the architecture of {files.weights}; set architecture= (the "
            "timm name it fits) on the card, or put its config.json into the folder and name that"
        )
    if not (isinstance(options, dict) and isinstance(name, str)):
        raise WeightsError(
            f"{files.config} names no architecture as timm's configurations do; get it again, or "
            "give the card the right source"
        )
    if card.architecture and card.architecture.split(".")[0] != name.split(".")[0]:
        raise WeightsError(
            f"{card.id}: its card says architecture={card.architecture}, {files.config} says "
            f"{name}; correct the card"
        )
    return card.architecture or name, options


def _from_random(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    """Draw weights at the architecture's own size, whatever the input size: NAME, or NAME@DRAW."""
    name, _, draw = card.source_name.partition("@")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draw or 0))
        module = create_timm(name)
    fit_input_size(module, size, card.id)
    return Origin(module, None, *_statistics(module))


def _from_record(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    record = find_weights_record(results, card.source_name)
    facts = record["notes"]
    name, options = card.architecture or facts["architecture"], facts["model_args"]
    module = create_timm(name, options, str(record["path"]))
    fit_input_size(module, size, card.id)
    path = checked_file(record["path"], record, "safetensors")
    if card.checksum is not None:
        weights.verify(path, card.checksum)
    coverage = _load(module, card, path)
    return Origin(module, coverage, tuple(facts["mean"]), tuple(facts["std"]), arguments=options)


def _from_module(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    built = build_module(card)
    coverage = None
    if isinstance(built, tuple):
        built, coverage = built
    if hasattr(built, "pretrained_cfg"):
        fit_input_size(built, size, card.id)
        return Origin(built, coverage, *_statistics(built))
    return Origin(built, coverage)


def _from_members(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    raise RequestError(
        f"{card.id}: it joins the frozen features of {', '.join(m.id for m in card.members)} and "
        "has no module of its own; load these"
    )


def _load(module: Any, card: BackboneCard, path: Path) -> Coverage:
    return load_weights(module, path, card.weights_key, card.optional_keys)


def _statistics(module: Any) -> tuple[Channels | None, Channels | None]:
    """Mean and std as timm's configuration of the architecture gives them."""
    return tuple(module.pretrained_cfg["mean"]), tuple(module.pretrained_cfg["std"])


def folder_statistics(
    files: WeightFiles, config: Mapping[str, Any]
) -> tuple[Channels | None, Channels | None]:
    """Mean and std as timm's config.json tells them, or transformers' preprocessor_config.json.

    Raises:
        WeightsError: they are not three numbers each.
    """
    cfg, path = config.get("pretrained_cfg") or config, files.config
    if not isinstance(cfg, dict):
        raise WeightsError(f"{path} has a pretrained_cfg that is no JSON object; get it again")
    mean, std = cfg.get("mean"), cfg.get("std")
    preprocessor = files.weights.parent / "preprocessor_config.json"
    if mean is None and files.config is not None and preprocessor.is_file():
        cfg, path = json_object(preprocessor), preprocessor
        mean, std = cfg.get("image_mean"), cfg.get("image_std")
    for numbers in (mean, std):
        if numbers is not None and not (
            isinstance(numbers, list)
            and len(numbers) == 3
            and all(isinstance(number, int | float) for number in numbers)
        ):
            raise WeightsError(
                f"{path} gives mean and std as {mean} and {std}; three numbers each are due"
            )
    return (tuple(mean) if mean else None, tuple(std) if std else None)


ORIGINS = {
    "timm": _from_timm,
    "hf_hub": _from_files,
    "transformers": _from_files,
    "file": _from_files,
    "random": _from_random,
    "record": _from_record,
    "module": _from_module,
    "fuse": _from_members,
}
