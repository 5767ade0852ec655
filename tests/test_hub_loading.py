"""Backbones of a hub, from the command: download, resume, refusals, and life without a network."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save

from omnibench import catalogue, hub_access
from omnibench.cards import BackboneCard
from omnibench.encoders.build import load_encoder
from tests.conftest import Bench
from tests.stub_hub import StubHub, served

pytestmark = pytest.mark.usefixtures("in_process")

RECIPE = {"input_size": 160, "normalization": "backbone", "precision": "fp32"}
SUITE = """
name: hubs
backbones: [{id: hub-timm, source: 'hf_hub:me/timm', pool: cls},
            {id: control, source: 'random:test_vit', pool: cls}]
matrix:
  - {task: classification, datasets: ['npz:two.npz'], adaptations: [knn],
     recipe: {input_size: 160, precision: fp32}}
"""


def timm_files() -> dict[str, bytes]:
    """What timm pushes: the weights and its own kind of config.json."""
    torch.manual_seed(3)
    model = timm.create_model("test_vit", num_classes=0)
    config = {"architecture": "test_vit", "num_classes": 0}
    config["pretrained_cfg"] = {"mean": [0.25, 0.5, 0.75], "std": [0.5, 0.25, 0.125]}
    return {
        "model.safetensors": save(model.state_dict()),
        "config.json": json.dumps(config).encode(),
    }


def transformers_files(folder: Path) -> dict[str, bytes]:
    """What transformers saves of a tiny ViT."""
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(4)
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "image_size": 160,
        "patch_size": 32,
    }
    config = ViTConfig(num_hidden_layers=2, num_attention_heads=2, **sizes)
    ViTModel(config).save_pretrained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def timm_repository() -> dict[str, bytes]:
    return timm_files()


@pytest.fixture
def filled(
    hub: StubHub, timm_repository: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StubHub:
    """The hub with me/timm and me/transformers, both registered."""
    hub.repositories["me/timm"] = dict(timm_repository)
    hub.repositories["me/transformers"] = transformers_files(tmp_path / "saved")
    monkeypatch.setattr(catalogue.backbones, "_entries", dict(catalogue.backbones._entries))
    known(id="hub-timm", source="hf_hub:me/timm", pool="cls")
    known(id="hub-transformers", source="transformers:me/transformers", pool="cls")
    return hub


def known(**card: Any) -> None:
    catalogue.register_backbone(BackboneCard(**card))


def pinned(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with HF_HUB_OFFLINE=1 from the start."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub_access.unreachable.cache_clear()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (8, 16, 16), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(8)[:, None] % 2
    np.savez(tmp_path / "two.npz", **arrays)
    path = tmp_path / "hubs.yaml"
    path.write_text(SUITE)
    return path


@pytest.mark.parametrize("kind", ["timm", "transformers"])
def test_both_formats_are_fetched_and_are_what_was_saved(
    filled: StubHub, bench: Bench, tmp_path: Path, kind: str
) -> None:
    status, out, err = bench("weights", "fetch", f"hub-{kind}")
    assert (status, out.count("model.safetensors")) == (0, 1), err
    card = catalogue.backbones.get(f"hub-{kind}")
    loaded = load_encoder(card, RECIPE, "cpu", tmp_path / "data", tmp_path / "results")
    assert loaded.coverage is not None
    assert loaded.coverage.missing == ()
    assert loaded.mean == ((0.25, 0.5, 0.75) if kind == "timm" else (0.485, 0.456, 0.406))
    digest = hashlib.sha256(filled.repositories[f"me/{kind}"]["model.safetensors"]).hexdigest()
    assert [asked.path for asked in filled.downloads] == [f"large/{digest}"]


def test_run_fetches_what_it_lacks_and_then_asks_no_more(
    filled: StubHub, bench: Bench, suite: Path
) -> None:
    assert bench("run", suite)[0] == 0
    assert len(filled.downloads) == 1
    filled.asked.clear()
    assert bench("run", suite, "--force")[0] == 0
    assert filled.asked == []


def test_check_fetches_and_loads(filled: StubHub, bench: Bench) -> None:
    out = bench("check", "hub-transformers")[1]
    assert re.search(r"PASS\s+load", out), out
    assert len(filled.downloads) == 1


@pytest.mark.parametrize("cuts", [[1000], [1000, 50_000, 0]])
def test_a_download_that_was_cut_goes_on_where_it_broke_off(
    filled: StubHub, bench: Bench, monkeypatch: pytest.MonkeyPatch, cuts: list[int]
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # its pauses
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # it counts whole ones alone
    filled.cuts = list(cuts)
    content = filled.repositories["me/timm"]["model.safetensors"]
    status, out, _ = bench("weights", "fetch", "hub-timm")
    assert status == 0
    assert Path(out.split(": ")[1].strip()).read_bytes() == content
    places = np.cumsum(cuts).tolist()
    assert [download.range for download in filled.downloads] == [
        None,
        *(f"bytes={at}-" for at in places),
    ]


def test_a_hub_that_dies_in_the_middle_is_one_sentence_and_leaves_nothing(
    filled: StubHub, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: filled.server_close())
    filled.cuts = [1000]
    status, out, err = bench("weights", "fetch", "hub-timm")
    assert (status, out) == (1, "")
    sentence = err.splitlines()[-1]
    assert sentence.startswith("hub-timm: weights absent (")
    assert "run `bench.py weights fetch hub-timm` with a network, or put" in sentence
    assert "Traceback" not in err
    assert not list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete"))


def test_a_file_that_is_not_the_pinned_one_is_refused_and_not_kept(
    filled: StubHub, bench: Bench, suite: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = filled.repositories["me/timm"]["model.safetensors"]
    known(id="pinned", source="hf_hub:me/timm", checksum=pinned(content))
    assert bench("weights", "fetch", "pinned")[0] == 0
    filled.repositories["me/swapped"] = {
        **filled.repositories["me/timm"],
        "model.safetensors": content[:-4] + b"evil",
    }
    known(id="swapped", source="hf_hub:me/swapped", checksum=pinned(content))
    for _ in range(2):  # what was refused is not taken for fetched
        status, out, err = bench("weights", "fetch", "swapped")
        assert (status, out) == (1, "")
        assert re.search(
            r"^swapped: the hub repository me/swapped sends another file than the pinned one "
            r"\(.* has sha256 \w+, \w+ is pinned\), and it was deleted; correct the card's",
            err,
            re.MULTILINE,
        ), err
    suite.write_text(
        SUITE.replace(
            "me/timm', pool", f"me/swapped', checksum: '{pinned(content)}', pool"
        ).replace("id: hub-timm", "id: other")
    )
    status, out, err = bench("run", suite)
    assert (status, "1 of 2 cells done" in out) == (1, True)
    assert "blocked: weights other: " in err
    assert "sends another file than the pinned one" in caplog.text


def test_a_cached_file_that_was_changed_is_refused_and_fetched_anew(
    filled: StubHub, bench: Bench
) -> None:
    content = filled.repositories["me/timm"]["model.safetensors"]
    known(id="pinned", source="hf_hub:me/timm", checksum=pinned(content))
    path = Path(bench("weights", "fetch", "pinned")[1].split(": ")[1].strip())
    path.resolve().write_bytes(content[:-4] + b"evil")
    status, _, err = bench("weights", "fetch", "pinned")
    assert (status, "is pinned; delete the file and fetch it again" in err) == (1, True)
    assert str(path.resolve()) in err
    status, out, _ = bench("check", "pinned")
    assert (status, "is pinned; delete the file" in out) == (1, True)
    path.resolve().unlink()
    assert bench("weights", "fetch", "pinned")[0] == 0
    assert path.read_bytes() == content


def test_a_gated_repository_says_how_to_get_in_and_lets_in_who_may(
    filled: StubHub, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.gated.add("me/timm")
    status, out, err = bench("weights", "fetch", "hub-timm")
    assert (status, out) == (1, "")
    assert (
        "the hub repository me/timm is gated: accept its terms and log in to the hub "
        f"({filled.endpoint}/me/timm, then `hf auth login`, or a token in HF_TOKEN)"
    ) in err
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    status, _, err = bench("weights", "fetch", "hub-timm")
    assert (status, "the hub refuses the login: repeat `hf auth login`" in err) == (1, True)
    assert "hf_wrong" not in err
    filled.asked.clear()
    monkeypatch.setenv("HF_TOKEN", filled.token)
    assert bench("weights", "fetch", "hub-timm")[0] == 0
    assert [download.login for download in filled.downloads] == [
        None
    ]  # of another host: not told the token
    assert f"Bearer {filled.token}" in [download.login for download in filled.asked]


def test_a_missing_revision_is_named(filled: StubHub, bench: Bench) -> None:
    known(id="old", source="hf_hub:me/timm", revision="v9")
    status, _, err = bench("weights", "fetch", "old")
    assert (status, "the hub repository me/timm has no revision 'v9'" in err) == (1, True)


def test_without_a_network_a_warm_cache_serves_at_once(
    filled: StubHub, bench: Bench, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench("weights", "fetch", "hub-timm")[0] == 0
    filled.asked.clear()
    offline(monkeypatch)
    with monkeypatch.context() as awake:
        awake.setattr(time, "sleep", None)  # at once: not after the client's retries
        assert bench("weights", "fetch", "hub-timm")[0] == 0
    assert bench("run", suite)[0] == 0
    assert filled.asked == []


def test_without_a_network_a_cold_cache_is_one_sentence_at_once(
    filled: StubHub, bench: Bench, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch)
    with monkeypatch.context() as awake:
        awake.setattr(time, "sleep", None)
        status, out, err = bench("weights", "fetch", "hub-timm")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "weights absent (the hub is switched off by HF_HUB_OFFLINE); run" in err
    status, out, err = bench("run", suite)
    assert (status, "1 of 2 cells done" in out) == (1, True)
    assert "blocked: weights hub-timm: run `bench.py weights fetch hub-timm`" in err
    assert filled.asked == []


def test_the_whole_command_by_the_environment_alone(
    timm_repository: dict[str, bytes], tmp_path: Path
) -> None:
    """No patch: a process of its own, with the variables a user sets."""
    plugin = tmp_path / "hub_cards.py"
    plugin.write_text(
        "from omnibench import BackboneCard, register_backbone\n"
        "register_backbone(BackboneCard(id='mine', source='hf_hub:me/timm'))\n"
        "import time; time.sleep = None  # between the client's retries, which take 23 s\n"
    )
    hf = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "*"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}

    def fetch(**variables: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "omnibench", "weights", "fetch", "mine", "--plugin", plugin],
            env=kept | hf | {"OMNIBENCH_DATA": str(tmp_path / "data")} | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    with served() as hub:
        hub.repositories["me/timm"] = timm_repository
        endpoint = hub.endpoint
        status, err = fetch(
            HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path / "cold"), HF_HUB_OFFLINE="1"
        )
        assert (status, "switched off by HF_HUB_OFFLINE" in err, hub.asked) == (1, True, [])
        assert fetch(HF_ENDPOINT=endpoint)[0] == 0
    assert fetch(HF_ENDPOINT=endpoint)[0] == 0  # the hub is gone
    assert fetch(HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="1")[0] == 0
    status, err = fetch(HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path / "cold"))
    assert (status, "the hub is out of reach" in err) == (1, True)
