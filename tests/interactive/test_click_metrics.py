import numpy as np
import pytest

from omnibench.scoring import case_values, score
from omnibench.tasks.interactive.metrics import METRICS

TOY = np.array([[0.5, 0.92], [0.3, 0.4]])


def of(iou: np.ndarray, start: float = 0.0) -> dict[str, float | None]:
    rows = np.full((len(iou), 2), start)
    return score("interactive", {"test_iou": iou, "test_dice": iou, "test_start": rows})


def test_two_objects_and_two_clicks_by_hand() -> None:
    values = of(TOY)
    assert values["interactive/noc-90"] == 2.0
    assert values["interactive/nof-90"] == 0.5
    assert values["interactive/iou-1"] == pytest.approx(0.4)
    assert values["interactive/nauc-iou"] == pytest.approx(
        ((0 + 0.5) / 2 + (0.5 + 0.92) / 2 + (0 + 0.3) / 2 + (0.3 + 0.4) / 2) / 2 / 2
    )
    assert "interactive/iou-3" not in values  # no third click was made


def test_a_success_at_the_last_click_is_no_failure() -> None:
    iou = np.zeros((1, 20))
    iou[0, -1] = 0.9  # as the threshold itself, as float64
    assert (of(iou)["interactive/noc-90"], of(iou)["interactive/nof-90"]) == (20, 0)
    iou[0, -1] = np.nextafter(0.9, 0)
    assert (of(iou)["interactive/noc-90"], of(iou)["interactive/nof-90"]) == (20, 1)


def test_clicks_needed_are_the_first_even_where_a_later_score_falls() -> None:
    values = of(np.array([[0.2, 0.86, 0.5, 0.9]]))
    assert (values["interactive/noc-85"], values["interactive/nof-85"]) == (2, 0)
    assert values["interactive/iou-3"] == 0.5


def test_the_area_starts_with_the_prompt_of_the_start() -> None:
    assert of(np.ones((3, 5)))["interactive/nauc-iou"] == pytest.approx(0.9)
    assert of(np.ones((3, 5)), start=1.0)["interactive/nauc-iou"] == pytest.approx(1)
    assert of(np.full((3, 1), 0.6), 0.2)["interactive/nauc-dice"] == pytest.approx(0.4)


def test_every_metric_is_the_mean_of_its_objects() -> None:
    random = np.random.default_rng(0)
    arrays = {f"test_{name}": random.random((9, 20)) for name in ("iou", "dice")}
    arrays["test_start"] = random.random((9, 2))
    arrays["test_nsd"] = random.random((9, 5))  # after 1, 3, 5, 10 and 20 clicks
    rows = case_values("interactive", arrays)
    values = score("interactive", arrays)
    assert len(values) == len(METRICS) == 22
    for name, value in values.items():
        assert rows[f"values:{name}"].shape == (9,)
        assert rows[f"values:{name}"].mean() == pytest.approx(value)


def test_fewer_clicks_and_failures_are_better() -> None:
    down = {metric.name for metric in METRICS if metric.direction == "down"}
    assert down == {"noc-80", "noc-85", "noc-90", "nof-85", "nof-90"}
    assert {metric.name for metric in METRICS if metric.unit == "clicks"} == {
        "noc-80",
        "noc-85",
        "noc-90",
    }
