"""Where frozen maps are kept, by the disk's rate, the device's, memory and room."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnibench import placement
from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.errors import StoreError
from omnibench.files import write_atomically
from omnibench.placement import MAPS, TOKENS, disk_rate, kept_in_memory, row_bytes

VIT_SMALL = BackboneCard(id="v", source="random:x", width=384, depth=12, patch=14)
# One image: 3 maps of 384 x 32 x 32 in bf16, 2.4 MB; some 62 GFLOP, 0.3 ms on a GPU.
IMAGE_BYTES = 3 * 384 * 32 * 32 * 2
ROOM = 1000 * IMAGE_BYTES


@pytest.fixture
def segmentation(unit: Unit) -> Unit:
    recipe = {"input_size": 448, "precision": "bf16"}
    return replace(unit, task="segmentation", backbone=VIT_SMALL, recipe=recipe)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A machine with a GPU, room for 1000 images on disk and for 500 in memory."""
    monkeypatch.setattr(placement, "_free_bytes", lambda data: ROOM)
    monkeypatch.setattr(placement, "memory_bytes", lambda: ROOM)
    return Context(tmp_path / "results", tmp_path / "data", device="cuda")


def remember(context: Context, rate: float) -> None:
    context.data.mkdir(exist_ok=True)
    (context.data / "disk.json").write_text(json.dumps({"bytes_per_s": rate}))


def test_bytes_of_an_images_maps_and_tokens(segmentation: Unit) -> None:
    assert row_bytes(segmentation, MAPS) == IMAGE_BYTES
    assert row_bytes(segmentation, TOKENS) == (32 * 32 + 1) * 384 * 2
    cnn = replace(
        segmentation,
        backbone=BackboneCard(id="c", source="random:x"),
        recipe={"input_size": 64, "precision": "fp32"},
    )
    assert row_bytes(cnn, MAPS) == 4 * (40 * 64 + 112 * 16 + 320 * 4)
    assert row_bytes(cnn, TOKENS) == 4 * 1280 * 4


def test_a_slow_disk_beside_a_fast_device_keeps_them_in_memory(
    segmentation: Unit, context: Context
) -> None:
    remember(context, 1e8)  # 24 ms an image
    assert kept_in_memory(segmentation, MAPS, 400, context)
    # Two seconds of a core's work are worth storing on any disk.
    assert not kept_in_memory(segmentation, MAPS, 400, replace(context, device="cpu"))


def test_a_fast_disk_stores_them(segmentation: Unit, context: Context) -> None:
    remember(context, 1e11)
    assert not kept_in_memory(segmentation, MAPS, 400, context)


def test_the_two_costs_are_weighed(segmentation: Unit, context: Context) -> None:
    tokens, width = 32 * 32 + 1, 384
    flops = tokens * (12 * (24 * width**2 + 4 * tokens * width) + 6 * 14**2 * width)
    even = IMAGE_BYTES / (flops / 200e12)
    for factor, held in ((0.9, True), (1.1, False)):
        remember(context, even * factor)
        assert kept_in_memory(segmentation, MAPS, 400, context) is held


@pytest.mark.parametrize("rate", [1e8, 1e11])
def test_they_take_half_of_the_memory_at_most(
    segmentation: Unit, context: Context, rate: float
) -> None:
    remember(context, rate)
    assert kept_in_memory(segmentation, MAPS, 500, context) is (rate == 1e8)
    assert not kept_in_memory(segmentation, MAPS, 501, context)


def test_a_disk_without_room_keeps_them_in_memory_whatever_its_rate(
    segmentation: Unit, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(context, 1e11)
    monkeypatch.setattr(placement, "_free_bytes", lambda data: 100 * IMAGE_BYTES)
    assert not kept_in_memory(segmentation, MAPS, 100, context)
    assert kept_in_memory(segmentation, MAPS, 101, context)
    assert not kept_in_memory(segmentation, MAPS, 501, context)  # no room there either


def test_the_disk_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    monkeypatch.setattr(placement, "PROBE_BYTES", 2**20)
    written = []

    def write(path: Path, content: bytes, plain: Any = write_atomically) -> None:
        written.append(path.name)
        plain(path, content)

    monkeypatch.setattr(placement, "write_atomically", write)
    rate = disk_rate(data)
    assert 1e5 < rate < float("inf")
    assert len(written) == 2
    assert disk_rate(data) == rate
    assert len(written) == 2
    assert [path.name for path in data.iterdir()] == ["disk.json"]
    (data / "disk.json").write_text(json.dumps({"bytes_per_s": 7}))
    assert disk_rate(data) == 7


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"bytes_per_s": null}', '{"bytes_per_s": "'])
def test_a_damaged_memory_of_it_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(placement, "PROBE_BYTES", 2**16)
    (tmp_path / "disk.json").write_text(content)
    rate = disk_rate(tmp_path)
    assert json.loads((tmp_path / "disk.json").read_text()) == {"bytes_per_s": rate}


def test_a_folder_that_cannot_be_written_counts_as_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(placement, "write_atomically", refuse)
    assert disk_rate(tmp_path) == float("inf")
    assert not list(tmp_path.iterdir())  # and is asked again the next time


def test_room_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    assert placement._free_bytes(tmp_path / "not" / "yet") == pytest.approx(
        placement._free_bytes(tmp_path), rel=0.1
    )
