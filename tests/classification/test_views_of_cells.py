"""A trained cell is predicted again on corrupted images and on other datasets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cell import Unit, digest_of
from omnibench.data.corruptions import corrupted
from omnibench.encoders.forward import CPU_BATCH
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.record import blank
from omnibench.sources import Sources
from omnibench.store import RecordStore
from omnibench.suite import load
from tests.classification.conftest import SPLITS, Ran, read, write

NOISE = {"corruption": "gaussian-noise", "severity": [3]}
LORA: Any = {"lora": {"r": 2, "alpha": 4}}
ADAPTATIONS = ["linear", "knn", "head", "full", LORA]


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_a_corrupted_test_set_is_predicted_as_if_it_were_the_test_set(
    ran: Ran, tmp_path: Path, adaptation: Any
) -> None:
    [(_, plain)] = ran(adaptation)
    [(unit, viewed)] = ran(adaptation, test_on=["clean", NOISE])
    content = read(tmp_path / "own.npz")
    seeds = seeds_of(unit, 16)
    content["test_images"] = corrupted(content["test_images"], "gaussian-noise", 3, seeds, "own")
    np.savez(tmp_path / "own.npz", **content)
    [(_, spoilt)] = ran(adaptation, "others")
    for clean, both, noisy in zip(plain, viewed, spoilt, strict=True):
        for name, array in clean.predictions.items():
            np.testing.assert_array_equal(both.predictions[name], array)
        np.testing.assert_array_equal(
            both.predictions["test_logits@gaussian-noise-3"], noisy.predictions["test_logits"]
        )
        assert both.metrics == {
            **clean.metrics,
            **{k.replace("/", "@gaussian-noise-3/"): v for k, v in noisy.metrics.items()},
        }


def seeds_of(unit: Unit, count: int) -> Any:
    texts = [digest_of([unit.dataset.id, case, "gaussian-noise"]) for case in range(count)]
    return np.array([int(text[:16], 16) >> 1 for text in texts])


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_another_dataset_is_predicted_as_if_it_were_the_test_set(
    ran: Ran, tmp_path: Path, adaptation: Any
) -> None:
    classes = {0: 1, 1: None, 2: 0}
    other = read(tmp_path / "other.npz")
    # Bits depend on an image's place in a micro-batch: whole ones of what is left out keep it.
    tested, left_out = (np.flatnonzero((other["test_labels"] != 1) == own) for own in (True, False))
    batch = CPU_BATCH
    order = np.concatenate([tested[:batch], left_out[:batch], tested[batch:], left_out[batch:]])
    other |= {f"test_{name}": other[f"test_{name}"][order] for name in ("images", "labels")}
    np.savez(tmp_path / "other.npz", **other)
    rows = np.flatnonzero(other["test_labels"] != 1)
    labels = np.array([classes[k] for k in other["test_labels"][rows].tolist()])
    entry = {"dataset": f"npz:{tmp_path / 'other.npz'}", "map": classes}
    [(_, viewed)] = ran(adaptation, test_on=[entry])
    instead = {"images": other["test_images"][rows], "groups": other["test_groups"][rows]}
    own = read(tmp_path / "own.npz")
    own |= {f"test_{name}": array for name, array in {**instead, "labels": labels}.items()}
    np.savez(tmp_path / "own.npz", **own)
    [(_, replaced)] = ran(adaptation, "others")
    for both, alone in zip(viewed, replaced, strict=True):
        for name, array in alone.predictions.items():
            if name.startswith("test_"):
                np.testing.assert_array_equal(both.predictions[f"{name}@npz-other"], array)
        for key, value in alone.metrics.items():
            assert both.metrics[key.replace("/", "@npz-other/")] == value
        assert both.notes["test_on"] == {"npz-other": {"images": len(rows), "left_out": 6}}
        assert both.digests["test_images@npz-other"].startswith("sha256:")


def test_another_dataset_may_have_other_sizes_and_colours(ran: Ran, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coloured = {f"{s}_images": rng.integers(0, 255, (6, 20, 24, 3), np.uint8) for s in SPLITS}
    write(tmp_path / "other.npz", 1, dict.fromkeys(SPLITS, 6), 20, **coloured)
    for adaptation in ("linear", "full"):
        entry = {"dataset": f"npz:{tmp_path / 'other.npz'}"}
        [(_, outcomes)] = ran(adaptation, test_on=[entry, NOISE])
        assert outcomes[0].predictions["test_logits@npz-other"].shape == (6, 3)
        assert outcomes[0].predictions["test_logits@gaussian-noise-3"].shape == (16, 3)


def test_features_of_views_are_computed_once_for_all_who_ask(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"dataset": f"npz:{tmp_path / 'other.npz'}"}
    ran("linear")
    calls = counted(monkeypatch)
    ran("linear", test_on=[NOISE, entry])
    # The corrupted and the other test images, in micro-batches of four, and one for its FLOPs.
    assert len(calls) == 16 // 4 + 5 + 1
    ran("knn", test_on=[entry, {**NOISE, "severity": 3}])
    assert len(calls) == 10


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list that takes the size of each batch which the backbone sees."""
    calls: list[int] = []
    forward = TimmEncoder.pooled

    def pooled(self: Any, pixels: Any) -> Any:
        calls.append(len(pixels))
        return forward(self, pixels)

    monkeypatch.setattr(TimmEncoder, "pooled", pooled)
    return calls


def test_records_are_known_where_the_other_dataset_is_absent(ran: Ran, tmp_path: Path) -> None:
    entry = {"dataset": f"npz:{tmp_path / 'other.npz'}"}
    [(unit, outcomes)] = ran("linear", test_on=[entry])
    cell = unit.cells[0]
    record = {**blank(cell), "status": "done", "finished": "2026"}
    RecordStore(tmp_path / "results").write(cell, record, outcomes[0].predictions)
    (tmp_path / "other.npz").unlink()
    with pytest.raises(AssertionError, match=r"data npz-other: put it at .*other\.npz"):
        ran("linear", test_on=[entry])
    block: Any = {"task": "classification", "datasets": [f"npz:{tmp_path / 'own.npz'}"]}
    block |= {"adaptations": ["linear"], "recipe": {"input_size": 32, "precision": "fp32"}}
    suite: Any = {"name": "s", "repetitions": 2, "matrix": [{**block, "test_on": [entry]}]}
    suite["backbones"] = [{"id": "b", "source": "random:test_vit", "pool": "cls"}]
    (again,) = load(suite, Sources(tmp_path, tmp_path / "results")).units
    assert again.cells[0].digest == cell.digest
