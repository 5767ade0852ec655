"""The wheel: what it holds, and that it works where there is no checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    "omnibench": ROOT / "omnibench",
    "omnibench/backbones": ROOT / "backbones",
    "omnibench/published": ROOT / "results" / "published",
    "omnibench/tasks": ROOT / "tasks",
    "omnibench/templates": ROOT / "examples" / "template",
}
OTHERS = ("benchmarks", "docs", "tests")  # lie beside them in what is built from
FILES = (
    *("CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md"),
    *("bench.py", "pyproject.toml"),
)
SOME = (
    "omnibench/py.typed",
    "omnibench/architecture/timm.csv",
    "omnibench/backbones/vit.py",
    "omnibench/published/omnirad/table03.csv",
    "omnibench/report/page/page.html",
    "omnibench/suites/demo.yaml",
    "omnibench/tasks/classification/knn.py",
    "omnibench/templates/task/pyproject.toml",
)
NARROWED = (
    *("--datasets", "phantom-easy", "--backbones", "random-efficientnet-lite0"),
    *("--adaptations", "knn"),
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Build the wheel from a copy of the checkout, in which the build leaves its own files."""
    copy = tmp_path_factory.mktemp("checkout")
    bytecode = shutil.ignore_patterns("__pycache__")
    for folder in (*SOURCES.values(), *(ROOT / name for name in OTHERS)):
        shutil.copytree(folder, copy / folder.relative_to(ROOT), symlinks=True, ignore=bytecode)
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    build = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True)
    [path] = (copy / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel in a fresh environment that sees the packages of this one.

    Its .pth file names their folder; .pth files in that folder are not read, so that a checkout
    which is installed here as editable is not seen.
    """
    folder = tmp_path_factory.mktemp("environment")
    uv = shutil.which("uv", path=os.pathsep.join([os.environ["PATH"], str(ROOT / ".uv" / "bin")]))
    assert uv, "no uv on the PATH or in .uv/bin, where `make setup` puts it"
    python = folder / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install: Any = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python]
    subprocess.run([*install, wheel], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Callable[..., Any]:
    """Give a program of the environment and its arguments; it runs in an empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables.pop("OMNIBENCH_RESULTS", None)
    variables["OMNIBENCH_DATA"] = str(tmp_path / "data")

    def run(program: Any, *arguments: Any) -> subprocess.CompletedProcess[Any]:
        return subprocess.run(
            [environment / "bin" / program, *arguments],
            cwd=folder, env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Any) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in SOURCES.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert names == expected
    assert names.issuperset(SOME)


def test_the_source_distribution_builds_the_same_wheel(wheel: Any) -> None:
    copy = wheel.parents[1]
    build = "from setuptools import build_meta; build_meta.build_{}('dist')"
    subprocess.run([sys.executable, "-c", build.format("sdist")], cwd=copy, check=True)
    [archive] = (copy / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as members:
        members.extractall(copy / "unpacked", filter="data")
    [sources] = (copy / "unpacked").iterdir()
    assert not (sources / "tests").exists()
    assert (sources / "CITATION.cff").is_file()
    subprocess.run([sys.executable, "-c", build.format("wheel")], cwd=sources, check=True)
    [again] = (sources / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert {name: first.getinfo(name).CRC for name in first.namelist()} == {
            name: second.getinfo(name).CRC for name in second.namelist()
        }


def test_the_demo_runs_from_the_wheel(run: Any, environment: Path, tmp_path: Path) -> None:
    done = run(
        "python", "-c", "import omnibench.tasks.classification as task; print(task.__file__)"
    )
    assert Path(done.stdout.strip()).is_relative_to(environment)

    done = run("omnibench", "run", "demo", *NARROWED)
    assert done.returncode == 0, done.stderr
    assert "demo: 1 of 1 cells done, 0 failed, 0 blocked" in done.stdout
    [record] = (tmp_path / "empty" / "results" / "records").rglob("rep-0-*.json")
    assert json.loads(record.read_text())["status"] == "done"

    done = run("omnibench", "report", "demo")
    assert done.returncode == 0, done.stderr
    assert "phantom-easy, knn: Random EfficientNet-Lite0 alone" in done.stdout
    reports = tmp_path / "empty" / "results" / "reports" / "demo"
    assert (reports / "report.html").is_file()
    assert "Random EfficientNet-Lite0" in (reports / "demo.tex").read_text()


def test_an_installed_package_says_where_the_benchmarks_are(run: Any) -> None:
    done = run("omnibench", "speed")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the benchmarks come with a checkout")
    assert done.stderr.count("\n") == 1
