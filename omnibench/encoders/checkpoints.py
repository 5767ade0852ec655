"""Checkpoint files as people have them: read without running code, and unwrapped."""

import argparse
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from omnibench.errors import MissingWeightsError, WeightsError, one_line
from omnibench.files import open_regular
from omnibench.weight_folders import INDEX_SUFFIX, weight_map, with_shards

DEEPEST = 16  # dictionaries inside each other that are looked into
LONGEST_KEY = 500


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the one state dict of a file.

    Raises:
        WeightsError: damaged, of another format, a pickle that wants to run code, or a file with
            several state dicts.
    """
    states = state_dicts(path)
    if len(states) > 1:
        raise WeightsError(
            f"{path} holds {len(states)} state dicts ({', '.join(map(repr, states))}); save one "
            "of them alone"
        )
    return next(iter(states.values()))


def state_dicts(path: Path) -> dict[str, dict[str, Tensor]]:
    """Read every state dict of a file by its dotted place in it, such as "" or "teacher".

    Args:
        path: safetensors, a file of torch.save, or the index of a sharded checkpoint.

    Raises:
        MissingWeightsError: the file is absent, or a shard that an index names.
        WeightsError: damaged, of another format, a pickle that wants to run code, or without a
            state dict.
    """
    content = _read(path)
    states = dict(_walk(content, "", set())) if isinstance(content, Mapping) else {}
    if not states:
        raise WeightsError(f"{path} holds no state dict; save the model's state_dict() alone")
    for place, state in states.items():
        for key, value in state.items():
            if not f"{place}{key}".isprintable() or len(key) > LONGEST_KEY:
                raise WeightsError(
                    f"{path} is refused: it calls a tensor {key[:50]!r}, which no model does; get "
                    "it again"
                )
            if value.layout is not torch.strided or value.is_meta:
                raise WeightsError(
                    f"{path} holds {key} as a sparse tensor or without its values; save the "
                    "model's state_dict() with plain tensors"
                )
    return states


def _walk(
    content: Mapping[Any, Any], place: str, seen: set[int]
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield every dictionary that holds tensors under names, once, with its dotted place."""
    seen.add(id(content))  # a pickle can hold a dictionary that holds itself
    named = {
        key: value for key, value in content.items() if isinstance(key, str)
    }  # else optimizers
    if tensors := {key: value for key, value in named.items() if isinstance(value, Tensor)}:
        yield place, tensors
    if place.count(".") > DEEPEST:
        return
    for key, value in named.items():
        if isinstance(value, Mapping) and id(value) not in seen:
            yield from _walk(value, f"{place}.{key}" if place else key, seen)


def _read(path: Path) -> Any:
    if path.exists() and not path.is_file():  # a pipe or a device may never end
        raise WeightsError(f"{path} is no plain file; name the file that holds the weights")
    if path.name.endswith(INDEX_SUFFIX):
        return _read_shards(path)
    _refuse_other_formats(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # DINO's and MAE's checkpoints keep their command line: a class without any code.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is refused: it holds more than tensors, and loading it could run code; "
            "save it as safetensors"
        ) from error
    except Exception as error:  # damaged bytes make torch's unpickler raise whatever they spell
        reason = one_line(error) or type(error).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}; get it again") from error


def _read_shards(index: Path) -> dict[str, Tensor]:
    keys = weight_map(index)
    state: dict[str, Tensor] = {}
    for path in with_shards(index)[1:]:
        name, shard = path.name, _read(path)
        held = shard if isinstance(shard, Mapping) else {}
        absent = [key for key, at in keys.items() if at == name and key not in held]
        if absent:
            raise WeightsError(
                f"{index} expects {absent[0]!r} in {name}, which lacks it; get both again"
            )
        state.update({key: held[key] for key, at in keys.items() if at == name})
    return state


def _refuse_other_formats(path: Path) -> None:
    """Refuse by name what is often put in the place of weights."""
    try:
        with open_regular(path) as file:
            head = file.read(512)
    except OSError as error:
        raise MissingWeightsError(
            f"{path} cannot be opened ({error.strerror}); put the file there"
        ) from error
    if not head:
        raise WeightsError(f"{path} cannot be read as weights: it is empty; get it again")
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError(
            f"{path} cannot be read as weights: it is a git-LFS pointer; run `git lfs pull` in its "
            "repository"
        )
    if head[257:262] == b"ustar" or head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
        raise WeightsError(
            f"{path} cannot be read as weights: it is a tar or compressed archive; unpack it and "
            "name the file inside"
        )
    # torch.save writes a zip archive, or a pickle of protocol 2 in older versions.
    if path.suffix != ".safetensors" and not head.startswith((b"PK\x03\x04", b"\x80")):
        raise WeightsError(
            f"{path} cannot be read as weights: it is no file of torch.save; get it again"
        )
