"""What a suite may ask to be tested on, and what is refused by its path before anything runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.data.corruptions import SETS, Corruption, corruption_named
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.suite import Suite, load

Loaded = Callable[..., Suite]
NOISE = {"corruption": "gaussian-noise", "severity": [1, 3]}
MIX = {"corruption": "gaussian-noise", "severity": 3, "train": [0, 0.25, 1], "test": [0, 0.5]}


def write(path: Path, labels: Any) -> None:
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.zeros((len(labels), 4, 4), np.uint8)
        arrays[f"{split}_labels"] = np.array(labels)
    np.savez(path, **arrays)


@pytest.fixture
def asked(tmp_path: Path) -> Loaded:
    """Load a suite of one block, beside two.npz, three.npz and several.npz."""
    write(tmp_path / "two.npz", [0, 1])
    write(tmp_path / "three.npz", [0, 1, 2])
    write(tmp_path / "several.npz", [[0, 1], [1, 1]])

    def asked(**entry: Any) -> Suite:
        block = {"task": "classification", "datasets": [f"npz:{tmp_path}/two.npz"]}
        block |= {"adaptations": ["linear", "knn"], **entry}
        for request in block.get("test_on", []):
            if isinstance(request, dict) and request.get("dataset", "").startswith("npz:"):
                request["dataset"] = f"npz:{tmp_path}/{request['dataset'][4:]}"
        suite = {"name": "s", "repetitions": 3, "backbones": ["random-vit-tiny"]}
        return load({**suite, "matrix": [block]}, Sources(tmp_path, tmp_path))

    return asked


def test_the_test_set_alone_is_what_no_request_is(asked: Loaded) -> None:
    plain, clean = asked().units, asked(test_on=["clean"]).units
    assert plain == clean
    assert not {"test_on", "mix"} & {*plain[0].spec(0), *plain[0].identity(0)}


def test_views_are_of_the_identity_and_of_no_seed_or_path(asked: Loaded) -> None:
    other = {"dataset": "npz:three.npz", "map": {0: 0, 1: 1, 2: None}}
    plain, viewed = asked().units[0], asked(test_on=[NOISE, other]).units[0]
    assert [view.name for view in viewed.views] == [
        "gaussian-noise-1",
        "gaussian-noise-3",
        "npz-three",
    ]
    assert viewed.spec(0)["test_on"] == viewed.identity(0)["test_on"]
    assert viewed.spec(0)["test_on"][2]["map"] == {"0": "0", "1": "1", "2": None}
    assert viewed.sources["dataset@npz-three"].startswith("sha256:")
    assert plain.cells[0].digest != viewed.cells[0].digest
    assert (plain.name, plain.pairing(1)) == (viewed.name, viewed.pairing(1))


def test_each_share_in_training_is_a_unit_that_pairs_by_its_seeds(asked: Loaded) -> None:
    units = [unit for unit in asked(mix=MIX).units if unit.adaptation == "linear"]
    assert [unit.short for unit in units] == ["linear@low0", "linear@low25", "linear@low100"]
    assert [unit.spec(0)["mix"]["train"] for unit in units] == [0, 0.25, 1]
    assert len({unit.cells[0].digest for unit in units}) == 3
    assert len({unit.seed("head", 0) for unit in units}) == 1


def test_what_draws_its_images_of_low_quality_is_repeated(asked: Loaded) -> None:
    units = [unit for unit in asked(mix=MIX).units if unit.adaptation == "knn"]
    assert [len(unit.repetitions) for unit in units] == [1, 3, 1]


def test_a_set_without_names_is_all_of_it(asked: Loaded) -> None:
    (unit, _) = asked(test_on=[{"set": "medmnistc", "severity": 2}]).units
    names = SETS["medmnistc"].of_dataset("npz-two")
    assert [view.name for view in unit.views] == [f"{name}-2" for name in names]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("cleen", r"test_on\[0\]: 'cleen' is no test set; write clean, \{corruption"),
        ({"corruption": "gausian-noise"}, r"test_on\[0\]: no corruption 'gausian.*gaussian-noise"),
        ({**NOISE, "severity": 6}, r"test_on\[0\]\.severity\[0\]: 6 is no severity"),
        ({**NOISE, "severity": 0}, r"test_on\[0\]\.severity\[0\]: 0 is no severity"),
        ({**NOISE, "severity": [1, 1]}, r"test_on\[0\]\.severity: 1 stands twice"),
        ({"severity": [1]}, r"test_on\[0\]: name a corruption, or a set of them"),
        ({"set": "medmnist"}, r"test_on\[0\]\.set: no set of corruptions 'medmnist'.*medmnistc"),
        ({"dataset": "npz:three.npz", "mp": {}}, r"test_on\[0\]\.mp: unknown field; did you .*map"),
        ({"dataset": "phantum"}, r"test_on\[0\]\.dataset: unknown dataset 'phantum'.*phantom"),
        ({"dataset": "npz:two.npz"}, r"test_on\[0\]\.dataset: 'npz-two' is what the block is tr"),
        ({"dataset": "mni152"}, r"test_on\[0\]\.dataset: 'mni152' serves seg.*, not classif"),
        ({"dataset": "npz:three.npz"}, r"test_on\[0\]\.map: npz-three has the classes '0', '1', "),
        ({"dataset": "npz:several.npz"}, r"test_on\[0\]\.map: .* no map of classes brings"),
        (
            {"dataset": "npz:three.npz", "map": {0: 0, 1: 1}},
            r"map: it says nothing of the class '2' of npz-three; name a class of npz-two",
        ),
        (
            {"dataset": "npz:three.npz", "map": {0: 0, 1: 1, 3: 1}},
            r"map: npz-three has no class '3'",
        ),
        (
            {"dataset": "npz:three.npz", "map": {0: 0, 1: 1, 2: 5}},
            r"map\.2: npz-two has no class '5'",
        ),
        (
            {"dataset": "npz:three.npz", "map": {0: None, 1: None, 2: None}},
            r"map: it maps no class of npz-three to any class of npz-two",
        ),
    ],
)
def test_a_wrong_test_set_is_refused_by_its_path(
    asked: Loaded, request_: Any, message: str
) -> None:
    with pytest.raises(RequestError, match=r"matrix\[0\]\..*" + message) as caught:
        asked(test_on=[request_])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": [0, 1.5]}, r"mix\.test\[1\]: 1\.5 is no share of low quality"),
        ({"train": [-0.1]}, r"mix\.train\[0\]: -0\.1 is no share"),
        ({"train": [0.5, 0.5]}, r"mix\.train: 0\.5 stands twice"),
        ({"train": ["much"]}, r"mix\.train\[0\]: 'much' is no share"),
        ({"severity": 6}, r"mix\.severity: 6 is no severity"),
        ({"corruption": "gaussian"}, r"mix\.corruption: no corruption 'gaussian'; did you mean"),
        ({"train": []}, r"mix\.train: .* at least 1 item"),
        ({"by": "quality"}, r"mix: `by: quality` takes images as they are"),
        ({"corruption": None}, r"mix: give a corruption and its severity, or `by: quality`"),
        ({"below": 3}, r"mix: give a corruption and its severity, or `by: quality`"),
    ],
)
def test_a_wrong_mix_is_refused_by_its_path(
    asked: Loaded, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=r"matrix\[0\]\." + message):
        asked(mix={**MIX, **change})


@pytest.mark.parametrize("task", ["captioning", "pretraining"])
def test_a_task_that_is_not_tested_elsewhere_says_so(asked: Loaded, task: str) -> None:
    entry = {"task": task, "datasets": ["phantom"]}
    entry["adaptations"] = ["bart-small"] if task == "captioning" else ["dinov2-global"]
    with pytest.raises(RequestError, match=rf"test_on\[0\]: {task} is tested on its own test im"):
        asked(**entry, test_on=[NOISE])
    with pytest.raises(RequestError, match=rf"mix: {task} is tested on its own test images alone"):
        asked(**entry, mix=MIX)


def test_the_same_view_twice_is_refused(asked: Loaded) -> None:
    with pytest.raises(RequestError, match=r"test_on\[1\]: 'gaussian-noise-3' stands twice"):
        asked(test_on=[NOISE, {**NOISE, "severity": 3}])


def test_an_absent_dataset_blocks_the_cells_and_is_named(asked: Loaded) -> None:
    (unit, _) = asked(test_on=[{"dataset": "npz:absent.npz"}]).units
    assert any("absent.npz" in need for need in unit.needs)


def test_a_corruption_that_moves_what_a_mask_shows_is_refused(
    asked: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moving(name: str, dataset: str = "") -> Corruption:
        return replace(corruption_named(name, dataset), moves=True)

    monkeypatch.setattr("omnibench.view_requests.corruption_named", moving)
    assert asked(test_on=[NOISE]).units[0].views[0].kind == "moved images"
    with pytest.raises(RequestError, match=r"segmentation is not tested on moved images, but on c"):
        asked(task="segmentation", datasets=["mni152"], adaptations=["linear"], test_on=[NOISE])
