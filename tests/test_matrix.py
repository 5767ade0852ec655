from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from omnibench.cell import Unit
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.states import Filters, select
from omnibench.suite import Suite, load

Loaded = Callable[..., Suite]


@pytest.fixture
def budgeted(tmp_path: Path) -> Loaded:
    """Load a suite of one block with these label budgets."""

    def budgeted(
        *labels: object, backbones: Sequence[str] = ("random-vit-tiny",), **entry: object
    ) -> Suite:
        block: dict[str, object] = {"task": "classification", "datasets": ["phantom"]}
        block |= {"adaptations": ["linear"], **({"labels": list(labels)} if labels else {})}
        suite = {"name": "s", "repetitions": 3, "backbones": list(backbones)}
        return load({**suite, "matrix": [{**block, **entry}]}, Sources(tmp_path, tmp_path))

    return budgeted


def digests(unit: Unit) -> list[str]:
    return [cell.digest for cell in unit.cells]


def test_all_labels_are_what_no_budget_is(budgeted: Loaded) -> None:
    (plain,), (whole,) = budgeted().units, budgeted("100.0%").units
    assert plain == whole
    assert digests(plain) == digests(whole)
    assert "labels" not in plain.spec(0)
    assert "labels" not in plain.identity(0)


def test_each_budget_is_a_unit_of_its_own_that_pairs_by_its_seeds(budgeted: Loaded) -> None:
    units = budgeted("1%", "10%", "100%", "4/class").units
    assert [u.short for u in units] == ["linear@1pct", "linear@10pct", "linear", "linear@4shot"]
    assert [u.labels for u in units] == ["1%", "10%", "100%", "4/class"]
    assert len({digest for unit in units for digest in digests(unit)}) == 12
    assert units[0].spec(0)["labels"] == units[0].identity(0)["labels"] == "1%"
    for purpose in ("head", "order", "augmentation"):
        assert len({unit.seed(purpose, 1) for unit in units}) == 1
    assert len({unit.subset_seed(1) for unit in units}) == 1


def test_the_images_of_a_budget_are_of_no_backbone_and_no_adaptation(budgeted: Loaded) -> None:
    """Were they, curves of two backbones or adaptations would show different images."""
    units = budgeted(
        "1%",
        "50%",
        backbones=["random-vit-tiny", "random-efficientnet-lite0"],
        adaptations=["linear", "knn", {"lora": {"r": 2, "alpha": 4}}],
    ).units
    assert len(units) == 12
    assert len({unit.subset_seed(0) for unit in units}) == 1
    assert units[0].subset_seed(0) != units[0].subset_seed(1)


def test_pairing_holds_the_subset_below_all_labels(budgeted: Loaded) -> None:
    (unit,) = budgeted("10%").units
    assert len({unit.pairing(0), unit.pairing(0, "a"), unit.pairing(0, "b")}) == 3


def test_what_is_deterministic_has_repetitions_where_subsets_differ(budgeted: Loaded) -> None:
    few, whole = budgeted("10%", "100%", adaptations=["knn"]).units
    assert [len(few.cells), len(whole.cells)] == [3, 1]
    with pytest.raises(RequestError, match=r"matrix has 300,001 cells"):
        budgeted("10%", "100%", adaptations=["knn"], repetitions=300_000)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["0%"], r"matrix\[0\]\.labels\[0\]: '0%' is no share"),
        (["10%", "101%"], r"matrix\[0\]\.labels\[1\]: '101%' is no share"),
        ([10], r"matrix\[0\]\.labels\[0\]: '10' is no label budget"),
        (["10%", "10.0%"], r"matrix\[0\]\.labels: the budget 10% stands twice"),
        ("10%", r"matrix\[0\]\.labels: .*valid list"),
        ([], r"matrix\[0\]\.labels: .*at least 1 item"),
    ],
)
def test_wrong_budgets_are_named_by_their_path(
    budgeted: Loaded, labels: object, message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        budgeted(**{"labels": labels})
    assert "\n" not in str(caught.value)


def test_a_task_refuses_budgets_that_say_nothing_to_it(budgeted: Loaded) -> None:
    block: dict[str, object] = {"task": "segmentation", "adaptations": ["linear"]}
    assert len(budgeted("10%", **block).units) == 1
    with pytest.raises(
        RequestError, match=r"labels\[1\]: segmentation counts no images of a class"
    ):
        budgeted("10%", "4/class", **block)
    block = {"task": "pretraining", "adaptations": ["dinov2-global"]}
    assert len(budgeted("100%", **block).units) == 1
    with pytest.raises(RequestError, match=r"labels\[0\]: pretraining takes no label budget"):
        budgeted("10%", **block)


def test_globs_select_an_adaptation_with_its_budgets_or_one_of_them(budgeted: Loaded) -> None:
    suite = budgeted("1%", "10%", "100%", adaptations=["linear", "knn"])

    def chosen(glob: str) -> list[str]:
        return [unit.short for unit in select(suite, Filters(adaptations=(glob,)))]

    assert chosen("linear") == ["linear@1pct", "linear@10pct", "linear"]
    assert chosen("linear@*") == ["linear@1pct", "linear@10pct"]
    assert chosen("*@10pct") == ["linear@10pct", "knn@10pct"]
