"""`data audit` on a dataset with planted faults, with predictions and features as stored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.features import FeatureStore, feature_key
from omnibench.record import blank
from omnibench.session import Places, Session
from tests.conftest import Bench

COUNTS = {"train": 200, "val": 60, "test": 120}
FLIPPED = {"val": [7], "test": [3, 50]}
# train image -> test image
DOUBLED, NEARLY = {11: 20}, {30: 40, 31: 41}
SUITE = """
name: faulty
backbones: [{id: a, source: 'random:test_vit'}, {id: b, source: 'random:test_vit'}]
matrix: [{task: classification, datasets: ['npz:faulty.npz'], adaptations: [linear],
          recipe: {limit: %s}}]
"""


def rows_between(rows: NDArray[np.float32]) -> Callable[[int, int], NDArray[np.float32]]:
    return lambda start, stop: rows[start:stop]


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., str]:
    """Write the data, the records of a suite and the features; return the dataset's name."""
    rng = np.random.default_rng(0)
    images = {n: rng.integers(0, 256, (count, 8, 8), np.uint8) for n, count in COUNTS.items()}
    truth = {n: np.arange(count) % 2 for n, count in COUNTS.items()}
    labels = {n: values.copy() for n, values in truth.items()}
    for split, rows in FLIPPED.items():
        labels[split][rows] ^= 1
    for first, second in (DOUBLED | NEARLY).items():
        images["test"][second] = images["train"][first]
        labels["test"][second] = labels["train"][first] = truth["test"][second]
    for second in NEARLY.values():
        images["test"][second] += rng.integers(0, 3, (8, 8), np.uint8)
    groups = {n: np.array([f"patient-{n}-{i // 2}" for i in range(c)]) for n, c in COUNTS.items()}
    groups["test"][[8, 9]] = groups["train"][5]
    arrays: Any = {}
    for split in COUNTS:
        arrays |= {f"{split}_images": images[split], f"{split}_labels": labels[split]}
        arrays |= {f"{split}_groups": groups[split]}
    np.savez(tmp_path / "faulty.npz", **arrays)

    def stored(able: tuple[str, ...] = ("a", "b"), limit: str = "null") -> str:
        suite = tmp_path / "faulty.yaml"
        suite.write_text(SUITE % limit)
        session = Session.open(Places(results=tmp_path / "results", data=tmp_path / "data"))
        features = FeatureStore(session.context("cpu").features)
        for seed, unit in enumerate(session.suite(str(suite))[1]):
            draws = np.random.default_rng(seed)
            predictions: dict[str, Any] = {}
            for split in ("val", "test"):
                signal = 6 if unit.backbone.id in able else 0
                logits = draws.normal(size=(COUNTS[split], 2)) + signal * np.eye(2)[truth[split]]
                predictions |= {f"{split}_logits": logits.astype(np.float32)}
                predictions |= {f"{split}_labels": labels[split]}
            for cell in unit.cells:
                sources = {f"source.{name}": text for name, text in unit.sources.items()}
                times = {"started": "2026", "finished": "2026"}
                record = {**blank(cell), "status": "done", "digests": sources, **times}
                session.store.write(cell, record, predictions)
            weights = draws.normal(size=(64, 48)).astype(np.float32)
            for split, pixels in images.items():
                rows = (pixels.reshape(-1, 64) / 255 - 0.5).astype(np.float32) @ weights
                key = feature_key(unit.at_precision("fp32"), split, "embed")
                features.get(key, len(rows), dict, rows_between(rows), 64)
        return f"npz:{tmp_path / 'faulty.npz'}"

    return stored


def test_planted_faults_are_told_by_the_numbers_of_images(
    bench: Bench, stored: Callable[..., str]
) -> None:
    status, out, err = bench("data", "audit", stored(), "--json")
    assert status == 0, err
    (audit,) = json.loads(out)
    doubts = [(doubt["split"], doubt["image"]) for doubt in audit["labels"]]
    assert sorted(doubts) == [("test", 3), ("test", 50), ("val", 7)]
    assert {(d["label"], d["instead"]) for d in audit["labels"] if d["image"] == 3} == {("0", "1")}
    assert audit["judges"] == {"val": ["a", "b"], "test": ["a", "b"]}
    (identical,) = audit["identical"]
    assert (identical["splits"], identical["images"]) == (["train", "test"], [11, 20])
    assert identical["labels_differ"] is False
    near = {tuple(pair["images"]) for pair in audit["near_duplicates"]}
    assert near == set(NEARLY.items())
    assert audit["shared_groups"] == [{"splits": ["train", "test"], "images": [4, 8]}]


def test_no_patient_is_named(bench: Bench, stored: Callable[..., str]) -> None:
    name = stored()
    _, out, _ = bench("data", "audit", name)
    assert "groups (patients) in train and in test: 1, with the first images 4 = 8" in out
    assert "labels of test that every backbone contradicts with confidence: 2 of 120" in out
    assert "images that are in two splits, pixel by pixel: 1" in out
    assert "patient-" not in out + bench("data", "audit", name, "--json")[1]


def test_a_backbone_that_knows_nothing_has_no_voice(
    bench: Bench, stored: Callable[..., str]
) -> None:
    name = stored(able=("a",))
    (audit,) = json.loads(bench("data", "audit", name, "--json")[1])
    assert audit["judges"] == {"val": ["a"], "test": ["a"]}
    assert audit["left_out"] == {"val": ["b"], "test": ["b"]}
    assert len(audit["labels"]) == 3
    name = stored(able=())
    assert "left out, no better than guessing: a, b" in bench("data", "audit", name)[1]


def test_volumes_are_audited_by_study_whatever_slices_are_blank(
    bench: Bench, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    volumes = {n: rng.integers(0, 256, (count, 5, 8, 8), np.uint8) for n, count in COUNTS.items()}
    volumes["test"][20] = volumes["train"][11] ^ 1
    arrays: Any = {}
    for split, pixels in volumes.items():
        pixels[:, [0, 4]] = 0
        labels = np.arange(COUNTS[split]) % 2
        groups = np.array([f"patient-{split}-{i}" for i in range(COUNTS[split])])
        arrays |= {f"{split}_volumes": pixels, f"{split}_labels": labels}
        arrays |= {f"{split}_groups": groups}
    arrays["test_labels"][3] ^= 1
    arrays["test_groups"][8] = arrays["train_groups"][5]
    np.savez(tmp_path / "blank.npz", **arrays)
    suite = tmp_path / "blank.yaml"
    suite.write_text(
        "{name: blank, repetitions: 1, backbones: [{id: a, source: 'random:test_vit'}], matrix: "
        "[{task: volumes, datasets: ['npz:blank.npz'], adaptations: [mean]}]}"
    )
    session = Session.open(Places(results=tmp_path / "results", data=tmp_path / "data"))
    (unit,) = session.suite(str(suite))[1]
    truth = np.arange(COUNTS["test"]) % 2
    predictions = {
        "test_logits": (rng.normal(size=(len(truth), 2)) + 6 * np.eye(2)[truth]).astype(np.float32),
        "test_labels": arrays["test_labels"],
    }
    sources = {f"source.{name}": text for name, text in unit.sources.items()}
    done = {"status": "done", "digests": sources, "started": "2026", "finished": "2026"}
    session.store.write(unit.cells[0], {**blank(unit.cells[0]), **done}, predictions)
    features = FeatureStore(session.context("cpu").features)
    weights = rng.normal(size=(64, 48)).astype(np.float32)
    for split, pixels in volumes.items():
        rows = (pixels.reshape(-1, 64) / 255 - 0.5).astype(np.float32) @ weights
        features.get(
            feature_key(unit.at_precision("fp32"), split, "embed"),
            *(len(rows), dict, rows_between(rows), 64),
        )
    name = f"npz:{tmp_path / 'blank.npz'}"
    (audit,) = json.loads(bench("data", "audit", name, "--json")[1])
    assert (audit["images"], audit["numbered"]) == (COUNTS, "studies")
    assert [(doubt["split"], doubt["image"]) for doubt in audit["labels"]] == [("test", 3)]
    near = [pair for pair in audit["near_duplicates"] if pair["splits"] == ["train", "test"]]
    assert [pair["images"] for pair in near] == [[11, 20]]
    assert audit["shared_groups"] == [{"splits": ["train", "test"], "images": [5, 8]}]
    out = bench("data", "audit", name)[1]
    assert "200 train, 60 val, 120 test studies, numbered from 0 in each split" in out
    assert "studies that are in two splits, pixel by pixel: 0" in out
    assert "with the first studies 5 = 8" in out
    assert "image" not in out


def test_what_was_made_of_other_images_is_left_alone(
    bench: Bench, tmp_path: Path, stored: Callable[..., str]
) -> None:
    name = stored()
    with np.load(tmp_path / "faulty.npz") as arrays:
        changed = {key: arrays[key] for key in arrays}
    changed["train_images"][0] ^= 1
    np.savez(tmp_path / "faulty.npz", **changed)
    (audit,) = json.loads(bench("data", "audit", name, "--json")[1])
    assert (audit["judges"], audit["features"]) == ({"val": [], "test": []}, [])
    assert len(audit["identical"]) == 1  # of the images themselves
    assert "no stored predictions that can judge them" in bench("data", "audit", name)[1]


def test_what_cannot_be_audited_is_refused_in_a_sentence(bench: Bench) -> None:
    for arguments, expected, sentence in (
        ((), 2, "name what to audit, as in `audit breastmnist`"),
        (("breastmnist",), 1, "breastmnist: run `bench.py data fetch breastmnist`"),
        (("brestmnist",), 2, "did you mean breastmnist"),
    ):
        status, _, err = bench("data", "audit", *arguments)
        assert status == expected
        assert sentence in err
