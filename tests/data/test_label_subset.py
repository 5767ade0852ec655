"""The draw of a label budget: nested, stratified, by patient, the same for all that is compared."""

import hashlib
import itertools
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit
from omnibench.data import ArrayImages, Dataset, Labels, Split
from omnibench.data.label_subset import Subset, drawn_rows
from omnibench.label_budget import LabelBudget

SHARES = [LabelBudget(share=Fraction(p, 1000)) for p in (1, 10, 50, 100, 255, 500, 999, 1000)]
SHOTS = [LabelBudget(shots=k) for k in (1, 2, 4, 8, 16, 1000)]


def drawn(case: Any, budget: LabelBudget) -> NDArray[np.int64]:
    labels, groups, seed = case
    count = len(labels) if labels is not None else len(groups)
    return drawn_rows(count, budget, seed, labels, groups)


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Any:
    """Labels of up to 5 classes, often rare, and patients of up to 4 images, or none."""
    count = draw(st.integers(1, 120))
    seed = draw(st.integers(0, 2**63 - 1))
    world = np.random.default_rng(seed)
    shares = world.dirichlet(np.full(draw(st.integers(1, 5)), 0.4))
    labels: NDArray[np.int64] | None = world.choice(len(shares), count, p=shares)
    if kind == "several":
        labels = (world.random((count, len(shares))) < shares * 0.8).astype(np.int64)
    grouped = draw(st.booleans()) or kind == "none"
    patients = world.integers(0, max(1, count // 2), count).astype(str) if grouped else None
    return (None if kind == "none" else labels), patients, seed


ANY_CASE = st.one_of(cases("one"), cases("several"), cases("none"))
LABELLED = st.one_of(cases("one"), cases("several"))


@given(ANY_CASE)
def test_a_smaller_share_is_inside_a_larger_one(case: Any) -> None:
    drawings = [set(drawn(case, share).tolist()) for share in SHARES]
    assert drawings[0]
    for few, many in itertools.pairwise(drawings):
        assert few <= many
    assert drawings[-1] == set(range(len(case[0] if case[0] is not None else case[1])))


@given(LABELLED)
def test_fewer_images_a_class_are_inside_more(case: Any) -> None:
    drawings = [set(drawn(case, shots).tolist()) for shots in SHOTS]
    for few, many in itertools.pairwise(drawings):
        assert few <= many
    assert drawings[-1] == set(range(len(case[0])))


@given(LABELLED)
def test_no_class_that_has_images_is_left_without_one(case: Any) -> None:
    labels = case[0]
    shown = labels[:, None] == np.arange(5) if labels.ndim == 1 else labels == 1
    for share in SHARES:
        assert (shown[drawn(case, share)].any(axis=0) == shown.any(axis=0)).all()
    for shots in SHOTS:
        counts = shown[drawn(case, shots)].sum(axis=0)
        assert shots.shots is not None
        assert (counts >= np.minimum(shots.shots, shown.sum(axis=0))).all()


@given(ANY_CASE)
def test_patients_are_never_split(case: Any) -> None:
    groups = case[1]
    if groups is not None:
        for budget in SHARES + (SHOTS if case[0] is not None else []):
            rows = drawn(case, budget)
            others = np.setdiff1d(np.arange(len(groups)), rows)
            assert not set(groups[rows]) & set(groups[others])


@given(cases("one"))
def test_without_patients_each_class_has_its_exact_count(case: Any) -> None:
    labels, _, seed = case
    for budget in SHARES + SHOTS:
        rows = drawn_rows(len(labels), budget, seed, labels)
        for value, size in zip(*np.unique(labels, return_counts=True), strict=True):
            assert (labels[rows] == value).sum() == budget.of(int(size))


@given(cases("several"))
def test_a_share_of_several_labels_is_a_prefix_and_the_first_of_each_label(case: Any) -> None:
    """Said again by brute force: one order, a prefix, then what no label is without."""
    labels, _, seed = case
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    for share in SHARES[:-1]:
        prefix = order[: share.of(len(labels))]
        first = [
            next((row for row in order if labels[row, label]), order[0])
            for label in range(labels.shape[1])
            if not labels[prefix, label].any()
        ]
        assert sorted({*prefix, *first}) == drawn_rows(len(labels), share, seed, labels).tolist()


def test_a_class_none_of_whose_patients_is_its_own_is_there_all_the_same() -> None:
    labels = np.array([0, 1, 0, 1, 0, 0])
    groups = np.array(["a", "a", "b", "b", "b", "a"])  # class 1 is the rarer one of both
    for budget in (SHARES[0], SHOTS[0]):
        assert set(labels[drawn_rows(6, budget, 3, labels, groups)]) == {0, 1}


def test_one_percent_of_six_images_is_one_of_each_class() -> None:
    rows = drawn_rows(6, SHARES[1], 0, np.array([0, 0, 0, 0, 1, 1]))
    assert len(rows) == 2


def test_of_no_finding_there_are_as_many_shots_as_of_each_label() -> None:
    labels = np.zeros((50, 2), np.int64)
    labels[:10, 0], labels[10:20, 1] = 1, 1
    rows = drawn_rows(50, LabelBudget(shots=3), 0, labels)
    assert (labels[rows] == 0).all(axis=1).sum() == 3
    assert labels[rows].sum(axis=0).tolist() == [3, 3]


def world(seed: int = 0) -> Dataset:
    def split(count: int) -> Split:
        images = np.random.default_rng(seed + count).integers(0, 255, (count, 4, 4)).astype("u1")
        labels = np.arange(count) % 3
        return Split(
            ArrayImages(images),
            {"labels": Labels(labels)},
            groups=(np.arange(count) // 2).astype(str),
        )

    card = DatasetCard(id="d", reader="a:b", tasks=(), classes=("x", "y", "z"))
    return Dataset(card, {"train": split(60), "val": split(30), "test": split(24)})


def hashed(split: Split) -> str:
    content = hashlib.sha256(split.images.read(0, len(split)).tobytes())
    content.update(split.target("labels", Labels).values.tobytes())
    return content.hexdigest()


@pytest.mark.parametrize("labels", ["1%", "50%", "100%", "4/class"])
@pytest.mark.parametrize("selection", ["full-val", "matched-val", "last"])
def test_the_test_split_is_the_same_under_every_budget(
    unit: Unit, labels: str, selection: str
) -> None:
    data = world()
    budgeted = replace(unit, labels=labels, recipe={"selection": selection})
    subset = Subset.from_dataset(budgeted, 0, data, "labels")
    cut = subset.of(data)
    assert hashed(cut.splits["test"]) == hashed(data.splits["test"])
    whole_val = selection != "matched-val" or labels == "100%"
    assert (len(cut.splits["val"]) == 30) == whole_val
    assert len(cut.splits["train"]) == subset.facts["images"] == len(subset.train)
    assert (subset.whole, subset.facts["validation"]) == (
        60,
        0 if selection == "last" else len(cut.splits["val"]),
    )


def test_the_facts_count_images_patients_and_classes(unit: Unit) -> None:
    data = world()
    facts = Subset.from_dataset(replace(unit, labels="10%"), 1, data, "labels").facts
    rows = Subset.from_dataset(replace(unit, labels="10%"), 1, data, "labels").train
    values = data.target("train", "labels", Labels).values[rows]
    assert facts["images"] == len(rows) == 2 * facts["patients"]
    assert facts["per_class"] == {n: int((values == k).sum()) for k, n in enumerate("xyz")}
    assert facts["sha256"] == hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()


def test_the_same_images_for_every_backbone_adaptation_and_budget_of_a_repetition(
    unit: Unit,
) -> None:
    data = world()

    def images(**changes: Any) -> str:
        changed = replace(unit, labels="10%", **changes)
        return str(Subset.from_dataset(changed, 0, data, "labels").facts["sha256"])

    others: list[dict[str, Any]] = [
        {"backbone": BackboneCard(id="b", source="random:y")},
        {"adaptation": "knn", "short": "knn@10pct"},
        {"adaptation": "lora", "short": "lora-r8-a16@10pct", "options": {"r": 8}},
        {"recipe": {"epochs": 99, "batch": 1}},
    ]
    assert {images(**changes) for changes in others} == {images()}
    assert images(suite_seed=1) != images()


def test_a_seed_that_knew_the_budget_would_not_nest() -> None:
    """The fault this draw is made against, planted: another permutation for each budget."""
    labels = np.arange(200) % 2
    few, many = (
        set(drawn_rows(200, share, hash(share) % 2**32, labels).tolist())
        for share in (SHARES[2], SHARES[4])
    )
    assert not few <= many
