import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from omnibench.catalogue import tasks
from omnibench.errors import DataError, RequestError
from omnibench.execute import execute_unit
from omnibench.record_files import read_predictions
from omnibench.store import RecordStore
from omnibench.tasks.interactive import FLOPS_A_PIXEL
from omnibench.tasks.interactive.click_head import ClickHead
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.flops import counted
from omnibench.training.job import Batch
from tests.interactive.conftest import SIDE, Make, masks_of_two_classes

INTERACTIVE = tasks.get("interactive")
FAST = {"epochs": 2, "batch": 3, "train_clicks": 2}


def trained(make: Make, recipe: dict[str, Any] | None = None, **given: Any) -> list[Any]:
    unit, context = make(adaptation="clicks", recipe={**FAST, **(recipe or {})}, **given)
    return list(INTERACTIVE.run(unit, context))


def trial_of(make: Make, recipe: dict[str, Any] | None = None, **given: Any) -> Any:
    unit, context = make(adaptation="clicks", recipe={**FAST, **(recipe or {})}, **given)
    return INTERACTIVE.prepare(unit, context)(0)


def batch_of(rows: list[int], whole: list[int] | None = None, step: int = 0) -> Batch:
    every = torch.tensor(rows if whole is None else whole)
    places = torch.arange(len(every))[-len(rows) :]
    return Batch(step, torch.tensor(rows), places, every)


def same(a: Any, b: Any) -> bool:
    return a.predictions.keys() == b.predictions.keys() and all(
        (a.predictions[name] == b.predictions[name]).all() for name in a.predictions
    )


def test_a_unit_leaves_the_record_that_clicks_without_training_leave(make: Make) -> None:
    unit, context = make(adaptation="clicks", clicks=3, recipe=FAST, against="component-centre")
    assert execute_unit(unit, context).repetitions == {0: None}
    path = RecordStore(context.results).path(unit.cells[0])
    record = RecordStore(context.results).read(unit.cells[0])
    assert record is not None
    assert record["notes"]["validated"] == {"metric": "iou-3", "better": "up"}
    assert record["cost"]["seconds_per_click"] > 0
    plain, place = make(clicks=3, against="component-centre", place="plain")
    (outcome,) = INTERACTIVE.run(plain, place)
    arrays = read_predictions(path)
    shapes = {name: array.shape for name, array in outcome.predictions.items()}
    assert {name: arrays[name].shape for name in shapes} == shapes
    assert record["metrics"].keys() == outcome.metrics.keys()
    assert path.with_suffix(".clicks.png").is_file()


def test_a_training_cut_short_ends_with_the_same_numbers(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = trained(make, clicks=3, jitter=1, place="whole")
    save = Checkpoints.save

    def killed(self: Any, step: Any, state: Any) -> None:
        save(self, step, state)
        if len(state["history"]) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(make, clicks=3, jitter=1, place="cut")
    monkeypatch.setattr(Checkpoints, "save", save)
    (resumed,) = trained(make, clicks=3, jitter=1, place="cut")
    assert same(whole, resumed)


def test_a_repetition_is_the_same_alone_and_differs_from_others(make: Make) -> None:
    first, second = trained(make, clicks=3, repetitions=(0, 1), place="both")
    (alone,) = trained(make, clicks=3, repetitions=(1,), place="alone")
    assert same(second, alone)
    assert not same(first, second)


class Constant(ClickHead):
    """Gives every pixel the same logit."""

    value = 0.0

    def forward(self, pixels: Tensor, maps: Any, clicks: Tensor) -> Tensor:
        return torch.full((len(pixels), 1, SIDE // 2, SIDE // 2), self.value)


@pytest.mark.parametrize("start", ["none", "box"])
def test_the_loss_is_the_mean_over_clicks_and_over_pixels_of_images_with_an_object(
    make: Make, start: str
) -> None:
    trial = trial_of(make, start=start)
    trial.model.head.__class__ = Constant
    Constant.value = 0.0
    assert trial.loss(batch_of([0, 1, 2])).item() == pytest.approx(math.log(2))
    Constant.value = -3.0
    share = (masks_of_two_classes()[0] == 1).mean()
    expected = math.log1p(math.exp(-3)) + 3 * share
    # The third image shows nothing and counts for nothing.
    assert trial.loss(batch_of([0, 2])).item() == pytest.approx(expected, rel=1e-5)
    assert trial.loss(batch_of([2])).item() == 0


def test_the_parts_of_a_batch_add_up_to_its_loss(make: Make) -> None:
    trial = trial_of(make)
    trial.model.eval()  # batch norms would tell the parts apart
    for step in range(2):
        whole = trial.loss(batch_of([0, 1, 2], step=step))
        every = [0, 1, 2]
        parts = [
            trial.loss(Batch(step, torch.tensor([n]), torch.tensor([n]), torch.tensor(every)))
            for n in every
        ]
        assert torch.stack(parts).sum().item() == pytest.approx(whole.item(), rel=1e-4)


def test_objects_of_a_step_are_drawn_among_the_classes_of_their_image(make: Make) -> None:
    trial = trial_of(make)
    masks = masks_of_two_classes()
    drawn = set()
    for step in range(12):
        objects = trial._objects(np.array([0, 1, 2]), batch_of([0, 1, 2], step=step))
        assert (objects[0].target.truth == (masks[0] == 1)).all()
        assert not objects[2].target.counted.any()
        drawn.add(int(masks[1][objects[1].target.truth].max()))
    assert drawn == {1, 2}


def test_nothing_beyond_a_box_is_of_the_object(make: Make) -> None:
    trial = trial_of(make, start="box")
    trial.model.head.__class__ = Constant
    Constant.value = 1.0
    arrays = trial.predict()
    truth = trial.test.target(0)
    boxed = np.zeros_like(truth.truth)
    boxed[truth.box] = True
    assert arrays["test_start"][0] == pytest.approx(truth.overlap(boxed))
    assert arrays["test_iou"][0] == pytest.approx(truth.overlap(boxed)[0])


@pytest.mark.parametrize("adaptation", ["clicks", "clicks-knn"])
def test_objects_of_one_pixel_at_the_border_and_of_the_whole_image_are_clicked_at(
    make: Make, adaptation: str
) -> None:
    masks = np.zeros((4, SIDE, SIDE), np.uint8)
    masks[0, 0, 31] = 1  # one pixel, in a corner
    masks[1] = 1  # the whole image
    masks[2, 20:, 5:9] = 1  # at the border
    trained = {**FAST, "epochs": 1} if adaptation == "clicks" else {}
    recipe = {**trained, "score_at": "native", "input_size": 64}
    unit, context = make(masks, adaptation=adaptation, recipe=recipe, clicks=21)
    (outcome,) = INTERACTIVE.run(unit, context)
    arrays = outcome.predictions
    assert arrays["test_image"].tolist() == [0, 1, 2]  # the fourth image shows nothing
    assert arrays["test_clicks"][0, 0].tolist() == [0, 31, 1]
    assert (arrays["test_clicks"][:, 0, 2] == 1).all()
    assert arrays["test_clicks"][2, 0, 0] >= 20
    assert np.isfinite(arrays["test_iou"]).all()
    assert np.isfinite(arrays["test_nsd"]).all()


def test_a_label_budget_cuts_the_training_images(make: Make) -> None:
    masks = masks_of_two_classes()[[0, 1, 2, 0, 1, 0]]
    unit, context = make(masks, adaptation="clicks", recipe=FAST, clicks=2)
    (outcome,) = INTERACTIVE.run(replace(unit, labels="50%"), context)
    assert outcome.notes["subset"]["images"] == 3
    assert len(outcome.predictions["test_iou"]) == 7  # every object of the test split


def test_a_label_budget_that_leaves_no_object_is_refused(make: Make) -> None:
    masks = np.zeros((10, SIDE, SIDE), np.uint8)
    masks[0] = masks_of_two_classes()[0]
    unit, context = make(masks, adaptation="clicks", recipe=FAST)
    with pytest.raises(DataError, match=r"none of the 1 training masks shows an object .* raise"):
        INTERACTIVE.prepare(replace(unit, labels="10%"), context)(0)


def test_the_head_costs_what_the_plan_reckons_with() -> None:
    head = ClickHead(((40, 28, 28), (112, 14, 14), (320, 7, 7)), tokens=False)
    maps = [torch.zeros(1, *shape) for shape in ((40, 28, 28), (112, 14, 14), (320, 7, 7))]
    zeros = torch.zeros(1, 3, 224, 224)
    flops = counted(head, lambda: head(zeros, maps, zeros))
    assert flops / 224**2 == pytest.approx(FLOPS_A_PIXEL, rel=0.05)


def test_an_input_size_that_the_strides_do_not_divide_is_refused(make: Make) -> None:
    unit, context = make(adaptation="clicks", recipe={**FAST, "input_size": 40})
    with pytest.raises(RequestError, match=r"recipe.input_size 40 .* use 32 or 64"):
        INTERACTIVE.prepare(unit, context)
    assert any("use 32 or 64" in reason for reason in INTERACTIVE.refusals(unit, {}))
