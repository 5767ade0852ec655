"""`cache list` and `cache prune`: names for people, everything for programs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omnibench.catalogue import backbones
from omnibench.commands.caching import HEADER
from omnibench.features import FeatureKey, FeatureStore
from omnibench.sources import Sources
from tests.conftest import Bench

ROWS = np.ones((3, 2), np.float32)
SHA256 = "sha256:" + "ab" * 32
KEY = FeatureKey({"dataset": "phantom@1", "backbone": SHA256}, "train", 8, "x", "fp32", "embed")


@pytest.fixture
def store(bench: Bench, tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "data" / "features")


def write(store: FeatureStore, key: FeatureKey) -> str:
    store.get(key, 3, dict, lambda start, stop: ROWS[start:stop], 3)
    return key.digest


def test_an_entry_is_listed_by_the_names_it_was_made_under(
    bench: Bench, store: FeatureStore
) -> None:
    digest = write(store, replace(KEY, names={"dataset": "chest", "backbone": "my-vit"}))
    header, row, total = bench("cache", "list")[1].splitlines()
    assert header.split() == list(HEADER)
    assert row.split()[:6] == [digest[:8], "my-vit", "chest", "train", "embed", "3"]
    assert total.startswith("1 entry, ")
    (entry,) = json.loads(bench("cache", "list", "--json")[1])
    assert (entry["entry"], entry["sources"]["backbone"]) == (digest, SHA256)


def test_an_entry_of_before_is_listed_by_what_is_registered_or_cut_digits(
    bench: Bench, store: FeatureStore, tmp_path: Path
) -> None:
    card = backbones.get("random-vit-tiny")
    digest = Sources(tmp_path / "data", tmp_path / "results").of_backbone(card)[0]
    write(store, replace(KEY, sources={**KEY.sources, "backbone": digest}))
    write(store, KEY)
    out = bench("cache", "list")[1]
    assert "random-vit-tiny  phantom" in out
    assert "abababab...  " in out
    assert SHA256 not in out


def test_prune_takes_the_digits_that_are_listed(bench: Bench, store: FeatureStore) -> None:
    digest = write(store, KEY)
    other = write(store, replace(KEY, split="val"))
    assert "1 entry removed" in bench("cache", "prune", digest[:8])[1]
    assert [path.name for path in store.root.glob("[0-9a-f]*")] == [other]
    status, _, err = bench("cache", "prune", digest[:8])
    assert (status, "no cached entry is called" in err) == (2, True)


def test_an_empty_cache_is_said_to_be_empty(bench: Bench, tmp_path: Path) -> None:
    assert bench("cache", "list")[1] == f"no features are kept in {tmp_path / 'data/features'}\n"
