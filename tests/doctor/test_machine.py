"""The device, folders, disk and tools that `doctor` finds."""

import shutil
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import dataset_bytes
from omnibench.doctor import machine, software
from omnibench.doctor.needs import absent, disk, to_fetch, weights_bytes
from omnibench.tasks.captioning import meteor

Usage = namedtuple("Usage", "total used free")


def torch_with(available: bool, major: int = 9) -> SimpleNamespace:
    facts = SimpleNamespace(name="Some GPU", total_memory=80e9, major=major)
    cuda = SimpleNamespace(
        is_available=lambda: available,
        device_count=lambda: 2,
        get_device_properties=lambda index: facts,
    )
    return SimpleNamespace(cuda=cuda, __version__="2.15.0")


def test_without_an_nvidia_device_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "best_device", lambda: "cpu")
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it would fail
    actual = machine.device()
    assert (actual.verdict, actual.message[:4]) == ("WARN", "cpu,")


@pytest.mark.parametrize(
    ("torch", "verdict", "word"),
    [
        (torch_with(True), "PASS", "2 x Some GPU, 80 GB"),
        (torch_with(True, major=7), "WARN", "no native bf16"),
        (torch_with(False), "FAIL", "torch 2.15.0 cannot use it"),
    ],
)
def test_a_gpu_is_looked_at_through_torch(
    monkeypatch: pytest.MonkeyPatch, torch: SimpleNamespace, verdict: str, word: str
) -> None:
    monkeypatch.setattr(machine, "best_device", lambda: "cuda")
    monkeypatch.setitem(sys.modules, "torch", torch)
    actual = machine.device()
    assert actual.verdict == verdict
    assert word in actual.message
    assert bool(actual.fix) == (verdict != "PASS")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    good, bad = machine.folders(tmp_path / "results", tmp_path / "file" / "data")
    assert (good.verdict, bad.verdict, bad.fix) == ("PASS", "FAIL", "--data DIR")


def test_each_need_once() -> None:
    needs = ["weights a: run this", "data b: put it there", "weights a: run that"]
    actual = list(absent(needs))
    assert [(item.name, item.fix) for item in actual] == [
        ("weights a", "run this"),
        ("data b", "put it there"),
    ]


def test_latex_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert software.latex().verdict == "WARN"
    monkeypatch.setattr(shutil, "which", lambda name: "/x" if name == "tectonic" else None)
    assert software.latex().message == "tectonic compiles report.tex"


def test_a_task_says_what_it_uses_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = tasks.get("captioning")
    monkeypatch.setattr(meteor, "has_wordnet", lambda: False)
    (finding,) = task.findings(tmp_path)
    assert finding.verdict == "WARN"
    assert str(tmp_path / "nltk_data" / "corpora" / "wordnet.zip") in finding.fix
    monkeypatch.setattr(meteor, "has_wordnet", lambda: True)
    assert [finding.verdict for finding in task.findings(tmp_path)] == ["PASS"]
    assert list(tasks.get("classification").findings(tmp_path)) == []


VIT = BackboneCard(id="v", source="timm:x", width=384, depth=12, patch=16)
IMAGES = DatasetCard(
    id="i",
    reader="a:b",
    tasks=("segmentation",),
    files={"i.npz": "md5:" + "0" * 32},
    splits={"train": 10, "test": 5},
    resolution=100,
    channels=1,
    mask_classes=("background", "lesion"),
)


@pytest.fixture
def pending(unit: Unit) -> Unit:
    recipe = {"epochs": 1, "input_size": 64, "precision": "fp32", "limit": None}
    segmentation: dict[str, Any] = {"task": "segmentation", "adaptation": "full", "short": "full"}
    return replace(unit, dataset=IMAGES, backbone=VIT, recipe=recipe, **segmentation)


def test_bytes_to_fetch_by_hand(pending: Unit, tmp_path: Path) -> None:
    weights = weights_bytes(VIT)
    assert weights == 4 * 12 * 12 * 384**2  # 85 MB: timm's file has 88
    assert dataset_bytes(IMAGES) == 15 * 100 * 100 * 2
    both = weights + 2 * 15 * 100 * 100 * 2
    assert to_fetch([pending, pending], tmp_path) == (both, [])
    (tmp_path / "i.npz").write_bytes(b"")
    assert to_fetch([pending], tmp_path) == (weights_bytes(VIT), [])
    unknown = replace(pending, backbone=BackboneCard(id="c", source="timm:cnn"))
    assert to_fetch([unknown], tmp_path) == (0, ["c"])


def test_disk_fails_where_it_would_run_full(
    pending: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(tmp_path / "results", tmp_path / "data")
    for free, verdict in ((2**40, "PASS"), (2**30, "FAIL")):
        usage = Usage(2**41, 0, free)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, usage=usage: usage)
        actual = disk([pending], context)
        assert actual.verdict == verdict
        assert bool(actual.fix) == (verdict == "FAIL")
        assert "at most 0.1 GB to fetch and unpack" in actual.message
