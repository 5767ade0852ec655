"""Weights that want to run code, read other files, or break their reader."""

import argparse
import json
import pickle
import random
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save

from omnibench import catalogue
from omnibench.cards import BackboneCard
from omnibench.encoders.checkpoints import read_weights
from omnibench.errors import WeightsError
from tests.conftest import Bench
from tests.security.attack_tools import Bomb

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")
CODE = "is refused: it holds more than tensors, and loading it could run code; save it as"
VIT = {"model_type": "vit", "architectures": ["ViTModel"], "hidden_size": 16, "patch_size": 32}
VIT |= {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def zipped(path: Any, content: Any) -> None:
    torch.save(content, path)


def legacy(path: Any, content: Any) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def plain(path: Any, content: Any) -> None:
    path.write_bytes(pickle.dumps(content))


def refused(bench: Bench, sentence: str, **card: Any) -> None:
    """`check` of a card ends with the sentence and status 1."""
    catalogue.register_backbone(BackboneCard(id="evil", pool="cls", **card))
    status, out, err = bench("check", "evil")
    assert (status, out.count("\n")) == (1, 1), out
    assert re.search(rf"^FAIL  load: .*{sentence}", out), out
    assert "Traceback" not in err


@pytest.mark.parametrize("write", [zipped, legacy, plain])
@pytest.mark.parametrize("nested", [False, True])
def test_a_pickle_in_a_pth_is_refused_unrun(
    bench: Bench, bomb: Bomb, tmp_path: Path, write: Callable[..., Any], nested: bool
) -> None:
    path = tmp_path / "evil.pth"
    write(path, {"state_dict": {"a": bomb}, "epoch": 3} if nested else bomb)
    refused(bench, re.escape(f"{path} {CODE}"), source=f"file:{path}", architecture="test_vit")


def test_run_ends_with_the_sentence(bench: Bench, bomb: Bomb, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        f"{split}_images": rng.integers(0, 99, (6, 8, 8), np.uint8) for split in SPLITS
    }
    arrays |= {f"{split}_labels": np.arange(6) % 2 for split in SPLITS}
    np.savez(tmp_path / "two.npz", **arrays)
    torch.save({"a": bomb}, tmp_path / "evil.pth")
    suite = tmp_path / "evil.yaml"
    suite.write_text(
        "{name: evil, backbones: [{id: e, source: 'file:evil.pth', architecture: test_vit}],\n"
        "matrix: [{task: classification, datasets: ['npz:two.npz'], adaptations: [knn]}]}"
    )
    status, _, err = bench("run", suite)
    assert (status, CODE in err) == (2, True), err
    assert "Traceback" not in err


SPLITS = ("train", "val", "test")


def test_a_pickle_that_is_called_safetensors_is_refused_unrun(
    bench: Bench, bomb: Bomb, tmp_path: Path
) -> None:
    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps(bomb))
    refused(bench, "cannot be read as weights", source=f"file:{path}", architecture="test_vit")


@pytest.mark.parametrize("kind", ["hf_hub", "transformers"])
def test_a_pickle_of_a_hub_repository_is_refused_unrun(
    bench: Bench, bomb: Bomb, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "data" / "weights" / "me--evil"
    folder.mkdir(parents=True)
    torch.save({"a": bomb}, folder / "pytorch_model.bin")
    config = {"architecture": "test_vit"} if kind == "hf_hub" else VIT
    (folder / "config.json").write_text(json.dumps(config))
    refused(bench, re.escape(CODE), source=f"{kind}:me/evil")


def test_code_of_a_repository_is_not_run_unless_the_card_says_so(
    bench: Bench, marker: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "weights" / "me--evil"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(save({"a": torch.ones(1)}))
    (folder / "evil.py").write_text(f"import os\nos.makedirs({str(marker)!r})\n")
    classes = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": classes}))
    refused(bench, "me--evil cannot be loaded: .*trust_remote_code", source="transformers:me/evil")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"model_args": {"checkpoint_path": "PICKLE"}},
            "its model_args give checkpoint_path, by w",
        ),
        ({"model_args": {"pretrained": True}}, "its model_args give pretrained, by which timm"),
        ({"model_args": {"no_such": 1}}, "timm cannot make test_vit with its model_args"),
        ({"model_args": {"embed_dim": "x"}}, "timm cannot make test_vit with its model_args"),
        ({"model_args": [1]}, "names no architecture as timm's configurations do"),
        ({"architecture": "local-dir:PICKLE"}, "timm has no architecture 'local-dir:"),
        ({"architecture": 3}, "names no architecture as timm's configurations do"),
        ("[" * 100_000, r"config\.json cannot be read as JSON"),
        ("[]", r"config\.json is no JSON object"),
    ],
)
def test_a_configuration_names_no_other_files(
    bench: Bench, bomb: Bomb, tmp_path: Path, config: dict[str, Any] | str, sentence: str
) -> None:
    folder = tmp_path / "data" / "weights" / "me--evil"
    folder.mkdir(parents=True)
    model = timm.create_model("test_vit", num_classes=0)
    (folder / "model.safetensors").write_bytes(save(model.state_dict()))
    torch.save(bomb, folder / "evil.pth")
    if isinstance(config, dict):
        config = json.dumps({"architecture": "test_vit"} | config)
    (folder / "config.json").write_text(config.replace("PICKLE", str(folder / "evil.pth")))
    refused(bench, sentence, source="hf_hub:me/evil")


@pytest.mark.parametrize("length", [2**63, 2**40, 100_000_001, 9])
def test_a_safetensors_header_that_lies_is_refused(
    bench: Bench, tmp_path: Path, length: int
) -> None:
    path = tmp_path / "lie.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"a":{"dtype":"F32"}}')
    refused(bench, "cannot be read as weights", source=f"file:{path}", architecture="test_vit")


def test_a_checkpoint_of_other_things_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    content: object
    for content in ({1: torch.ones(1)}, {"a": 1}, [torch.ones(1)], {"model": {"a": {}}}):
        torch.save(content, path)
        with pytest.raises(WeightsError, match="holds no state dict"):
            read_weights(path)


@pytest.mark.parametrize("write", [zipped, legacy, None])
def test_damaged_bytes_are_a_sentence_whatever_they_spell(
    tmp_path: Path, write: Callable[..., Any] | None
) -> None:
    path = tmp_path / ("w.pth" if write else "w.safetensors")
    state = {"a.weight": torch.ones(2, 3), "a.bias": torch.ones(2)}
    path.write_bytes(save(state)) if write is None else write(path, state)
    content, rng = path.read_bytes(), random.Random(0)
    refusals = 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 2, 5))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            read_weights(path)
        except WeightsError as error:
            refusals += 1
            assert re.match(rf"{re.escape(str(path))} (is|cannot|holds)", str(error))
    assert refusals > 30


@pytest.mark.parametrize("kind", ["file", "hf_hub", "transformers"])
@pytest.mark.parametrize(
    "name", ["../secret.safetensors", "/etc/hostname", "..\\\\secret.safetensors"]
)
def test_an_index_of_a_folder_reads_no_file_outside_of_it(
    bench: Bench, tmp_path: Path, kind: str, name: str
) -> None:
    folder = tmp_path / "data" / "weights" / "me--evil"
    folder.mkdir(parents=True)
    model = timm.create_model("test_vit", num_classes=0)
    (folder.parent / "secret.safetensors").write_bytes(save(model.state_dict()))
    config = VIT if kind == "transformers" else {"architecture": "test_vit"}
    (folder / "config.json").write_text(json.dumps(config))
    index = {"weight_map": dict.fromkeys(model.state_dict(), name)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    source = f"file:{folder}" if kind == "file" else f"{kind}:me/evil"
    refused(bench, "which is not a file of its folder", source=source)


def test_a_shard_with_code_is_refused_unrun(bench: Bench, bomb: Bomb, tmp_path: Path) -> None:
    torch.save({"cls_token": bomb}, tmp_path / "s.bin")
    index = {"weight_map": {"cls_token": "s.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_vit"}))
    refused(bench, re.escape(f"s.bin {CODE}"), source=f"file:{tmp_path}")


def test_code_beside_a_command_line_is_refused_unrun(
    bench: Bench, bomb: Bomb, tmp_path: Path
) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"teacher": {}, "args": argparse.Namespace(hook=bomb)}, path)
    refused(bench, re.escape(f"{path} {CODE}"), source=f"file:{path}", architecture="test_vit")


def test_a_repository_name_leads_nowhere_else(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "data" / "weights").mkdir(parents=True)
    (Path(tmp_path) / "data" / "model.safetensors").write_bytes(save({"a": torch.ones(1)}))
    for k, name in enumerate(("../..", "me/../..", "/etc/passwd", "..")):
        catalogue.register_backbone(BackboneCard(id=f"evil{k}", source=f"timm:{name}"))
        status, out, err = bench("weights", "fetch", f"evil{k}")
        assert (status, out) == (1, "")
        assert "is no OWNER/NAME of a hub" in err
