"""The page on the audit: what it shows as pasted can be read, and means what it says."""

import re
from pathlib import Path

import pytest

from omnibench.audit.facts import Facts
from omnibench.audit.reading import read_tables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
BLOCKS = re.findall(
    r"```(markdown|latex|csv)[^\n]*\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S
)


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_every_example_is_read(tmp_path: Path, language: str, text: str) -> None:
    path = tmp_path / f"a.{ {'markdown': 'md', 'latex': 'tex', 'csv': 'csv'}[language] }"
    path.write_text(text, encoding="utf-8")
    rows = read_tables(path, Facts()).rows
    assert {row.model for row in rows} == {"ResNet50", "Ours"}
    assert all(row.uncertainty for row in rows)
    assert {row.metric for row in rows} <= {"accuracy", "AUC", "auc", "f1"}


def test_the_page_shows_each_kind_of_table() -> None:
    assert [language for language, _ in BLOCKS] == ["markdown", "latex", *["csv"] * 4]
