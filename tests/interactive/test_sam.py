from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.context import Context
from omnibench.errors import NumericError, OmnibenchError
from omnibench.tasks.interactive.sam import Sam
from omnibench.tasks.interactive.simulators import Click
from tests.interactive.conftest import Make
from tests.interactive.promptable import saved

INTERACTIVE = tasks.get("interactive")
KINDS = ["sam", "sam2"]
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def loaded(kind: str, tmp_path: Path) -> tuple[Sam, Any]:
    model = saved(kind, tmp_path / kind)
    card = BackboneCard(id="s", source=f"file:{tmp_path / kind}")
    return Sam.from_card(card, Context(tmp_path, tmp_path), "fp32"), model


def image_of(side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_those_of_the_model_with_every_prompt_so_far(kind: str, tmp_path: Path) -> None:
    sam, model = loaded(kind, tmp_path)
    side = sam.preprocess.size
    assert side == {"sam": 32, "sam2": 64}[kind]
    image = image_of(side)
    method = sam.method(image, (side, side), None)
    clicks = [Click(3, 5, 1), Click(9, 20, -1)]
    assert not method.start().any()
    first = method.mask(clicks[:1], method.start())
    second = method.mask(clicks, first)

    pixels = torch.from_numpy((image / 255 - MEAN) / STD).permute(2, 0, 1)[None].float()
    points, labels = torch.tensor([[[[5.0, 3.0]]]]), torch.tensor([[[1]]])
    with torch.no_grad():
        first_answer = model(pixel_values=pixels, input_points=points, input_labels=labels)
        best = first_answer.pred_masks[:, 0, [int(first_answer.iou_scores.argmax())]]
        next_logits = model(
            pixel_values=pixels,
            input_points=torch.tensor([[[[5.0, 3.0], [20.0, 9.0]]]]),
            input_labels=torch.tensor([[[1, 0]]]),
            input_masks=best,
            multimask_output=False,
        ).pred_masks[:, 0]
    for mask, logits in ((first, best), (second, next_logits)):
        large = torch.nn.functional.interpolate(logits, (side, side), mode="bilinear")[0, 0]
        assert (mask == (large > 0).numpy()).mean() > 0.995  # rounding at a logit of 0


def test_a_box_is_a_prompt_of_its_own(tmp_path: Path) -> None:
    sam, model = loaded("sam", tmp_path)
    image = image_of(32)
    box = slice(4, 20), slice(6, 31)
    method = sam.method(image, (32, 32), box)
    start = method.start()
    pixels = torch.from_numpy((image / 255 - MEAN) / STD).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        logits = model(
            pixel_values=pixels,
            input_boxes=torch.tensor([[[6.0, 4.0, 30.0, 19.0]]]),
            multimask_output=False,
        ).pred_masks[:, 0]
    large = torch.nn.functional.interpolate(logits, (32, 32), mode="bilinear")[0, 0]
    assert (start == (large > 0).numpy()).mean() > 0.995
    assert method.mask([Click(10, 10, 1)], start).shape == (32, 32)


def test_clicks_at_masks_of_another_size_are_brought_to_the_model(tmp_path: Path) -> None:
    sam, _ = loaded("sam", tmp_path)
    method: Any = sam.method(image_of(32), (64, 16), None)
    assert method._point(0, 0) == (0.5, -0.25)
    assert method._point(63, 15) == (30.5, 31.25)
    assert method.mask([Click(60, 3, 1)], method.start()).shape == (64, 16)


def test_a_folder_of_sam_is_a_backbone_of_prompt_alone(make: Make, tmp_path: Path) -> None:
    saved("sam", tmp_path / "sam")
    backbone = BackboneCard(id="s", source=f"file:{tmp_path / 'sam'}")
    unit, context = make(adaptation="prompt", backbone=backbone, clicks=3)
    assert not list(INTERACTIVE.refusals(unit, {}))
    (outcome,) = INTERACTIVE.run(unit, context)
    assert outcome.predictions["test_iou"].shape == (3, 3)
    assert outcome.cost["total_parameters"] > 1000
    planned = backbone.model_copy(update={"patch": 8})  # as its config.json tells
    unit, context = make(backbone=planned, clicks=3)
    with pytest.raises(
        OmnibenchError, match=r"a SamModel is no transformer of patch tokens; leave"
    ):
        list(INTERACTIVE.run(unit, context))


def test_weights_that_are_not_finite_answer_with_a_sentence(tmp_path: Path) -> None:
    sam, _ = loaded("sam", tmp_path)
    with torch.no_grad():
        next(sam.module.mask_decoder.parameters()).fill_(torch.nan)
    method = sam.method(image_of(32), (32, 32), None)
    with pytest.raises(NumericError, match=r"s: its mask is not finite; correct its weights"):
        method.mask([Click(3, 3, 1)], method.start())
