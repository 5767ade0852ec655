"""The pages on extending show what the tests run, and name what there is."""

import re
from pathlib import Path

import pytest

from tests.examples.extended import EXAMPLES, ROOT

PAGES = sorted((ROOT / "docs" / "extending").glob("*.md"))
KINDS = (
    "adaptation", "backbone", "dataset", "engine", "figure", "metric", "reader", "task",
)  # fmt: skip
SHOWN = re.compile(r"\]\(\.\./\.\./examples/(\w+\.py)\)[^\n]*:\n\n```python\n(.*?)\n```", re.S)
LINKS = re.compile(r"\]\(([^)#]+)[^)]*\)")


def test_each_kind_of_extension_has_a_page_that_ends_in_an_example() -> None:
    assert [page.stem for page in PAGES] == list(KINDS)
    for page in PAGES:
        assert page.read_text().endswith("\n```\n"), page.name


@pytest.mark.parametrize("page", KINDS)
def test_what_a_page_shows_is_in_the_file_that_it_names(page: str) -> None:
    text = (ROOT / "docs" / "extending" / f"{page}.md").read_text()
    shown = SHOWN.findall(text)
    assert len(shown) == text.count("```python") > 0
    for file, code in shown:
        assert code in (EXAMPLES / file).read_text()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs/architecture.md", ROOT / "CONTRIBUTING.md"])
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in LINKS.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
