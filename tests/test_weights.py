"""Hub weights, against a stub hub on loopback."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save

from omnibench import weights
from omnibench.cards import BackboneCard
from omnibench.errors import MissingWeightsError, WeightsError

CONTENT = save({"a": torch.ones(3)})
CARD = BackboneCard(id="tiny", source="hf_hub:me/tiny")


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves me/tiny at revision main; me/gated asks for a login."""

    files: ClassVar = {"model.safetensors": CONTENT, "config.json": b'{"architecture": "x"}'}

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        _, owner, name, _, revision, file = [*self.path.split("/", 5), "", ""][:6]
        error = None
        if (owner, name) == ("me", "gated"):
            error = (401, "GatedRepo")
        elif (owner, name) != ("me", "tiny"):
            error = (404, "RepoNotFound")
        elif revision != "main":
            error = (404, "RevisionNotFound")
        elif file not in self.files:
            error = (404, "EntryNotFound")
        if error:
            self.send_response(error[0])
            self.send_header("X-Error-Code", error[1])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = self.files[file]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    weights._unreachable.cache_clear()
    yield server
    server.shutdown()
    weights._unreachable.cache_clear()


def test_weights_are_fetched_once_then_found_without_the_hub(hub, tmp_path):
    assert weights.locate(CARD, tmp_path) is None
    files = weights.fetch(CARD, tmp_path)
    assert files.weights.read_bytes() == CONTENT
    assert files.config is not None
    hub.asked.clear()
    assert weights.fetch(CARD, tmp_path) == files
    assert hub.asked == []


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
    hub, tmp_path, source, revision, message
):
    card = BackboneCard(id="x", source=source, revision=revision)
    with pytest.raises(MissingWeightsError, match=message) as caught:
        weights.fetch(card, tmp_path)
    assert str(weights.local_folder(card, tmp_path)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hub_out_of_reach_says_what_to_fetch_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    weights._unreachable.cache_clear()
    with pytest.raises(MissingWeightsError, match="the hub is out of reach") as caught:
        weights.fetch(CARD, tmp_path)
    weights._unreachable.cache_clear()
    folder = tmp_path / "weights" / "me--tiny"
    assert f"put model.safetensors and config.json of the hub repository me/tiny into {folder}" in (
        str(caught.value)
    )
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(CONTENT)
    assert weights.locate(CARD, tmp_path) is None  # config.json is due too
    (folder / "config.json").write_text("{}")
    assert weights.fetch(CARD, tmp_path).weights == folder / "model.safetensors"


def test_a_pinned_checksum_is_held(tmp_path):
    path = tmp_path / "w"
    path.write_bytes(CONTENT)
    weights.verify(path, "sha256:" + hashlib.sha256(CONTENT).hexdigest())
    weights.verify(path, "md5:" + hashlib.md5(CONTENT).hexdigest())
    with pytest.raises(WeightsError, match=f"{path} has sha256 .* is pinned"):
        weights.verify(path, "sha256:" + "0" * 64)


def test_a_packaged_file_that_is_absent_names_the_package():
    with pytest.raises(MissingWeightsError, match="install the package no-such-package"):
        weights.packaged_file("no_such_package", "w.pth", "sha256:" + "0" * 64)
