from typing import Any

import numpy as np
import pytest

from omnibench.catalogue import tasks
from omnibench.errors import RequestError
from omnibench.execute import execute_unit
from omnibench.record_files import read_predictions
from omnibench.store import RecordStore
from tests.interactive.conftest import Make

INTERACTIVE = tasks.get("interactive")


def outcomes(unit: Any, context: Any) -> list[Any]:
    return list(INTERACTIVE.run(unit, context))


def test_a_unit_leaves_a_whole_record(make: Make) -> None:
    unit, context = make(clicks=5)
    assert unit.short == "clicks-knn-c5"
    assert execute_unit(unit, context).repetitions == {0: None}
    store = RecordStore(context.results)
    record = store.read(unit.cells[0])
    assert record is not None
    assert record["notes"]["objects"] == 3
    assert record["cost"]["seconds_per_click"] > 0
    path = store.path(unit.cells[0])
    arrays = read_predictions(path)
    assert arrays["test_iou"].shape == arrays["test_dice"].shape == (3, 5)
    assert arrays["test_clicks"].shape == (3, 5, 3)
    assert arrays["test_nsd"].shape == (3, 3)  # after 1, 3 and 5 clicks
    assert (arrays["test_clicks"][:, 0, 2] == 1).all()  # nothing is outlined before
    assert path.with_suffix(".clicks.png").read_bytes().startswith(b"\x89PNG")
    assert 1 <= record["metrics"]["interactive/noc-85"] <= 5


def test_clicks_outline_objects_better_and_better(make: Make) -> None:
    (outcome,) = outcomes(*make())
    iou = outcome.predictions["test_iou"].mean(axis=0)
    assert iou[19] > iou[4] > iou[0]
    assert iou[19] > 0.7


def test_without_jitter_there_is_one_cell_and_always_the_same(make: Make) -> None:
    card = INTERACTIVE.adaptations["clicks-knn"]
    assert card.under({"jitter": 0}).deterministic
    assert not card.under({"jitter": 2}).deterministic
    (first,), (second,) = (outcomes(*make(clicks=4)) for _ in range(2))
    assert (first.predictions["test_clicks"] == second.predictions["test_clicks"]).all()


def test_jitter_is_drawn_anew_in_each_repetition_and_pairs_across_backbones(make: Make) -> None:
    unit, context = make(repetitions=(0, 1), clicks=3, jitter=2)
    clicks = [outcome.predictions["test_clicks"] for outcome in outcomes(unit, context)]
    assert (clicks[0] != clicks[1]).any()
    (alone,) = outcomes(*make(repetitions=(1,), clicks=3, jitter=2))
    assert (alone.predictions["test_clicks"] == clicks[1]).all()


def test_another_simulator_is_a_view_of_the_same_objects(make: Make) -> None:
    against, context = make(clicks=6, against="component-centre")
    (outcome,) = outcomes(against, context)
    (other,) = outcomes(*make(clicks=6, simulate="component-centre"))
    (plain,) = outcomes(*make(clicks=6))
    for name in ("iou", "dice", "clicks"):
        view = outcome.predictions[f"test_{name}@component-centre"]
        assert (view == other.predictions[f"test_{name}"]).all()
        assert (outcome.predictions[f"test_{name}"] == plain.predictions[f"test_{name}"]).all()
    assert (
        outcome.metrics["interactive@component-centre/nauc-iou"]
        == other.metrics["interactive/nauc-iou"]
    )


def test_a_simulator_is_not_held_against_itself() -> None:
    card = INTERACTIVE.adaptations["clicks-knn"]
    assert card.under({"against": "component-centre"}).further_views == ("component-centre",)
    with pytest.raises(RequestError, match=r"against: edt` is the rule that is simulated"):
        card.resolve_options({"against": "edt"}, "adaptations[0]")


def test_a_box_is_a_start_with_a_score_of_its_own(make: Make) -> None:
    (outcome,) = outcomes(*make(clicks=2, start="box"))
    assert (outcome.predictions["test_start"] > 0).all()
    iou = np.column_stack(
        [outcome.predictions["test_start"][:, 0], outcome.predictions["test_iou"]]
    )
    area = np.trapezoid(iou, axis=1).mean() / 2
    assert outcome.metrics["interactive/nauc-iou"] == pytest.approx(area)


def test_objects_are_clicked_at_in_the_size_of_their_files_where_asked(make: Make) -> None:
    (outcome,) = outcomes(*make(clicks=2, recipe={"input_size": 16, "score_at": "native"}))
    assert outcome.predictions["test_clicks"][..., :2].max() > 16
