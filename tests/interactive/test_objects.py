from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omnibench.data import Dataset
from omnibench.data.npz import card_of
from omnibench.data.sources import load
from omnibench.errors import DataError
from omnibench.tasks.interactive.cases import Objects
from omnibench.tasks.interactive.recipes import ClickRecipe
from tests.interactive.conftest import SIDE, disc, masks_of_two_classes

RECIPE = ClickRecipe(input_size=SIDE)
Saved = Callable[..., Dataset]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    def save(test: np.ndarray, declaration: str = "", **arrays: np.ndarray) -> Dataset:
        masks = masks_of_two_classes()
        splits = {"train": masks, "val": masks, "test": test}
        for name, own in splits.items():
            arrays |= {f"{name}_images": np.zeros_like(own), f"{name}_label": own}
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        np.savez(folder / "d.npz", **arrays)  # type: ignore[arg-type]
        if declaration:
            (folder / "d.yaml").write_text(declaration)
        return load(card_of(folder / "d.npz"), tmp_path)

    return save


def test_every_foreground_class_that_an_image_shows_is_an_object(saved: Saved) -> None:
    objects = Objects.from_dataset(saved(masks_of_two_classes()), RECIPE)
    assert list(zip(objects.rows, objects.labels, strict=True)) == [(0, 1), (1, 1), (1, 2)]
    assert (objects.target(2).truth == disc(22, 22, 6)).all()
    assert objects.target(2).counted.all()


def test_objects_of_one_image_are_of_one_group(saved: Saved) -> None:
    arrays = Objects.from_dataset(saved(masks_of_two_classes()), RECIPE).arrays()
    assert len(set(arrays["test_case"].tolist())) == 3
    assert arrays["test_group"].tolist() == [0, 1, 1]
    patients = {"train": [1, 2, 3], "val": [4, 5, 6], "test": [7, 7, 9]}
    data = saved(
        masks_of_two_classes(),
        **{f"{name}_groups": np.array(own) for name, own in patients.items()},
    )
    assert len(set(Objects.from_dataset(data, RECIPE).arrays()["test_group"].tolist())) == 1


def test_an_object_that_is_gone_at_the_size_of_scoring_is_none(saved: Saved) -> None:
    masks = masks_of_two_classes()
    masks[2, 1, 1] = 2  # one pixel
    data = saved(masks)
    assert len(Objects.from_dataset(data, RECIPE)) == 4
    assert len(Objects.from_dataset(data, ClickRecipe(input_size=SIDE // 2))) in (3, 4)
    small = Objects.from_dataset(data, ClickRecipe(input_size=SIDE // 2, score_at="native"))
    assert small.target(3).truth.sum() == 1


def test_masks_that_show_no_object_are_refused_in_one_sentence(saved: Saved) -> None:
    with pytest.raises(DataError, match=r"no test mask shows anything but the background .* add m"):
        Objects.from_dataset(saved(np.zeros((3, SIDE, SIDE), np.uint8)), RECIPE)


def test_ignored_pixels_are_no_object_and_count_for_nothing(saved: Saved) -> None:
    masks = masks_of_two_classes()
    masks[0, :4] = 255
    data = saved(masks, "ignore: [255]")
    objects = Objects.from_dataset(data, RECIPE)
    assert len(objects) == 3
    assert not objects.target(0).counted[:4].any()
    assert replace(objects, rows=objects.rows[1:]).target(0).counted.all()
