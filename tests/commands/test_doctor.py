"""`doctor` as a user gives it, on a machine without network."""

import json
import socket
from typing import Any

import pytest

from tests.conftest import Bench


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("doctor asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def rows(bench: Bench, *arguments: str) -> tuple[int, list[dict[str, str]]]:
    status, out, err = bench("doctor", *arguments, "--json")
    assert err == ""
    return status, json.loads(out)


def test_every_missing_piece_of_the_captioning_study_once(bench: Bench) -> None:
    status, actual = rows(bench, "omnirad-captioning")
    assert status == 1
    assert all(set(row) == {"name", "verdict", "message", "fix"} for row in actual)
    names = [row["name"] for row in actual]
    assert len(names) == len(set(names))
    missing = {row["name"]: row["fix"] for row in actual if row["message"] == "absent"}
    assert set(missing) - {"WordNet", "LaTeX"} == {
        *("data rocov2", "weights bart-base", "weights clip-base-openai", "weights dinov2-base"),
        *("weights dinov3-base", "weights radio-dino-base", "weights omnirad-base"),
    }
    assert "tokenizer.json" in missing["weights bart-base"]
    assert "bench.py weights fetch bart-base" in missing["weights bart-base"]
    assert all(row["fix"] for row in actual if row["verdict"] != "PASS")


def test_wordnet_is_asked_for_by_captions_alone(bench: Bench) -> None:
    assert "WordNet" in {row["name"] for row in rows(bench, "omnirad-captioning")[1]}
    assert "WordNet" not in {row["name"] for row in rows(bench, "omnirad-classification")[1]}


def test_the_machine_in_general(bench: Bench) -> None:
    status, actual = rows(bench)
    names = {row["name"] for row in actual}
    assert {"python", "device", "folder results", "folder data", "LaTeX", "WordNet"} <= names
    assert {"disk", "extra demo"} <= names
    assert status == int(any(row["verdict"] == "FAIL" for row in actual))


def test_an_unknown_suite_is_a_wrong_request(bench: Bench) -> None:
    status, out, err = bench("doctor", "omnirda")
    assert (status, out) == (2, "")
    assert err.startswith("error: unknown suite 'omnirda'; did you mean omnirad")
