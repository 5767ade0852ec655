"""Models that are clicked at as they are: SAM's kind, or an object with a method `predict`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.images import native
from omnibench.encoders.builders import build_module
from omnibench.encoders.coverage import tensors_digest
from omnibench.errors import ExtensionError, OmnibenchError, RequestError, one_line
from omnibench.memory import is_out_of_memory

from .cases import Objects
from .options import ClickOptions
from .refusals import prompt_refusal
from .sam import Sam
from .sequences import Box, Method, within
from .simulators import Bits, Click
from .untrained import Methods

Pixels = NDArray[np.uint8]


class Promptable(Protocol):
    """A model that is clicked at."""

    module: Any

    def method(self, image: Pixels, size: tuple[int, int], box: Box | None) -> Method:
        """Return what outlines an object of an image uint8 [h, w] or [h, w, 3].

        Args:
            size: (H, W) of its masks and clicks.
            box: of the object; None where it is not known.
        """
        ...

    def facts(self) -> Mapping[str, Any]:
        """Return what there is to record of it."""
        ...


class Predicting:
    """An object from outside: predict(image, clicks, previous) -> mask.

    The image is uint8 [H, W, 3], clicks are (row, column, sign) with a sign of 1 or -1, previous is
    the mask before, bool [H, W]. The mask is bool [H, W], or zeros and ones. With a box the first
    call has no click, and the filled box as the mask before.
    """

    def __init__(self, card: BackboneCard, module: Any) -> None:
        self.card, self.module = card, module

    def method(self, image: Pixels, size: tuple[int, int], box: Box | None) -> Method:
        resized = (
            Image.fromarray(image).convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR)
        )
        return _Predicted(self, np.asarray(resized), box)

    def facts(self) -> Mapping[str, Any]:
        return {"coverage": None}

    def mask(self, image: Pixels, clicks: Sequence[Click], previous: Bits) -> Bits:
        """Return a mask as the model gives it.

        Raises:
            ExtensionError: it raises, or gives what is no mask of the image.
        """
        where = f"{self.card.id}: its predict"
        try:
            given = self.module.predict(image.copy(), list(clicks), previous.copy())
            mask = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
        except OmnibenchError:
            raise
        except Exception as error:  # whatever it raises
            if is_out_of_memory(error):
                raise
            raise ExtensionError(
                f"{where} failed with {type(error).__name__}: {one_line(error)}; correct it"
            ) from error
        if mask.shape != previous.shape or mask.dtype.kind not in "buif":
            raise ExtensionError(
                f"{where} gave {mask.dtype} of shape {mask.shape} for an image of "
                f"{previous.shape[0]} x {previous.shape[1]} pixels; give a mask of its height and "
                "width"
            )
        if mask.dtype != np.bool_ and not np.isin(mask, (0, 1)).all():
            other = "NaN" if np.isnan(mask).any() else "other numbers than 0 and 1"
            raise ExtensionError(
                f"{where} gave {other} in a mask; give bool, such as probabilities > 0.5"
            )
        return mask.astype(np.bool_)


class _Predicted:
    """One object that `Predicting` outlines."""

    def __init__(self, model: Predicting, image: Pixels, box: Box | None) -> None:
        self.model, self.image, self.box = model, image, box

    def start(self) -> Bits:
        before = within(self.box, self.image.shape[:2])
        if self.box is None:
            return np.zeros_like(before)
        return self.model.mask(self.image, (), before)

    def mask(self, clicks: Sequence[Click], previous: Bits) -> Bits:
        return self.model.mask(self.image, clicks, previous)


class _Watched:
    """A method of which it is seen whether any mask tells object from background."""

    def __init__(self, method: Method, see: Callable[[Bits], Bits]) -> None:
        self.method, self.see = method, see

    def start(self) -> Bits:
        return self.see(self.method.start())

    def mask(self, clicks: Sequence[Click], previous: Bits) -> Bits:
        return self.see(self.method.mask(clicks, previous))


def methods(unit: Unit, objects: Objects, options: ClickOptions, context: Context) -> Methods:
    """Return what makes `prompt` of an object, by a backbone that is a promptable model.

    Raises:
        RequestError: the backbone is none.
        WeightsError: its files do not fit.
    """
    model = _loaded(unit, context)
    images = objects.cases.dataset.splits[objects.split].images
    telling = False

    def see(mask: Bits) -> Bits:
        nonlocal telling
        telling = telling or bool(mask.any() and not mask.all())
        return mask

    def method(number: int) -> Method:
        target = objects.target(number)
        size = (target.truth.shape[0], target.truth.shape[1])
        box = target.box if options.start == "box" else None
        return _Watched(model.method(native(images, int(objects.rows[number])), size, box), see)

    def check(arrays: Mapping[str, NDArray[Any]]) -> None:
        if not telling and not (arrays["test_iou"] == 1).any():
            raise ExtensionError(
                f"{unit.backbone.id}: each of its masks is all object or all background, whatever "
                "was clicked, so that it outlines nothing; correct the model or its weights"
            )

    module = model.module
    digest, parameters = "", 0
    if isinstance(module, nn.Module):
        digest = tensors_digest(module)
        parameters = sum(parameter.numel() for parameter in module.parameters())
    facts = {**model.facts(), "parameters": parameters, "digest": digest}
    return Methods(method, digest, facts, {"total_parameters": parameters}, check)


def _loaded(unit: Unit, context: Context) -> Promptable:
    card = unit.backbone
    if refusal := prompt_refusal(card):
        raise RequestError(refusal)
    if card.source_kind != "module":
        return Sam.from_card(card, context, unit.recipe["precision"])
    built = build_module(card)
    module = built[0] if isinstance(built, tuple) else built
    if not callable(getattr(module, "predict", None)):
        raise RequestError(
            f"{card.id}: {card.source} built a {type(module).__name__} without a method "
            "predict(image, clicks, previous), which `prompt` calls; give it that"
        )
    if isinstance(module, nn.Module):
        module.to(context.device).eval().requires_grad_(False)
    return Predicting(card, module)
