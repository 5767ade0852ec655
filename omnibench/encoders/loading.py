"""From a checkpoint as it is found to a timm model with its weights; every change is said."""

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor

from omnibench.encoders.checkpoints import state_dicts
from omnibench.encoders.coverage import LEAST_COVERAGE, Coverage, load_checked
from omnibench.encoders.layouts import TIMM, Translation, fitting, prefixes, starred, translate
from omnibench.errors import WeightsError

# Dictionaries around a state dict that are looked into; deeper ones are named by weights_key.
DEPTH = 2
# Of two networks of one training, the one that its authors evaluate, and the other: DINO's and
# DINOv2's averaged teacher (arXiv:2104.14294), MoCo's query encoder (arXiv:1911.05722, 2104.02057).
PREFERRED = {"teacher": "student", "base_encoder": "momentum_encoder", "encoder_q": "encoder_k"}


def load_weights(
    module: Any, path: Path, weights_key: str | None = None, optional: tuple[str, ...] = ()
) -> Coverage:
    """Load a checkpoint file into a timm model, whatever its wrapping, prefix and layout.

    Args:
        path: the file, or the index of a sharded one.
        weights_key: the dotted place of the weights in the file, where it has several.
        optional: globs of keys that may be missing or left over.

    Raises:
        MissingWeightsError: a shard is absent.
        WeightsError: the file cannot be read, does not fit, or holds several backbones.
    """
    states = state_dicts(path)
    place, translation = _choose(module, states, weights_key, path)
    _check_patch(module.state_dict(), translation.state, path)
    state = _filtered(module, translation.state, path)
    classifier = module.pretrained_cfg.get("classifier") or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    coverage = load_checked(
        module, state, str(path), optional, (*heads, "head", "fc", "classifier")
    )
    renamed, dropped, resampled = _differences(translation.state, state)
    return dataclasses.replace(
        coverage,
        taken_from=place,
        layout=translation.layout,
        renamed=_unique(translation.renamed + renamed),
        dropped=_unique(translation.dropped + dropped + _beside(states, place)),
        joined=_unique(translation.joined),
        resampled=_unique(resampled),
    )


def _choose(
    module: Any, states: Mapping[str, dict[str, Tensor]], weights_key: str | None, path: Path
) -> tuple[str, Translation]:
    """Return the place in the file whose tensors fit the model best, and these in timm's names.

    Raises:
        WeightsError: several fit equally well, or there are none under the weights_key.
    """
    own = module.state_dict()
    fits = _candidates(states, own, weights_key, path)
    if max(translation.fits for translation in fits.values()) < LEAST_COVERAGE * len(own):
        fits |= _known_to_timm(module, states, fits, path)
    # Where nothing fits, the nearest is compared with the model key by key, and refused.
    nearest = max(fits, key=lambda place: (fits[place].fits, len(fits[place].state)))
    if fits[nearest].fits < LEAST_COVERAGE * len(own):
        return nearest, fits[nearest]
    places = [place for place in fits if fits[place].fits == fits[nearest].fits]
    if len(places) > 1:
        places = _without_companions(places)
    if len(places) > 1:
        names = " or ".join(repr(place) for place in sorted(places))
        raise WeightsError(
            f"{path} holds {len(places)} sets of weights that fit equally well; choose one by "
            f"weights_key={names} on the card"
        )
    return places[0], fits[places[0]]


def _candidates(
    states: Mapping[str, dict[str, Tensor]],
    own: Mapping[str, Tensor],
    weights_key: str | None,
    path: Path,
) -> dict[str, Translation]:
    """Return what stands under every place of a file that may hold the model."""
    fits: dict[str, Translation] = {}
    for group, state in states.items():
        if weights_key is None and group and group.count(".") >= DEPTH:
            continue
        for layout, prefix in (*prefixes(state, own), (TIMM, "")):
            place = ".".join(filter(None, (group, prefix.removesuffix("."))))
            inside = bool(weights_key) and f"{place}.".startswith(f"{weights_key}.")
            if not inside and weights_key not in (None, place):
                continue
            translation = translate(state, layout, prefix, own)
            if place not in fits or translation.fits > fits[place].fits:
                fits[place] = translation
    if fits:
        return fits
    where = next(iter(states))
    raise WeightsError(
        f"{path} has no weights under '{weights_key}'; correct the card's weights_key"
        if weights_key is not None
        else f"{path} holds no state dict but deep inside, at '{where}'; save the model's "
        f"state_dict() alone, or set weights_key='{where}' on the card"
    )


def _known_to_timm(
    module: Any,
    states: Mapping[str, dict[str, Tensor]],
    candidates: Mapping[str, Translation],
    path: Path,
) -> dict[str, Translation]:
    """Return the places that the architecture's own filter reads better than our layouts."""
    own = module.state_dict()
    better: dict[str, Translation] = {}
    for group in (group for group in states if group in candidates):
        try:
            fits = fitting(_filtered(module, states[group], path), own)
        except WeightsError:
            continue
        if fits > candidates[group].fits:
            better[group] = Translation("timm's filter", states[group], fits)
    return better


def _without_companions(places: list[str]) -> list[str]:
    """Leave out the places of a network whose companion is the one that authors evaluate."""
    words = {place: place.split(".") for place in places}
    present = {word for parts in words.values() for word in parts}
    lesser = {second for first, second in PREFERRED.items() if first in present}
    return [place for place in places if not lesser & set(words[place])] or places


def _check_patch(own: Mapping[str, Tensor], state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse another patch size, which timm's filter would resample without a word."""
    key = "patch_embed.proj.weight"
    if key not in own or key not in state or state[key].ndim != 4:
        return
    if state[key].shape != own[key].shape:
        raise WeightsError(
            f"{path} does not fit the architecture: its patch embedding is "
            f"{tuple(state[key].shape)} where {tuple(own[key].shape)} is due; correct the "
            "architecture"
        )


def _filtered(module: Any, state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Apply the architecture's own filter of timm, which resamples and knows further layouts."""
    adapt = getattr(import_module(type(module).__module__), "checkpoint_filter_fn", None)
    if adapt is None:
        return dict(state)
    try:
        return dict(adapt(dict(state), module))
    except Exception as error:  # of the code of any architecture, made for its own files alone
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"{path} does not fit {type(module).__name__}: timm's filter of its checkpoints fails "
            f"({type(error).__name__}: {reason}); is it of another architecture?"
        ) from error


def _differences(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor]
) -> tuple[list[str], list[str], list[str]]:
    """Tell what timm's filter renamed, dropped and resampled, by the memory of the tensors."""
    names = {value.data_ptr(): key for key, value in before.items()}
    old = {key: names.get(value.data_ptr(), "a new tensor") for key, value in after.items()}
    renamed = [f"{starred(old[key])} -> {starred(key)}" for key in after if key not in before]
    used = set(old.values()) | after.keys()
    dropped = [starred(key) for key in before if key not in used]
    resampled = [
        f"{starred(key)} {tuple(before[key].shape)} -> {tuple(value.shape)}"
        for key, value in after.items()
        if key in before and before[key].shape != value.shape
    ]
    return renamed, dropped, resampled


def _beside(states: Mapping[str, Mapping[str, Tensor]], place: str) -> list[str]:
    """Name what the file holds beside the place that is used, with the number of its tensors."""
    counts: dict[str, int] = {}
    chosen = place.split(".") if place else []
    for group, state in states.items():
        for key in state:
            parts = (f"{group}.{key}" if group else key).split(".")
            if parts[: len(chosen)] == chosen:
                continue
            depth = next(i for i, part in enumerate(chosen) if parts[i : i + 1] != [part])
            name = ".".join(parts[: depth + 1])
            counts[name] = counts.get(name, 0) + 1
    return [f"{name} ({n} tensor{'' if n == 1 else 's'})" for name, n in counts.items()]


def _unique(items: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
