"""The example package `selfplay` on the path of its tests."""

from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "examples" / "selfplay"


@pytest.fixture(autouse=True)
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGE))
