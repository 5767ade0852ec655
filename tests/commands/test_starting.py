"""`new`: what it writes passes its own tests as it is, and is known once it is installed."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMNIBENCH_DATA", str(tmp_path / "data"))
    return tmp_path


KINDS = ("adaptation", "dataset", "task")


def test_what_is_written_passes_its_tests(bench: Bench, folder: Path) -> None:
    for kind in KINDS:
        status, out, _ = bench("new", kind, f"own-{kind}")
        package = folder / f"own_{kind}"
        assert status == 0
        assert f"omnibench run own_{kind}/own_{kind}.yaml" in out
        assert (package / f"own_{kind}.yaml").is_file()
        assert not [path for path in package.iterdir() if "my_" in path.name + path.read_text()]
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folder.glob("own_*")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout


def test_what_is_written_is_known_once_it_is_installed(bench: Bench, folder: Path) -> None:
    for kind in KINDS:
        assert bench("new", kind, f"own-{kind}")[0] == 0
        build = "from setuptools import build_meta; build_meta.build_wheel('dist')"
        package = folder / f"own_{kind}"
        subprocess.run([sys.executable, "-c", build], cwd=package, check=True, capture_output=True)
        [wheel] = (package / "dist").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "installed")
    for kind in KINDS:
        listed = subprocess.run(
            [sys.executable, "-m", "omnibench", "list", f"{kind}s"],
            env={**os.environ, "PYTHONPATH": str(folder / "installed")},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert f"own-{kind}" in listed.stdout


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("adaption", "mine", "`new` knows adaptation, dataset, task, not 'adaption'"),
        ("adaptation", "decoder", "'decoder' is a registered adaptation already"),
        ("dataset", "phantom", "'phantom' is a registered dataset already"),
        ("task", "json", "Python has a module 'json' already"),
        ("task", "Mine", "'Mine' cannot name a package"),
        ("task", "../mine", "'../mine' cannot name a package"),
        ("dataset", "a" * 41, "cannot name a package"),
        ("dataset", "there", "there is there already"),
    ],
)
def test_a_name_that_cannot_be_taken_is_refused(
    bench: Bench, folder: Path, kind: str, name: str, message: str
) -> None:
    (folder / "there").mkdir()
    status, out, err = bench("new", kind, name)
    assert (status, out) == (2, "")
    assert message in err
    assert sorted(path.name for path in folder.iterdir()) == ["there"]
