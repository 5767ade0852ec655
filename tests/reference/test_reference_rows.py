"""What this installation computes against the reference rows."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from omnibench.encoders.preprocess import Preprocess
from tests.reference import rows
from tests.reference.rows import Row, computed, shipped


def beyond(actual: Mapping[tuple[str, int, str], Row], expected: list[Row]) -> list[str]:
    return [
        f"{row.unit} {row.metric}: {actual[row[:3]].value}, not {row.value}"
        for row in expected
        if not abs(actual[row[:3]].value - row.value) <= row.tolerance
    ]


def test_this_installation_computes_what_the_reference_rows_say(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    actual = {row[:3]: row for row in computed(tmp_path)}
    expected = shipped()
    assert actual.keys() == {row[:3] for row in expected}
    assert beyond(actual, expected) == []


def test_images_scaled_wrongly_are_beyond_the_tolerances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted fault: the reference would be of no use if it passed."""
    torch.set_num_threads(1)
    right = Preprocess.normalise
    monkeypatch.setattr(Preprocess, "normalise", lambda self, pixels: right(self, pixels / 2))
    suite = rows.SUITE.read_text()
    path = tmp_path / "faulty.yaml"
    frozen_alone = suite[: suite.index("    adaptations: [full]")].rpartition("  - task:")[0]
    path.write_text(frozen_alone.replace("random-efficientnet-lite0, ", ""))
    monkeypatch.setattr(rows, "SUITE", path)
    actual = {row[:3]: row for row in computed(tmp_path)}
    expected = [row for row in shipped() if row[:3] in actual]
    assert len(beyond(actual, expected)) > len(expected) / 3
