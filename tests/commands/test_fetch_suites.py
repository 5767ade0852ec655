"""`data fetch SUITE` and `weights fetch SUITE`: all that a suite names, and what fails by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench import weights
from omnibench.cards import BackboneCard, DatasetCard, WeightsCard
from omnibench.commands import stocking
from omnibench.data import download
from omnibench.errors import DataError, MissingWeightsError
from omnibench.session import Places, Session
from omnibench.weights import WeightFiles
from tests.conftest import Bench


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], set[Any]]:
    """Hubs and addresses that hold everything but what a test takes away."""
    asked, gone = list[Any](), set[Any]()

    def dataset(card: DatasetCard, data: Path, progress: Callable[..., Any]) -> None:
        asked.append(card.id)
        if card.id in gone:
            raise DataError("no address answers")

    def files(card: BackboneCard | WeightsCard, data: Path) -> WeightFiles:
        asked.append(card.id)
        if card.id in gone:
            raise MissingWeightsError("the hub is out of reach")
        return weights.WeightFiles(data / card.id)

    monkeypatch.setattr(download, "fetch", dataset)
    monkeypatch.setattr(weights, "fetch", files)
    return asked, gone


def test_weights_of_a_suite_with_its_language_model(
    bench: Bench, fetched: tuple[list[Any], set[Any]]
) -> None:
    asked, gone = fetched
    gone.add("dinov3-base")
    status, out, err = bench("weights", "fetch", "omnirad-captioning")
    assert status == 1
    bases = ["clip-base-openai", "dinov2-base", "dinov3-base", "radio-dino-base", "omnirad-base"]
    assert sorted(asked) == sorted([*bases, "bart-base"])
    assert err.strip() == "dinov3-base: the hub is out of reach"
    assert len(out.splitlines()) == 5


def test_data_of_several_suites_by_a_glob(
    bench: Bench, fetched: tuple[list[Any], set[Any]]
) -> None:
    asked, _ = fetched
    status, _, err = bench("data", "fetch", "omnirad-[cs]*")
    assert (status, err) == (0, "")
    assert len(asked) == len(set(asked)) == 5 + 8 + 1
    assert {"breastmnist", "busi", "rocov2"} <= set(asked)


def test_a_dataset_given_on_request_is_named_as_missing(
    bench: Bench, fetched: tuple[list[Any], set[Any]]
) -> None:
    status, _, err = bench("data", "fetch", "omnirad-pretraining")
    assert status == 1
    assert "radimagenet: ask for it at https://www.radimagenet.com" in err


def test_what_a_suite_makes_itself_is_not_fetched(
    bench: Bench, fetched: tuple[list[Any], set[Any]]
) -> None:
    asked, _ = fetched
    status, _, _ = bench("weights", "fetch", "demo")
    assert (status, asked) == (0, [])


def test_a_suite_file_with_local_data_and_a_file_of_weights(
    bench: Bench, fetched: tuple[list[Any], set[Any]], tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nbackbones: [dinov2-small,\n"
        "  {id: v, source: 'file:v.safetensors', architecture: vit_tiny_patch16_224}]\nmatrix:\n"
        "  - {task: classification, datasets: ['npz:absent.npz', breastmnist], adaptations: [knn]}"
    )
    status, _, err = bench("weights", "fetch", path)
    assert status == 1
    assert err.startswith("v: put the file at ")
    status, _, err = bench("data", "fetch", path)
    assert status == 1
    assert "put it at " in err
    assert fetched[0] == ["dinov2-small", "breastmnist"]


def test_a_name_of_both_is_the_datasets(
    bench: Bench, fetched: tuple[list[Any], set[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stocking, "shipped", lambda: pytest.fail("no suite is looked for"))
    assert bench("data", "fetch", "breastmnist")[0] == 0


def test_an_unknown_name_is_refused(bench: Bench) -> None:
    status, _, err = bench("weights", "fetch", "dinov2-smal")
    assert status == 2
    assert "unknown weights 'dinov2-smal'; did you mean dinov2-small" in err


def test_a_plan_names_the_volumes_to_fetch(bench: Bench) -> None:
    _, out, _ = bench("plan", "medmnist3d")
    names = ("organ", "nodule", "adrenal", "fracture", "vessel", "synapse")
    listed = ", ".join(f"{name}mnist3d-28" for name in names)
    assert f"data {listed} (6): run `bench.py data fetch NAME`" in " ".join(out.split())


def test_a_suites_cards_are_each_there_once(tmp_path: Path) -> None:
    session = Session.open(Places(results=tmp_path / "results", data=tmp_path / "data"))
    datasets, backbones = stocking.of_suites("demo", session)
    assert [card.id for card in datasets] == ["phantom-easy", "mni152"]
    assert [card.id for card in backbones] == [
        "random-vit-nano",
        "efficientnet-lite0",
        "random-efficientnet-lite0",
    ]
    assert stocking.of_suites("nothing", session) == ([], [])
