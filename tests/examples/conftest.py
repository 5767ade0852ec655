"""The examples of extensions, installed as a package of their own and run once for all tests."""

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.examples.extended import EXAMPLES, SUITE, Extended, write_pgm


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package's wheel and unpack it, as an installer does; return its folder."""
    copy, folder = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("installed")
    bytecode = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(EXAMPLES, copy / "examples", ignore=bytecode)
    build = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    package = copy / "examples" / "package"
    subprocess.run([sys.executable, "-c", build], cwd=package, check=True, capture_output=True)
    [wheel] = (package / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def extended(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Extended:
    """Plan, run and report a suite that every kind of extension takes part in."""
    folder = tmp_path_factory.mktemp("extended")
    write_pgm(folder / "images")
    (folder / "extended.yaml").write_text(SUITE)
    variables = {
        "PYTHONPATH": str(installed),
        "OMNIBENCH_RESULTS": str(folder / "results"),
        "OMNIBENCH_DATA": str(folder / "data"),
    }
    extended = Extended(folder, variables)
    texts: dict[str, Any] = {}
    for text, command in (("planned", "plan"), ("ran", "run"), ("reported", "report")):
        done = extended.bench(command, "extended.yaml")
        assert done.returncode == 0, done.stderr
        texts[text] = done.stdout
    texts["reported"] = (extended.results / "reports/extended/extended.md").read_text()
    return replace(extended, **texts)
