"""The example packages: small, written through the public names alone, known once installed."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import omnibench
from tests.examples.extended import EXAMPLES, ROOT

# Package -> the kind of what it registers, and its name, as `omnibench list` has them.
REGISTERED = {
    "fusion": ("tasks", "fusion"),
    "progression": ("tasks", "progression"),
    "refine-dps": ("adaptations", "dps"),
    "selfplay": ("tasks", "localisation"),
    "translate-diffusion": ("adaptations", "diffusion"),
    "vessel-graph": ("tasks", "vessel-graph"),
}
PACKAGES = sorted(
    path.parent.name for path in EXAMPLES.glob("*/pyproject.toml") if path.parent.name != "package"
)
SOURCES = sorted(
    path for path in EXAMPLES.rglob("*.py") if not {"build", "__pycache__"} & set(path.parts)
)
MOST_LINES = 400


def names_of_omnibench(path: Path) -> set[str]:
    """Return what a file takes from omnibench: modules below it, and names."""
    tree, names = ast.parse(path.read_text()), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names if a.name.startswith("omnibench.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("omnibench"):
            below = "" if node.module == "omnibench" else f"{node.module}."
            names |= {below + alias.name for alias in node.names}
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "omnibench"
        ):
            names.add(node.attr)
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_examples_use_public_names_alone(path: Path) -> None:
    assert names_of_omnibench(path) <= set(omnibench.__all__)


def test_a_private_name_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import omnibench\nfrom omnibench.store import RecordStore\nomnibench._NAMES\n")
    assert names_of_omnibench(path) == {"omnibench.store.RecordStore", "_NAMES"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build each package's wheel and unpack it, as an installer does; return their folder."""
    copies, folder = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("installed")
    build = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    for package in PACKAGES:
        copy = shutil.copytree(EXAMPLES / package, copies / package)
        subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
        [wheel] = (copy / "dist").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


@pytest.mark.parametrize("kind", ["adaptations", "tasks"])
def test_what_an_installed_package_registers_is_listed(kind: str, installed: Path) -> None:
    assert sorted(REGISTERED) == PACKAGES
    listed = subprocess.run(
        [sys.executable, "-m", "omnibench", "list", kind],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.split()[0] for line in listed.stdout.splitlines() if line.strip()}
    assert names >= {name for own, name in REGISTERED.values() if own == kind}
    assert "could not be loaded" not in listed.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_small_and_has_its_page(package: str) -> None:
    page = ROOT / "docs" / "examples" / f"{package}.md"
    files = [page, *(p for p in (EXAMPLES / package).iterdir() if p.is_file())]
    assert sum(len(path.read_text().splitlines()) for path in files) <= MOST_LINES
