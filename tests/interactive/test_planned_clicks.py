from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.suite import load

Planned = Callable[..., Unit]


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """Plan one unit of three repetitions, with these options."""

    def planned(
        dataset: str = "mni152",
        adaptation: str = "clicks-knn",
        labels: str = "100%",
        **options: Any,
    ) -> Unit:
        block = {
            "task": "interactive",
            "datasets": [dataset],
            "adaptations": [{adaptation: options}],
            "labels": [labels],
        }
        suite = {"name": "s", "repetitions": 3, "backbones": ["random-vit-tiny"], "matrix": [block]}
        (unit,) = load(suite, Sources(tmp_path, tmp_path)).units
        return unit

    return planned


def test_whatever_serves_segmentation_is_clicked_at(planned: Planned) -> None:
    assert planned("mni152").dataset.id == "mni152"
    with pytest.raises(RequestError, match=r"'phantom-findings' serves classification, not inter"):
        planned("phantom-findings")


def test_cells_are_repeated_where_clicks_miss(planned: Planned) -> None:
    assert len(planned().cells) == 1
    assert len(planned(jitter=2).cells) == 3
    assert planned(jitter=2, start="box").short == "clicks-knn-sbox-j2"


def test_another_simulator_is_among_the_views_of_a_unit(planned: Planned) -> None:
    assert planned().view_names == ()
    unit = planned(against="component-centre", jitter=1)
    assert unit.view_names == ("component-centre",)
    assert unit.spec(0)["options"]["against"] == "component-centre"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"clicks": 0}, r"clicks-knn.clicks: .*greater than or equal to 1"),
        ({"jitter": -1}, r"clicks-knn.jitter"),
        ({"simulate": "uniform"}, r"clicks-knn.simulate: .*'edt'"),
        ({"against": "edt"}, r"the rule that is simulated; give the other one"),
    ],
)
def test_wrong_options_are_refused_by_their_path(
    planned: Planned, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        planned(**options)


def test_what_is_trained_takes_a_label_budget_and_varies_with_its_seed(planned: Planned) -> None:
    unit = planned(adaptation="clicks", jitter=1, labels="10%")
    interactive = tasks.get("interactive")
    under = interactive.adaptations["clicks"].under(unit.options)
    assert under.varying(unit.recipe, unit.labels) == (
        "label subset and training seed and jitter of clicks"
    )
    assert len(unit.cells) == 3
    assert not list(interactive.refusals(unit, {}))


def test_what_trains_nothing_refuses_a_label_budget(planned: Planned) -> None:
    (reason,) = tasks.get("interactive").refusals(planned(labels="10%"), {})
    assert reason.startswith("clicks-knn trains nothing, so that a label budget of 10% changes")
