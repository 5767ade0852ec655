"""SAM (Kirillov et al., arXiv:2304.02643) and SAM 2 (Ravi et al., arXiv:2408.00714), clicked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cards import BackboneCard
from omnibench.context import Context
from omnibench.encoders.coverage import Coverage
from omnibench.encoders.origins import files_of, folder_statistics
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from omnibench.encoders.timm_create import json_object
from omnibench.encoders.transformers_model import load_transformers
from omnibench.errors import NumericError, RequestError
from omnibench.tasks.segmentation.layers import resize
from omnibench.training.precision import autocast

from .refusals import folder_refusal
from .sequences import Box, Method
from .simulators import Bits, Click


@dataclass
class Sam:
    """A model of transformers with SAM's prompts, and the last image that it has encoded.

    Attributes:
        module: SamModel or Sam2Model.
        preprocess: stretches images to the model's square and normalises them.
    """

    card: BackboneCard
    module: Any
    coverage: Coverage
    preprocess: Preprocess
    precision: str
    _encoded: tuple[bytes, Any] = field(default=(b"", None), repr=False)

    @classmethod
    def from_card(cls, card: BackboneCard, context: Context, precision: str) -> Self:
        """Load a model from a local folder, or the hub's cache.

        Raises:
            RequestError: the folder holds another kind of model.
            WeightsError: as `load_transformers`.
        """
        files = files_of(card, context.data)
        if refusal := folder_refusal(card, files.weights.parent):
            raise RequestError(refusal)
        assert files.config is not None
        module, coverage = load_transformers(card, files.weights, "AutoModelForMaskGeneration")
        mean, std = folder_statistics(files, json_object(files.config))
        mean, std = card.mean or mean or IMAGENET_MEAN, card.std or std or IMAGENET_STD
        device = torch.device(context.device)
        side = int(module.config.prompt_encoder_config.image_size)
        module.to(device=device, dtype=torch.float32).eval().requires_grad_(False)
        preprocess = Preprocess(side, mean, std, device, torch.float32)
        return cls(card, module, coverage, preprocess, precision)

    def facts(self) -> Mapping[str, Any]:
        """Return what there is to record of it."""
        mean, std = list(self.preprocess.mean), list(self.preprocess.std)
        return {"coverage": self.coverage.as_dict(), "mean": mean, "std": std}

    def method(self, image: NDArray[np.uint8], size: tuple[int, int], box: Box | None) -> Method:
        """Return what outlines an object of an image, which is encoded unless it was the last."""
        key = image.tobytes()
        if self._encoded[0] != key:
            pixels = self.preprocess(torch.from_numpy(np.ascontiguousarray(image))[None])
            with torch.inference_mode(), autocast(self.precision, str(pixels.device)):
                self._encoded = key, self.module.get_image_embeddings(pixels)
        return _Prompted(self, self._encoded[1], size, box)

    def logits(self, encoded: Any, prompts: Mapping[str, Tensor], ambiguous: bool) -> Tensor:
        """Return a mask's logits [1, 1, h, w] at the model's own size.

        Args:
            ambiguous: take the best of three masks by the model's own guess of their IoU, as SAM
                does where one click alone may mean a part or the whole.

        Raises:
            NumericError: they are not finite.
        """
        with torch.inference_mode(), autocast(self.precision, str(self.preprocess.device)):
            answer = self.module(image_embeddings=encoded, multimask_output=ambiguous, **prompts)
        best = int(answer.iou_scores[0, 0].argmax())
        logits: Tensor = answer.pred_masks[:, 0, best : best + 1].float()
        if not torch.isfinite(logits).all():
            raise NumericError(
                f"{self.card.id}: its mask is not finite; correct its weights, or give the recipe "
                "precision: fp32"
            )
        return logits


class _Prompted:
    """One object: with each click go all prompts so far and the logits before, as SAM has it.

    Args:
        encoded: the image's embeddings.
        size: (H, W) of its masks.
    """

    def __init__(self, sam: Sam, encoded: Any, size: tuple[int, int], box: Box | None) -> None:
        self.sam, self.encoded, self.size, self.box = sam, encoded, size, box
        self.logits: Tensor | None = None

    def start(self) -> Bits:
        if self.box is None:
            return np.zeros(self.size, np.bool_)
        return self._mask(())

    def mask(self, clicks: Sequence[Click], previous: Bits) -> Bits:
        return self._mask(clicks)

    def _mask(self, clicks: Sequence[Click]) -> Bits:
        prompts: dict[str, Tensor] = {}
        device = self.sam.preprocess.device
        if clicks:
            points = [self._point(click.row, click.column) for click in clicks]
            labels = [int(click.sign > 0) for click in clicks]
            prompts["input_points"] = torch.tensor([[points]], device=device)
            prompts["input_labels"] = torch.tensor([[labels]], device=device)
        if self.box is not None:
            rows, columns = self.box
            first = self._point(rows.start, columns.start)
            last = self._point(rows.stop - 1, columns.stop - 1)
            prompts["input_boxes"] = torch.tensor([[[*first, *last]]], device=device)
        if self.logits is not None:
            prompts["input_masks"] = self.logits
        alone = len(clicks) == 1 and self.box is None
        self.logits = self.sam.logits(self.encoded, prompts, alone)
        mask: Bits = (resize(self.logits, self.size)[0, 0] > 0).cpu().numpy()
        return mask

    def _point(self, row: int, column: int) -> tuple[float, float]:
        """Return (x, y) among the pixels that the model sees; a pixel's centre stays a centre."""
        side = self.sam.preprocess.size
        y, x = (
            (place + 0.5) * side / length - 0.5
            for place, length in zip((row, column), self.size, strict=True)
        )
        return x, y
