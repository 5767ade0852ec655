import json
import logging
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench import features as module
from omnibench.errors import NumericError, WeightsError
from omnibench.feature_manifest import read_manifest, write_manifest
from omnibench.features import FeatureKey, FeatureStore, entries, feature_key
from omnibench.sources import Sources
from omnibench.suite import load

KEY = FeatureKey({"dataset": "d", "backbone": "b"}, "train", 224, "backbone", "fp32", "embed")
TRUTH = np.arange(50 * 3, dtype=np.float32).reshape(50, 3)


class Counting:
    """Computes rows of TRUTH and remembers which were asked for."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.asked: list[tuple[int, int]] = []
        self.fail_at = fail_at

    def __call__(self, start: int, stop: int) -> np.ndarray:
        if self.fail_at is not None and start >= self.fail_at:
            raise KeyboardInterrupt
        self.asked.append((start, stop))
        return TRUTH[start:stop]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    monkeypatch.setattr(module, "SHARD_ROWS", 8)
    return FeatureStore(tmp_path)


def get(store: FeatureStore, compute: Counting, key: FeatureKey = KEY) -> np.ndarray:
    return store.get(key, len(TRUTH), lambda: {"digest": "x"}, compute, block=4).array()


def test_rows_are_computed_once(store: FeatureStore) -> None:
    compute = Counting()
    assert np.array_equal(get(store, compute), TRUTH)
    first = len(compute.asked)
    assert np.array_equal(get(store, compute), TRUTH)
    assert len(compute.asked) == first
    assert all(start % 4 == 0 for start, _ in compute.asked)


def test_rows_of_another_network_are_refused_also_where_another_process_made_them(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(store, Counting())
    look = [store.open(KEY), None, store.open(KEY)]  # there; not there, then another's

    def once_more() -> None:
        store.get(KEY, len(TRUTH), dict, Counting(), 4, network="sha256:other")

    monkeypatch.setattr(store, "open", lambda key: look.pop(0))
    for _ in range(2):
        with pytest.raises(WeightsError, match="must build the same network each time"):
            once_more()
    assert look == []


def test_every_field_of_the_key_decides() -> None:
    others = [
        replace(KEY, sources={"dataset": "d", "backbone": "c"}),
        replace(KEY, split="val"),
        replace(KEY, input_size=448),
        replace(KEY, normalization="imagenet"),
        replace(KEY, precision="bf16"),
        replace(KEY, kind="tokens"),
        replace(KEY, limit=10),
    ]
    assert len({KEY.digest, *(other.digest for other in others)}) == 8


def test_a_recipes_window_decides_only_where_there_is_one(tmp_path: Path) -> None:
    unit = load("demo", Sources(tmp_path, tmp_path)).units[0]
    assert unit.recipe["window"] is None
    before = {name: value for name, value in unit.recipe.items() if name != "window"}
    windows = [[40.0, 400.0], [40.0, 401.0], {"percentiles": [1.0, 99.0]}]
    recipes = [unit.recipe, before, *({**before, "window": window} for window in windows)]
    first, *others = (
        feature_key(replace(unit, recipe=recipe), "test", "embed").digest for recipe in recipes
    )
    assert others[0] == first and len({first, *others}) == 4


def test_a_pass_cut_short_goes_on_where_it_stopped(store: FeatureStore) -> None:
    with pytest.raises(KeyboardInterrupt):
        get(store, Counting(fail_at=12))
    assert store.open(KEY) is None
    compute = Counting()
    assert np.array_equal(get(store, compute), TRUTH)
    assert compute.asked[0][0] == 12  # shards begin at 0, 4, 12, 20, ...


def test_a_damaged_shard_is_computed_again_and_never_used(
    store: FeatureStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    get(store, Counting())
    shard = tmp_path / KEY.digest / "00002.rows"
    content = bytearray(shard.read_bytes())
    content[5] ^= 1
    shard.write_bytes(content)
    compute = Counting()
    assert np.array_equal(get(store, compute), TRUTH)
    assert compute.asked[0][0] == 12  # shards begin at 0, 4, 12, 20, ...
    assert "damaged" in caplog.text


def test_a_manifest_cut_short_starts_the_entry_anew(store: FeatureStore, tmp_path: Path) -> None:
    get(store, Counting())
    manifest = tmp_path / KEY.digest / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:30])
    compute = Counting()
    assert np.array_equal(get(store, compute), TRUTH)
    assert compute.asked[0][0] == 0


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_flipped_bit_of_a_manifest_never_changes_a_row(
    store: FeatureStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    get(store, Counting())
    manifest = tmp_path / KEY.digest / "manifest.json"
    content, whole = manifest.read_bytes(), read_manifest(manifest.parent)
    bits = random.Random(0)
    for _ in range(10_000):
        manifest.write_bytes(flipped(content, bits.randrange(8 * len(content))))
        assert read_manifest(manifest.parent) in (None, whole)


def test_a_manifest_with_a_flipped_bit_is_named_and_the_entry_healed(
    store: FeatureStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    get(store, Counting())
    manifest = tmp_path / KEY.digest / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"[3]", b"[2]"))
    assert not store.holds(KEY)
    assert np.array_equal(get(store, Counting()), TRUTH)
    assert f"{manifest} is damaged" in caplog.text
    assert store.holds(KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2]},
        {"shape": "3"},
        {"dtype": "object"},
        {"dtype": "uint16"},
        {"shards": 3},
        {"shards": [{"file": "../../secret", "rows": 50, "crc32": 0}]},
        {"shards": [{}]},
        {"total": "50"},
        {"total": True},
        {"facts": []},
        {"facts": {"seconds": "x"}},
        {"key": 3},
        {"more": 1},
    ],
)
@pytest.mark.parametrize("has_checksum", [True, False])
def test_a_malformed_manifest_is_never_used(
    store: FeatureStore, tmp_path: Path, change: dict[str, Any], has_checksum: bool
) -> None:
    get(store, Counting())
    folder = tmp_path / KEY.digest
    manifest = read_manifest(folder)
    assert manifest is not None
    malformed = {**manifest, **change}
    if has_checksum:
        write_manifest(folder, malformed)
    else:
        (folder / "manifest.json").write_text(json.dumps(malformed))
    compute = Counting()
    assert np.array_equal(get(store, compute), TRUTH)
    assert compute.asked


def test_a_manifest_of_the_version_before_is_read_once_and_given_a_checksum(
    store: FeatureStore, tmp_path: Path
) -> None:
    get(store, Counting())
    folder = tmp_path / KEY.digest
    (folder / "manifest.json").write_text(json.dumps(read_manifest(folder)))
    compute = Counting()
    assert np.array_equal(get(store, compute), TRUTH)
    assert compute.asked == []
    assert "checksum" in json.loads((folder / "manifest.json").read_text())


def test_a_shard_takes_no_longer_than_its_seconds(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """540 s of work once kept 4 rows of 447."""
    monkeypatch.setattr(module, "SHARD_ROWS", 1024)
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    class Slow(Counting):
        def __call__(self, start: int, stop: int) -> np.ndarray:
            clock[0] += 2.0 * (stop - start)
            return super().__call__(start, stop)

    compute = Slow()
    get(store, compute)
    assert [stop - start for start, stop in compute.asked] == [4, 12, 12, 12, 10]


def test_a_feature_that_is_not_finite_is_named_by_its_image(store: FeatureStore) -> None:
    class Broken(Counting):
        def __call__(self, start: int, stop: int) -> np.ndarray:
            rows = TRUTH[start:stop].copy()
            rows[max(21 - start, 0) :, 1] = np.nan if stop > 21 else rows[max(21 - start, 0) :, 1]
            return rows

    with pytest.raises(NumericError, match="image 21 of train"):
        get(store, Broken())


def test_names_are_remembered_and_decide_nothing(store: FeatureStore, tmp_path: Path) -> None:
    named = replace(KEY, names={"dataset": "chest", "backbone": "vit"})
    assert named.digest == KEY.digest
    store.get(named, 50, dict, Counting(), 8)
    (entry,) = entries(tmp_path)
    assert entry["key"]["names"] == {"dataset": "chest", "backbone": "vit"}


def test_entries_tell_what_is_there(store: FeatureStore, tmp_path: Path) -> None:
    get(store, Counting())
    (entry,) = entries(tmp_path)
    assert entry["complete"]
    assert entry["rows"] == 50
    assert entry["key"]["split"] == "train"
    assert json.loads((tmp_path / KEY.digest / "manifest.json").read_text())["shape"] == [3]


def test_some_rows_are_read_in_the_order_asked_for(store: FeatureStore) -> None:
    get(store, Counting())
    rows = store.open(KEY)
    picked = np.array([49, 0, 12, 11, 12])
    assert rows is not None
    assert np.array_equal(rows.read_rows(picked), TRUTH[picked])


def test_bfloat16_bits_are_kept_as_they_are_and_checked(store: FeatureStore) -> None:
    bits = np.arange(50 * 2, dtype=np.uint16).reshape(50, 2)
    rows = store.get(KEY, 50, dict, lambda start, stop: bits[start:stop], block=4)
    assert rows.dtype == np.uint16
    assert np.array_equal(rows.array(), bits)
    infinite = np.full((50, 2), 0x7F80, np.uint16)
    with pytest.raises(NumericError, match="image 0 of val"):
        store.get(
            replace(KEY, split="val"), 50, dict, lambda start, stop: infinite[start:stop], block=4
        )
