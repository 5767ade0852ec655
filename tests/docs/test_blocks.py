"""Every code block of README.md and docs/ runs, or a comment above it says why it cannot."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnibench.report import latent_picture
from tests.docs.blocks import PAGES, ROOT, blocks_of, is_example, run_page, unfenced

README = ROOT / "README.md"
DUE = [
    page
    for page in PAGES
    if page != README
    and any(not block.reason and not is_example(block) for block in blocks_of(page))
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run README's blocks in an empty folder, which the other pages start from."""
    folder = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # What it compiles on its first call takes longer than all else here.
        patch.setattr(latent_picture, "_umap", lambda features: features[:, :2].copy())
        patch.delenv("OMNIBENCH_RESULTS", raising=False)
        patch.setenv("OMNIBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        run_page(README)
        yield folder


def test_the_readme_ends_with_a_report(finished: Path) -> None:
    assert (finished / "results/reports/mine/report.html").is_file()
    assert len(list((finished / "results/records").rglob("*.json"))) == 8


@pytest.mark.parametrize("page", DUE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_blocks_of_a_page_run(
    page: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(folder)
    run_page(page)


def test_no_block_is_out_of_reach_of_these_tests() -> None:
    assert not [place for page in PAGES for place in unfenced(page)]
    for page in PAGES:
        fences = re.findall(r"^```", page.read_text("utf-8"), re.MULTILINE)
        assert len(fences) == 2 * len(blocks_of(page)), page


def test_the_readme_is_short_and_opens_with_the_two_commands() -> None:
    text = README.read_text("utf-8")
    assert text.count("\n") < 150
    assert blocks_of(README)[0].text.split()[:2] == ["make", "demo"]
    assert "\nmake test " in blocks_of(README)[0].text
