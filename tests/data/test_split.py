"""A split's targets: what they hold, how they are cut, and what is refused."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Labels, Maps, Masks, Numbers, Split, Target, Texts
from omnibench.data.subset import limited
from omnibench.errors import DataError
from tests.target_values import captions_of, labels_of, masks_of

COUNT = 16
PIXELS = np.arange(COUNT, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)


@dataclass(frozen=True)
class Decoded:
    """Images that are decoded at the size they are read for."""

    shape: tuple[int, ...]

    def at(self, size: int) -> "Decoded":
        return Decoded((self.shape[0], size, size))

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return np.zeros((stop - start, *self.shape[1:]), np.uint8)

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.zeros((len(indices), *self.shape[1:]), np.uint8)


@dataclass(frozen=True)
class Rated:
    """A target of one's own: several ratings of each image."""

    ratings: tuple[tuple[float, ...], ...]

    def __len__(self) -> int:
        return len(self.ratings)

    def take(self, indices: NDArray[np.int64]) -> "Rated":
        return Rated(tuple(self.ratings[index] for index in indices))


@dataclass(frozen=True)
class WithScores(Split):
    """A split with a sixth field."""

    scores: Any = None


def whole(**fields: Any) -> WithScores:
    ids = np.array([f"case {index // 2}" for index in range(COUNT)])
    maps = ArrayImages((PIXELS / 4).astype(np.float32))
    targets: dict[str, Target] = {
        "labels": Labels(np.arange(COUNT)),
        "masks": Masks(ArrayImages(PIXELS)),
        "captions": Texts(tuple(f"image {index}" for index in range(COUNT))),
        "maps": Maps(maps, ArrayImages(PIXELS > 3)),
        "numbers": Numbers(np.arange(COUNT)[:, None] / 8),
        "ratings": Rated(tuple((index, 0.5) for index in range(COUNT))),
    }
    numbers = np.arange(COUNT)
    own: dict[str, Any] = {"images": ArrayImages(PIXELS), "targets": targets, "groups": ids}
    own |= {
        "study": ids,
        "view": np.char.replace(ids, "case ", "view-"),
        "place": numbers,
        "scores": numbers,
    }
    return WithScores(**own | fields)


def test_a_cut_takes_every_field_and_target_of_an_image() -> None:
    card = DatasetCard(id="d", reader="a:b", tasks=())
    split = limited(Dataset(card, {"train": whole()}), 5).splits["train"]
    assert isinstance(split, WithScores)
    rows = split.images.read(0, 5)[:, 0, 0].astype(np.int64)
    assert len(split) == len(rows) == 5
    assert split.scores.tolist() == labels_of(split).tolist() == rows.tolist()
    assert masks_of(split).read(0, 5)[:, 0, 0].tolist() == rows.tolist()
    assert captions_of(split) == tuple(f"image {row}" for row in rows)
    values, valid = split.target("maps", Maps).read_rows(np.arange(5))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[:, 0, 0], rows / 4)
    np.testing.assert_array_equal(valid[:, 0, 0], rows > 3)
    assert split.target("numbers", Numbers).values.tolist() == [[row / 8] for row in rows]
    assert [rating[0] for rating in split.target("ratings", Rated).ratings] == rows.tolist()
    for ids, what in ((split.groups, "case "), (split.study, "case "), (split.view, "view-")):
        assert ids is not None
        assert ids.tolist() == [f"{what}{row // 2}" for row in rows]
    assert split.place is not None
    assert split.place.tolist() == rows.tolist()


def test_a_size_reaches_images_and_targets_and_leaves_the_rest() -> None:
    decoded = Decoded((COUNT, 9, 9))
    targets = {"masks": Masks(decoded), "labels": Labels(np.arange(COUNT))}
    split = whole(images=decoded, targets=targets).take(np.arange(3)).at(4)
    assert split.images.shape == masks_of(split).shape == (3, 4, 4)
    assert split.scores.tolist() == labels_of(split).tolist() == [0, 1, 2]
    assert split.study is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("labels", {"labels": Labels(np.arange(3))}),
        ("maps", {"maps": Maps(ArrayImages(np.zeros((3, 4, 4), np.float32)))}),
        ("groups", np.array(["a", "b", "c"])),
        ("place", np.arange(3)),
        ("scores", np.arange(3)),
        ("scores", ArrayImages(PIXELS[:3])),
    ],
)
def test_a_field_of_another_length_is_refused_by_name(name: str, value: Any) -> None:
    field = "targets" if isinstance(value, dict) else name
    with pytest.raises(DataError, match=f"a split has 3 {name} for 16 images"):
        whole(**{field: value})


@pytest.mark.parametrize("value", ["a word", 3, [0] * COUNT, np.array(3)])
def test_a_field_that_has_no_entry_for_each_image_is_refused_by_name(value: object) -> None:
    with pytest.raises(DataError, match="'scores' of a split is"):
        whole(scores=value)


@pytest.mark.parametrize("view", ["", "a/b", "a@b", "a:b", "a+b", "a b", "<b>", "$x$", "-a", "a\n"])
def test_a_view_whose_name_would_not_do_in_the_name_of_a_metric_is_refused(view: str) -> None:
    with pytest.raises(DataError, match=r"letters, digits and \. _ - alone"):
        whole(view=np.array(["axial"] * (COUNT - 1) + [view]))


def test_a_target_that_is_absent_or_of_another_kind_is_refused_by_name() -> None:
    dataset = Dataset(DatasetCard(id="d", reader="a:b", tasks=()), {"val": whole()})
    with pytest.raises(DataError, match=r"^val of 'd' has no depth; add them"):
        dataset.target("val", "depth", Maps)
    with pytest.raises(
        DataError, match=r"^the labels of val of 'd' are Labels where Masks are due"
    ):
        dataset.target("val", "labels", Masks)
    assert len(dataset.target("val", "labels", Labels)) == COUNT


def test_a_validity_mask_has_the_shape_of_its_maps() -> None:
    maps = ArrayImages(np.zeros((2, 4, 4), np.float32))
    with pytest.raises(DataError, match=r"a validity mask is \[2, 4, 3\]"):
        Maps(maps, ArrayImages(np.ones((2, 4, 3), np.bool_)))
    assert Maps(maps).read_rows(np.array([1]))[1].all()


def of_studies() -> Split:
    """Studies "b" (images 0, 2, 3), "a" (image 1) and "c" (images 4, 5), of two patients."""
    return Split(
        ArrayImages(PIXELS[:6]),
        study=np.array(["b", "a", "b", "b", "c", "c"]),
        view=np.array(["axial", "axial", "axial", "sagittal", "axial", "axial"]),
        place=np.array([0.0, 0.0, 1.0, 0.0, 0.0, 1.0]),
        groups=np.array(["x", "y", "x", "x", "y", "y"]),
        by_study={"labels": Labels(np.array([2, 0, 1]))},
    )


def test_studies_stand_in_the_order_of_their_first_images() -> None:
    split = of_studies()
    assert split.studies.tolist() == ["b", "a", "c"]
    assert split.study_of_image.tolist() == [0, 1, 0, 0, 2, 2]
    assert (split.cases, len(split)) == (3, 6)
    groups = split.case_groups
    assert groups is not None
    assert groups.tolist() == ["x", "y", "y"]


def test_taken_cases_are_whole_studies_with_their_targets() -> None:
    part = of_studies().take_cases(np.array([2, 0]))
    assert part.study is not None
    assert part.study.tolist() == ["c", "c", "b", "b", "b"]
    assert part.studies.tolist() == ["c", "b"]
    assert part.target("labels", Labels).values.tolist() == [1, 2]
    assert part.images.read(0, 5)[:, 0, 0].tolist() == [4, 5, 0, 2, 3]


def test_taken_images_leave_the_targets_of_their_studies_alone() -> None:
    part = of_studies().take(np.array([4, 3]))
    assert part.studies.tolist() == ["c", "b"]
    assert part.target("labels", Labels).values.tolist() == [1, 2]


def test_a_limit_counts_studies_where_targets_are_of_studies() -> None:
    card = DatasetCard(id="x", reader="x:y", tasks=("volumes",), classes=("a", "b", "c"))
    part = limited(Dataset(card, {"train": of_studies()}), 2).splits["train"]
    assert part.cases == 2
    assert len(part) == sum(part.study_of_image == 0) + sum(part.study_of_image == 1)


def test_targets_of_another_number_of_studies_are_refused() -> None:
    with pytest.raises(DataError, match="2 labels for 3 studies"):
        Split(
            ArrayImages(PIXELS[:6]),
            study=of_studies().study,
            by_study={"labels": Labels(np.array([0, 1]))},
        )
