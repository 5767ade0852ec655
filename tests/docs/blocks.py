"""The code blocks of the documentation, and how each kind of them is run."""

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omnibench.cli import main
from omnibench.data.declaration import Declaration, read_declaration
from omnibench.engines.slurm_profile import read_profile
from omnibench.yaml_file import read_yaml
from tests.conftest import compute_here

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/*/*.md")),
]
FENCED = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r'^```(?P<language>\w*)(?: title="(?P<title>[\w.]+)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
UNFENCED = re.compile(r"^ +```|\n\n {4,}\S", re.MULTILINE)
COMMANDS = ("omnibench", "bench.py")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        title: the file that it is; "" where it is none.
        reason: why it cannot be run, as the comment above it says; "" where it is run.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    content = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            content[: match.start("text")].count("\n"),
            match["language"],
            match["title"] or "",
            match["text"],
            match["reason"] or "",
        )
        for match in FENCED.finditer(content)
    ]


def unfenced(page: Path) -> list[str]:
    """Return where a page has a block that is indented, and not fenced at the margin."""
    content = FENCED.sub(lambda match: "\n" * match[0].count("\n"), page.read_text("utf-8"))
    return [
        f"{page.relative_to(ROOT)}:{content[: match.end()].count(chr(10)) + 1}"
        for match in UNFENCED.finditer(content)
    ]


def is_example(block: Block) -> bool:
    """Return whether a block is a part of a file in examples/, which tests of their own run."""
    return any(block.text in path.read_text("utf-8") for path in ROOT.glob("examples/*.py"))


def run_page(page: Path) -> None:
    """Run the blocks of a page in the working directory, its files first."""
    names: dict[str, Any] = {"__name__": "__main__"}
    due = [block for block in blocks_of(page) if not block.reason and not is_example(block)]
    for block in due:
        if block.title:
            Path(block.title).write_text(block.text, encoding="utf-8")
    for block in due:
        if block.language == "sh":
            run_commands(block)
        elif block.language == "yaml":
            check_yaml(block)
        elif block.language == "python" and not block.title:
            exec(compile(block.text, str(block), "exec"), names)
        else:
            assert block.title, f"{block}: not run, and no comment above it says why"


def run_commands(block: Block) -> None:
    """Run each line of a block through the command, which must end with exit status 0."""
    for line in block.text.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program in COMMANDS, f"{block}: '{program}' cannot be run here; say why above it"
        assert status_of(arguments) == 0, f"{block}: {line}"


def status_of(arguments: list[str]) -> int:
    """Return the exit status of a command."""
    with pytest.MonkeyPatch.context() as patch:
        compute_here(patch)
        patch.setattr(sys, "argv", ["omnibench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def check_yaml(block: Block) -> None:
    """Read a YAML file as omnibench reads it: beside data, as a suite or as a profile."""
    content = read_yaml(Path(block.title))
    if block.title == "omnibench.yaml":
        assert read_declaration(Path()) != Declaration()
    elif "matrix" in content:
        assert status_of(["plan", block.title]) == 0, str(block)
    else:
        read_profile(Path(block.title))
