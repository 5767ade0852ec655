"""Which keys of a weights file a model took: nothing is left at random without being said."""

import fnmatch
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.errors import WeightsError

# Below this share of its tensors a model counts as drawn at random, whatever a card allows.
LEAST_COVERAGE = 0.5


@dataclass(frozen=True)
class Coverage:
    """How a weights file and a model fit.

    A number between two dots of a key stands as `*` in `renamed`, `dropped`, `joined` and
    `resampled`.

    Attributes:
        loaded: number of the model's tensors that the file filled.
        total: number of tensors the model has.
        missing, unexpected: keys that were absent from or left over in the file, as the card
            allows; any other is refused.
        ignored: keys of the classifier head, which a headless backbone has no use for.
        taken_from: the place in the file, such as "teacher.backbone"; "" for its top level.
        layout: whose names the file uses, such as "timm" or "CLIP".
        renamed: "file's key -> model's key".
        dropped: what the file has besides the backbone: heads, decoders, other models.
        joined: queries, keys and values that were joined or split, and sums of tensors.
        resampled: tensors of another size, with both sizes.
        settings: what a config.json changed in the architecture.
    """

    loaded: int
    total: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    taken_from: str = ""
    layout: str = "timm"
    renamed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    resampled: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)

    def __str__(self) -> str:
        counts = (
            f"{self.loaded} of {self.total} tensors loaded, {len(self.missing)} missing, "
            f"{len(self.unexpected)} unexpected, {len(self.ignored)} of the classifier ignored"
        )
        changes = [
            f"{what} {', '.join(items)}"
            for what, items in (
                ("taken from", (self.taken_from,) if self.taken_from else ()),
                ("names of", () if self.layout == "timm" else (self.layout,)),
                ("renamed", self.renamed),
                ("dropped", self.dropped),
                ("joined", self.joined),
                ("resampled", self.resampled),
                ("set", self.settings),
            )
            if items
        ]
        return "; ".join([counts, *changes])


def load_checked(
    model: nn.Module,
    state: Mapping[str, Tensor],
    origin: str,
    optional: tuple[str, ...] = (),
    ignored: tuple[str, ...] = (),
) -> Coverage:
    """Load `state` into `model`, refusing every key and value that does not fit.

    Args:
        origin: the file or repository, for messages.
        optional: globs of keys that may be missing or left over.
        ignored: prefixes of the classifier's keys.

    Raises:
        WeightsError: keys missing, left over, of another shape or of an integer type, with the
            first few named; values that are not finite; less than half of the model's tensors.
    """
    own = model.state_dict()
    classifier = tuple(
        key for key in state if key not in own and any(key.startswith(p + ".") for p in ignored)
    )
    given = {key: value for key, value in state.items() if key not in classifier}
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    complaints = _complaints(own, given, optional)
    if not complaints and len(missing) > (1 - LEAST_COVERAGE) * len(own):
        complaints = [f"it fills only {len(own) - len(missing)} of {len(own)} tensors"]
    if complaints:
        raise WeightsError(
            f"{origin} does not fit {type(model).__name__}: {'; '.join(complaints)}; "
            "is it of another architecture? (the card's optional_keys says which may be absent)"
        )
    taken = {key: value for key, value in given.items() if key in own}
    refuse_non_finite(taken, origin)
    model.load_state_dict(taken, strict=not missing)
    return Coverage(
        len(own) - len(missing), len(own), tuple(missing), tuple(unexpected), classifier
    )


def _complaints(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], optional: tuple[str, ...]
) -> list[str]:
    """Tell what keeps `given` from being loaded, one part of a sentence a fault."""

    def refused(keys: list[str]) -> list[str]:
        return [k for k in keys if not any(fnmatch.fnmatchcase(k, glob) for glob in optional)]

    both = [key for key in own if key in given]
    complaints = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in (
            ("missing", refused([key for key in own if key not in given])),
            ("unexpected", refused([key for key in given if key not in own])),
        )
        if keys
    ]
    if reshaped := [key for key in both if own[key].shape != given[key].shape]:
        key = reshaped[0]
        complaints.append(
            f"{len(reshaped)} of another shape ({key} {tuple(given[key].shape)} "
            f"where {tuple(own[key].shape)} is due)"
        )
    if typed := [
        k for k in both if own[k].is_floating_point() and not given[k].is_floating_point()
    ]:
        complaints.append(
            f"{len(typed)} of another type ({typed[0]} {str(given[typed[0]].dtype).split('.')[-1]} "
            "where floating-point numbers are due)"
        )
    return complaints


def refuse_non_finite(state: Mapping[str, Tensor], origin: str) -> None:
    """Refuse weights that hold a NaN or an infinity.

    Raises:
        WeightsError: they do; the first such tensor is named.
    """
    for key, value in state.items():
        # A sum is fast and not finite where a value isn't; a sum that overflows is looked at again.
        if value.is_floating_point() and not value.float().sum().isfinite():
            wrong = value.numel() - int(value.float().isfinite().sum())
            if wrong:
                raise WeightsError(
                    f"{origin} holds {wrong} NaN or infinite values in {key}; its training failed, "
                    "so take an earlier checkpoint"
                )


def tensors_digest(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of every tensor: the loaded digest."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.flatten().view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"
