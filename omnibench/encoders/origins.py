"""From a card's source to a module with its weights: one function a kind of source."""

import fnmatch
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from omnibench import weights
from omnibench.cards import BackboneCard, Channels
from omnibench.encoders.coverage import Coverage, load_checked, read_weights
from omnibench.encoders.timm_create import create_timm, json_object
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.errors import MissingWeightsError, WeightsError
from omnibench.registry import import_attribute
from omnibench.sources import find_weights_record


@dataclass(frozen=True)
class Origin:
    """A module as it came from its source, and what the source told of it."""

    module: Any
    coverage: Coverage | None = None
    mean: Channels | None = None
    std: Channels | None = None


def _load_timm(module: Any, card: BackboneCard, path: Path) -> Coverage:
    """Load a file in timm's (or the original authors') layout into a timm model."""
    if card.checksum is not None and card.source_kind != "module":
        weights.verify(path, card.checksum)
    state = read_weights(path)
    own = module.state_dict().get("patch_embed.proj.weight")
    given = state.get("patch_embed.proj.weight")
    if own is not None and given is not None and given.ndim == 4 and given.shape != own.shape:
        # timm's filter would resample another patch size in silence.
        raise WeightsError(
            f"{path} does not fit {card.architecture or card.source_name}: its patch embedding is "
            f"{tuple(given.shape)} where {tuple(own.shape)} is due; correct the architecture"
        )
    adapt = getattr(import_module(type(module).__module__), "checkpoint_filter_fn", None)
    if adapt is not None:
        state = adapt(state, module)
    classifier = module.pretrained_cfg.get("classifier") or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    return load_checked(module, state, str(path), card.optional_keys, (*heads, "head", "fc"))


def _from_timm(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    files = weights.fetch(card, data)
    module = create_timm(card.source_name)
    fit_input_size(module, size, card.id)
    coverage = _load_timm(module, card, files.weights)
    return Origin(module, coverage, *_statistics(module))


def _from_hf_hub(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    files = weights.fetch(card, data)
    if files.config is None:
        raise WeightsError(f"{card.id}: config.json is absent; {weights.way_out(card, data)}")
    config = json_object(files.config)
    cfg = config.get("pretrained_cfg") or config
    name, options = config.get("architecture"), config.get("model_args") or {}
    if not all(isinstance(value, dict) for value in (cfg, options)) or not isinstance(name, str):
        raise WeightsError(
            f"{files.config} names no architecture as timm's configurations do; get it again, or "
            "give the card the right source"
        )
    module = create_timm(name, options, str(files.config))
    fit_input_size(module, size, card.id)
    coverage = _load_timm(module, card, files.weights)
    mean, std = cfg.get("mean"), cfg.get("std")
    return Origin(module, coverage, tuple(mean) if mean else None, tuple(std) if std else None)


def _from_file(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    module = create_timm(card.architecture or "")
    fit_input_size(module, size, card.id)
    path = Path(card.source_name)
    if not path.is_file():
        raise MissingWeightsError(f"{card.id}: no weights file at {path}; put it there")
    coverage = _load_timm(module, card, path)
    return Origin(module, coverage, *_statistics(module))


def _from_random(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    """One fixed draw, seed 0, at the architecture's own size, whatever the input size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = create_timm(card.source_name)
    fit_input_size(module, size, card.id)
    return Origin(module, None, *_statistics(module))


def _from_record(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    record = find_weights_record(results, card.source_name)
    told = record["environment"]
    options = told["model_args"]
    module = create_timm(card.architecture or told["architecture"], options, str(record["path"]))
    fit_input_size(module, size, card.id)
    coverage = _load_timm(module, card, record["path"].with_suffix(".safetensors"))
    return Origin(module, coverage, tuple(told["mean"]), tuple(told["std"]))


def _from_module(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    """A builder without arguments, returning an Encoder or an nn.Module (with its weights)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # weights the builder draws are the same draw every time
        built = import_attribute(card.source_name)()
    coverage = None
    if isinstance(built, tuple):
        built, coverage = built
    if hasattr(built, "pretrained_cfg"):
        fit_input_size(built, size, card.id)
        return Origin(built, coverage, *_statistics(built))
    return Origin(built, coverage)


def _from_transformers(card: BackboneCard, size: int, data: Path, results: Path) -> Origin:
    from transformers import AutoModel

    files = weights.fetch(card, data)
    folder = files.weights.parent
    if card.checksum is not None:
        weights.verify(files.weights, card.checksum)
    try:
        module, info = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=card.trust_remote_code,
            output_loading_info=True,
        )
    except Exception as error:  # damaged or hostile files make it raise whatever they spell
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(f"{card.id}: {folder} cannot be loaded: {reason}") from error
    missing = [key for key in info["missing_keys"] if not _optional(card, key)]
    mismatched = [str(key) for key in info["mismatched_keys"]]
    if missing or mismatched:
        raise WeightsError(
            f"{card.id}: {folder} does not fit {type(module).__name__}: {len(missing)} missing "
            f"({', '.join(missing[:3])}), {len(mismatched)} of another shape; "
            "the card's optional_keys says which may be absent"
        )
    total = len(module.state_dict())
    absent = tuple(sorted(info["missing_keys"]))
    coverage = Coverage(total - len(absent), total, absent, tuple(sorted(info["unexpected_keys"])))
    statistics = folder / "preprocessor_config.json"
    if statistics.is_file():
        told = json_object(statistics)
        return Origin(module, coverage, tuple(told["image_mean"]), tuple(told["image_std"]))
    return Origin(module, coverage)


def _optional(card: BackboneCard, key: str) -> bool:
    return any(fnmatch.fnmatchcase(key, glob) for glob in card.optional_keys)


def _statistics(module: Any) -> tuple[Channels | None, Channels | None]:
    """Mean and std as timm's configuration of the architecture gives them."""
    return tuple(module.pretrained_cfg["mean"]), tuple(module.pretrained_cfg["std"])


ORIGINS = {
    "timm": _from_timm,
    "hf_hub": _from_hf_hub,
    "transformers": _from_transformers,
    "file": _from_file,
    "random": _from_random,
    "record": _from_record,
    "module": _from_module,
}
