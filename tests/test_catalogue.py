import json
import os
import subprocess
import sys

import pytest

from omnibench.catalogue import backbones, datasets, load_installed, load_plugin, tasks
from omnibench.errors import RequestError

FAMILIES = ("vit", "dino", "dinov2", "dinov3", "radio-dino", "omnirad")
SINGLE = {
    "clip-base",
    "clip-base-openai",
    "mae-base",
    "resnet18",
    "resnet50",
    "densenet121",
    "efficientnet-b0",
    "mobilenet-v2",
    "efficientnet-lite0",
    "random-vit-tiny",
    "random-vit-small",
    "random-efficientnet-lite0",
}
PROTOCOL_IDS = SINGLE | {f"{family}-{size}" for family in FAMILIES for size in ("small", "base")}


def test_everything_shipped_is_found_through_entry_points():
    load_installed()
    assert set(backbones) >= PROTOCOL_IDS
    assert {"phantom", "breastmnist", "chestmnist-28"} <= set(datasets)
    assert "classification" in tasks


def test_a_plugin_registers_and_loading_it_again_changes_nothing(tmp_path):
    plugin = tmp_path / "plugin_that_registers.py"
    plugin.write_text(
        "from omnibench import BackboneCard, register_backbone\n"
        "register_backbone(BackboneCard(id='plugged-in', source='random:vit_tiny_patch16_224'))\n"
    )
    load_plugin(plugin)
    load_plugin(plugin)
    assert backbones.get("plugged-in").source_kind == "random"


def test_a_failing_plugin_names_file_and_line_and_leaves_no_module(tmp_path):
    plugin = tmp_path / "plugin_that_fails.py"
    plugin.write_text("x = 1\ny = x / 0\n")
    with pytest.raises(
        RequestError, match=r"plugin_that_fails\.py' failed at line 2: ZeroDivision"
    ):
        load_plugin(plugin)
    assert "plugin_that_fails" not in sys.modules


def test_a_plugin_may_not_shadow_a_module_or_be_absent(tmp_path):
    (tmp_path / "json.py").write_text("")
    with pytest.raises(RequestError, match="rename the file"):
        load_plugin(tmp_path / "json.py")
    with pytest.raises(RequestError, match="does not exist"):
        load_plugin(tmp_path / "absent.py")


def test_an_installed_package_registers_through_its_entry_point(tmp_path):
    (tmp_path / "their_backbones.py").write_text(
        "from omnibench import BackboneCard, register_backbone\n"
        "register_backbone(BackboneCard(id='theirs', source='random:vit_tiny_patch16_224'))\n"
    )
    (tmp_path / "broken_backbones.py").write_text("raise OSError('no such library')\n")
    info = tmp_path / "their_backbones-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-backbones\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[omnibench.backbones]\ntheirs = their_backbones\nbroken = broken_backbones\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "omnibench", "list", "backbones", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    known = {card["id"] for card in json.loads(done.stdout)}
    assert {"theirs", "dinov2-small"} <= known
    assert "the entry point broken of omnibench.backbones could not be loaded" in done.stderr
