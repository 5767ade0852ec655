"""`--version`, and the completion of shells."""

import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from omnibench.commands import version
from tests.conftest import Bench

ROOT = Path(__file__).resolve().parents[2]


def test_the_version_names_omnibench_python_and_torch(bench: Bench) -> None:
    status, out, _ = bench("--version")
    first, *others = out.splitlines()
    assert (status, first.split()[:2]) == (
        0,
        ["omnibench", importlib.metadata.version("omnibench")],
    )
    torch = importlib.metadata.version("torch")
    assert others == [f"Python {platform.python_version()}", f"torch {torch}"]


def test_a_checkout_names_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    monkeypatch.setattr(version, "CHECKOUT", tmp_path)
    first = next(version.versions())
    commit = first.partition("(commit ")[2].removesuffix(")")
    assert len(commit) >= 7
    assert head.stdout.startswith(commit)
    monkeypatch.setattr(version, "CHECKOUT", tmp_path / "site-packages")
    assert "commit" not in next(version.versions())


def test_the_module_is_the_command_and_imports_no_torch(bench: Bench) -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['--version']\n"
        "try: runpy.run_module('omnibench', run_name='__main__')\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, bench("--version")[1]), done.stderr


def test_a_shell_completes_commands(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setenv("_OMNIBENCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "omnibench re")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert bench()[1].split() == ["report", "rescore"]
