"""A timm model without weights, from what a repository's configuration says; nothing is trusted."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm

from omnibench.architecture.volume_vits import VOLUME_VITS, volume_vit_facts
from omnibench.encoders.volume_vit import VolumeViT
from omnibench.errors import RequestError, WeightsError, one_line
from omnibench.files import read_regular

# Arguments of timm's function that name other weights or files than those of the card.
FOREIGN = {"checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}


def create_timm(name: str, options: Mapping[str, Any] | None = None, origin: str = "") -> Any:
    """Make timm's model without weights, or one of the vision transformers of volumes.

    Args:
        options: model arguments that a configuration file or a record gives.
        origin: of these, for messages.

    Raises:
        RequestError: timm has no such architecture.
        WeightsError: the options are not the architecture's.
    """
    if name in VOLUME_VITS:
        return _create_volume_vit(name, options or {}, origin)
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('.')[0]}*")[:3]
        raise RequestError(
            f"timm has no architecture '{name}'"
            + (f"; did you mean {', '.join(near)}?" if near else "")
        )
    options = options or {}
    if foreign := FOREIGN & options.keys():
        raise WeightsError(
            f"{origin} is refused: its model_args give {', '.join(sorted(foreign))}, by which timm "
            "would load other files; remove them"
        )
    try:
        return timm.create_model(name, pretrained=False, **{"num_classes": 0, **options})
    except Exception as error:  # whatever an architecture says to arguments it does not know
        if not options:
            raise
        raise WeightsError(
            f"{origin}: timm cannot make {name} with its model_args "
            f"({type(error).__name__}: {one_line(error)}); correct them"
        ) from error


def _create_volume_vit(name: str, options: Mapping[str, Any], origin: str) -> VolumeViT:
    arguments = {**VOLUME_VITS[name], **options}
    try:
        module = VolumeViT(**arguments)
    except (TypeError, ValueError, RuntimeError, AssertionError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{origin or name}: {name} cannot be made with its model_args {arguments} "
            f"({type(error).__name__}: {one_line(error)}); correct them"
        ) from error
    facts = volume_vit_facts(name, arguments)
    module.pretrained_cfg = {"architecture": name, "mean": facts.mean, "std": facts.std}
    return module


def json_object(path: Path) -> dict[str, Any]:
    """Return what a configuration file of a repository says.

    Raises:
        WeightsError: it is none.
    """
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read as JSON ({error}); get it again") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is no JSON object; get it again")
    return content
