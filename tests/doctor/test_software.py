"""Versions: what is required, what is pinned, what is optional."""

import importlib.metadata
from pathlib import Path

import pytest

from omnibench.doctor import software
from omnibench.doctor.software import extras, older, pins, requirements


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine with these packages, and metadata that ask for some."""
    versions = {"omnibench": "1", "torch": "2.15.0+cu130", "timm": "0.9"}
    asked = ["torch>=2.11", "timm>=1.0.25", "typer>=0.20", 'ray>=2; extra == "ray"']

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    monkeypatch.setattr(software, "pins", lambda path: {"torch": ["2.14.0"], "six": ["1"]})
    return versions


def test_what_is_missing_or_too_old_is_named_once(machine: dict[str, str]) -> None:
    actual = {finding.name: finding for finding in software.software()}
    assert actual["package timm"].message == "0.9 is older than 1.0.25"
    assert actual["package typer"].message == "not installed"
    assert {actual[name].verdict for name in ("package timm", "package typer")} == {"FAIL"}
    assert actual["package timm"].fix == "make setup"
    assert "packages" not in actual
    assert actual["pinned versions"].verdict == "WARN"
    assert "torch 2.15.0+cu130 instead of 2.14.0" in actual["pinned versions"].message


def test_a_machine_with_everything_has_one_line_for_all(
    machine: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine |= {"timm": "1.0.31", "typer": "0.20"}
    monkeypatch.setattr(software, "pins", lambda path: {"torch": ["2.14.0", "2.15.0"]})
    actual = {finding.name: finding for finding in software.software()}
    assert {finding.verdict for finding in actual.values()} == {"PASS"}
    assert actual["packages"].message == "all 3 are there, none too old"


def test_extras_are_optional(machine: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = importlib.metadata.metadata("omnibench")
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: metadata)
    named = {finding.name: finding for finding in extras()}
    assert "extra dev" not in named
    assert all(finding.verdict in ("PASS", "WARN") for finding in named.values())


def test_requirements_of_an_extra(machine: dict[str, str]) -> None:
    assert list(requirements("ray")) == [("ray", "2")]
    assert ("ray", "2") not in list(requirements())


@pytest.mark.parametrize(
    ("version", "oldest", "is_older"),
    [
        ("2.9.1", "2.11", True),
        ("2.11", "2.11.0", False),
        ("2.15.0+cpu", "2.11", False),
        ("1.0.0rc1", "1.0", False),
        ("10", "9.9", False),
    ],
)
def test_versions_compare_as_numbers(version: str, oldest: str, is_older: bool) -> None:
    assert older(version, oldest) is is_older


def test_pins_of_several_pythons(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:aa\n"
        "numpy==2.5.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:bb\ntyper==0.20\n"
    )
    assert pins(path) == {"numpy": ["2.4.6", "2.5.5"], "typer": ["0.20"]}
    assert pins(tmp_path / "absent.txt") == {}
