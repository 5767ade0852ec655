"""Hub weights, against a stub hub on loopback."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from pydantic import ValidationError
from safetensors.torch import save

from omnibench import hub_access, weights
from omnibench.cards import BackboneCard
from omnibench.errors import MissingWeightsError, RequestError, WeightsError
from omnibench.weight_folders import with_shards
from tests.stub_hub import StubHub

CONTENT = save({"a": torch.ones(3)})
CARD = BackboneCard(id="tiny", source="hf_hub:me/tiny")


@pytest.fixture
def tiny(hub: StubHub) -> StubHub:
    """The hub with me/tiny, and me/gated that asks for a login."""
    files = {"model.safetensors": CONTENT, "config.json": b'{"architecture": "x"}'}
    hub.repositories |= {"me/tiny": files, "me/gated": files}
    hub.gated.add("me/gated")
    return hub


def test_weights_are_fetched_once_then_found_without_the_hub(tiny: StubHub, tmp_path: Path) -> None:
    assert weights.locate(CARD, tmp_path) is None
    files = weights.fetch(CARD, tmp_path)
    assert files.weights.read_bytes() == CONTENT
    assert files.config is not None
    tiny.asked.clear()
    assert weights.fetch(CARD, tmp_path) == files
    assert tiny.asked == []


@pytest.mark.parametrize(
    ("source", "revision", "message"),
    [
        ("hf_hub:me/gated", None, "is gated: accept its terms and log in"),
        ("hf_hub:me/nothing", None, "the hub has no repository me/nothing"),
        ("hf_hub:me/tiny", "v2", "has no revision 'v2'"),
        ("timm:absent", None, "the hub has no repository timm/absent"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_with_the_way_out(
    tiny: StubHub, tmp_path: Path, source: str, revision: str | None, message: str
) -> None:
    card = BackboneCard(id="x", source=source, revision=revision)
    with pytest.raises(MissingWeightsError, match=message) as caught:
        weights.fetch(card, tmp_path)
    assert str(weights.local_folder(card, tmp_path)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hub_out_of_reach_says_what_to_fetch_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    hub_access.unreachable.cache_clear()
    with pytest.raises(MissingWeightsError, match="the hub is out of reach") as caught:
        weights.fetch(CARD, tmp_path)
    hub_access.unreachable.cache_clear()
    folder = tmp_path / "weights" / "me--tiny"
    assert f"put model.safetensors and config.json of the hub repository me/tiny into {folder}" in (
        str(caught.value)
    )
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(CONTENT)
    assert weights.locate(CARD, tmp_path) is None  # config.json is due too
    (folder / "config.json").write_text("{}")
    assert weights.fetch(CARD, tmp_path).weights == folder / "model.safetensors"


def test_a_checkpoint_of_a_name_of_its_own_needs_no_configuration(
    hub: StubHub, tmp_path: Path
) -> None:
    hub.repositories["me/own"] = {"own.pth": CONTENT}
    card = BackboneCard(id="own", source="hf_hub:me/own", hub_file="own.pth", architecture="x")
    assert weights.locate(card, tmp_path) is None
    folder = tmp_path / "weights" / "me--own"
    assert f"put own.pth of the hub repository me/own into {folder}" in weights.way_out(
        card, tmp_path
    )
    files = weights.fetch(card, tmp_path)
    assert (files.weights.read_bytes(), files.config) == (CONTENT, None)
    folder.mkdir(parents=True)
    (folder / "own.pth").write_bytes(CONTENT)
    assert weights.fetch(card, tmp_path).weights == folder / "own.pth"
    absent = card.model_copy(update={"hub_file": "other.pth"})
    with pytest.raises(MissingWeightsError, match=r"holds none of other\.pth"):
        weights.fetch(absent, tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "hf_hub:me/own", "hub_file": "own.pth"},
        {"source": "timm:x", "hub_file": "own.pth", "architecture": "x"},
        {"source": "hf_hub:me/own", "hub_file": "../own.pth", "architecture": "x"},
        {"source": "hf_hub:me/own", "hub_file": "own.py", "architecture": "x"},
    ],
)
def test_a_name_without_its_network_or_outside_the_repository_is_refused(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError, match="hub_file"):
        BackboneCard(id="own", **fields)


def test_a_pinned_checksum_is_held(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(CONTENT)
    weights.verify(path, "sha256:" + hashlib.sha256(CONTENT).hexdigest())
    weights.verify(path, "md5:" + hashlib.md5(CONTENT).hexdigest())
    with pytest.raises(WeightsError, match=f"{path} has sha256 .* is pinned"):
        weights.verify(path, "sha256:" + "0" * 64)


def test_a_packaged_file_that_is_absent_names_the_package() -> None:
    with pytest.raises(MissingWeightsError, match="install the package no-such-package"):
        weights.packaged_file("no_such_package", "w.pth", "sha256:" + "0" * 64)


def test_parts_of_several_packages_make_the_pinned_file_or_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    names = ("first_part_of_tests", "second_part_of_tests")
    for name, half in zip(names, (CONTENT[:7], CONTENT[7:]), strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('it is run')\n")
        (tmp_path / name / "part.bin").write_bytes(half)
    pinned = len(CONTENT), f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert weights.packaged_parts(names, "part.bin", *pinned) == CONTENT
    for order in (names[::-1], names[:1]):
        with pytest.raises(WeightsError, match=r"do not make the pinned file of .* again$"):
            weights.packaged_parts(order, "part.bin", *pinned)
    monkeypatch.setattr(weights, "read_regular", lambda path: pytest.fail("it is read"))
    (tmp_path / names[0] / "part.bin").write_bytes(CONTENT)
    with pytest.raises(WeightsError, match="install their packages again"):
        weights.packaged_parts(names, "part.bin", *pinned)
    (tmp_path / names[1] / "part.bin").unlink()
    with pytest.raises(MissingWeightsError, match="install the package second-part-of-tests"):
        weights.packaged_parts(names, "part.bin", *pinned)


def test_the_files_of_a_local_source_are_named_in_a_stable_order(tmp_path: Path) -> None:
    names = ("config.json", "preprocessor_config.json", "model.safetensors", "README.md", "x.pth")
    for name in names:
        (tmp_path / name).write_bytes(b"{}")
    files = weights.weights_files(tmp_path)
    assert [path.name for path in files] == list(names[:3])
    assert weights.weights_files(tmp_path / "x.pth") == (tmp_path / "x.pth",)
    (tmp_path / "model.safetensors").unlink()
    assert [path.name for path in weights.weights_files(tmp_path)][-1] == "x.pth"
    index = {"weight_map": {"a": "s-2.safetensors", "b": "s-1.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(MissingWeightsError, match=r"names s-1\.safetensors, which is absent"):
        weights.weights_files(tmp_path)
    for name in index["weight_map"].values():
        (tmp_path / name).write_bytes(CONTENT)
    shards = ["model.safetensors.index.json", "s-1.safetensors", "s-2.safetensors"]
    assert [path.name for path in weights.weights_files(tmp_path)] == [*names[:2], *shards]


def test_a_local_source_without_weights_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"holds no weights; put model\.safetensors there"):
        weights.weights_files(tmp_path)
    with pytest.raises(RequestError, match=r"no weights file or folder at .*/none; put it there"):
        weights.weights_files(tmp_path / "none")


def test_a_sharded_repository_is_fetched_whole(hub: StubHub, tmp_path: Path) -> None:
    index = json.dumps({"weight_map": {"a": "s-1.safetensors", "b": "s-2.safetensors"}}).encode()
    files: Any = {"config.json": b"{}", "model.safetensors.index.json": index}
    shards = {"s-1.safetensors": CONTENT, "s-2.safetensors": save({"b": torch.ones(2)})}
    hub.repositories["me/tiny"] = files | shards
    files = weights.fetch(CARD, tmp_path)
    assert [path.name for path in with_shards(files.weights)[1:]] == list(shards)
    assert set(weights.file_source(CARD, tmp_path)) == {"file", *shards}
    hub.asked.clear()
    assert weights.fetch(CARD, tmp_path) == files
    assert hub.asked == []


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "x.bin.index.json"])
def test_an_index_that_names_an_index_is_refused(tmp_path: Path, name: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(WeightsError, match="an index again, where weights are due"):
        with_shards(index)


def test_a_checksum_cannot_hold_several_files(tmp_path: Path) -> None:
    card = CARD.model_copy(update={"checksum": f"sha256:{'0' * 64}"})
    with pytest.raises(WeightsError, match="its checksum can hold one file"):
        weights.require_one_file(card, tmp_path / "model.safetensors.index.json")


def test_a_sharded_repository_that_names_another_folder_is_refused(
    hub: StubHub, tmp_path: Path
) -> None:
    index = json.dumps({"weight_map": {"a": "../../s.safetensors"}}).encode()
    hub.repositories["me/tiny"] = {"config.json": b"{}", "model.safetensors.index.json": index}
    with pytest.raises(WeightsError, match="which is not a file of its folder"):
        weights.fetch(CARD, tmp_path)
