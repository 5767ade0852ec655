"""Which keys of a weights file a model took: nothing is left at random without being said."""

import fnmatch
import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from omnibench.errors import WeightsError


@dataclass(frozen=True)
class Coverage:
    """How a weights file and a model fit.

    Attributes:
        loaded: number of the model's tensors that the file filled.
        total: number of tensors the model has.
        missing, unexpected: keys that were absent from or left over in the file, as the card
            allows; any other is refused.
        ignored: keys of the classifier head, which a headless backbone has no use for.
    """

    loaded: int
    total: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.loaded} of {self.total} tensors loaded, {len(self.missing)} missing, "
            f"{len(self.unexpected)} unexpected, {len(self.ignored)} of the classifier ignored"
        )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict from safetensors, or from a torch file with weights_only=True.

    Raises:
        WeightsError: damaged, of another format, or a pickle that wants to run code.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is refused: it holds more than tensors, and loading it could run code; "
            "save it as safetensors"
        ) from error
    except Exception as error:  # damaged bytes make torch's unpickler raise whatever they spell
        raise WeightsError(
            f"{path} cannot be read as weights: {_first_line(error)}; get it again"
        ) from error
    while isinstance(content, Mapping):
        nested = next((content[key] for key in ("state_dict", "model") if key in content), None)
        if not isinstance(nested, Mapping):
            break
        content = nested
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise WeightsError(f"{path} holds no state dict; save the model's state_dict() alone")
    return dict(content)


def load_checked(
    model: nn.Module,
    state: Mapping[str, Tensor],
    origin: str,
    optional: tuple[str, ...] = (),
    ignored: tuple[str, ...] = (),
) -> Coverage:
    """Load `state` into `model`, refusing every key that does not fit.

    Args:
        origin: the file or repository, for messages.
        optional: globs of keys that may be missing or left over.
        ignored: prefixes of the classifier's keys.

    Raises:
        WeightsError: keys missing, left over or of another shape, with the first few named.
    """
    own = model.state_dict()
    dropped = tuple(
        key for key in state if key not in own and any(key.startswith(p + ".") for p in ignored)
    )
    given = {key: value for key, value in state.items() if key not in dropped}
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    reshaped = [key for key in own if key in given and own[key].shape != given[key].shape]

    def refused(keys: list[str]) -> list[str]:
        return [k for k in keys if not any(fnmatch.fnmatchcase(k, glob) for glob in optional)]

    complaints = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in (("missing", refused(missing)), ("unexpected", refused(unexpected)))
        if keys
    ]
    if reshaped:
        key = reshaped[0]
        complaints.append(
            f"{len(reshaped)} of another shape ({key} {tuple(given[key].shape)} "
            f"where {tuple(own[key].shape)} is due)"
        )
    if complaints:
        raise WeightsError(
            f"{origin} does not fit {type(model).__name__}: {'; '.join(complaints)}; "
            "is it of another architecture? (the card's optional_keys says which may be absent)"
        )
    model.load_state_dict(
        {key: value for key, value in given.items() if key in own}, strict=not missing
    )
    return Coverage(len(own) - len(missing), len(own), tuple(missing), tuple(unexpected), dropped)


def tensors_digest(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of every tensor: the loaded digest."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.flatten().view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
