"""Studies by hand, empty and with a few backbones in them; a report's page in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.browser import Browser, installed
from tests.report.by_hand import Study
from tests.report.page_records import Results


@pytest.fixture
def study() -> Study:
    return Study()


@pytest.fixture
def demo(study: Study) -> Study:
    """One table: two datasets, three backbones, one of them significant, one cell failed."""
    study.add("random-vit", [0.5, 0.52, 0.54]).add("random-vit", [0.6] * 3, dataset="e")
    study.add("good", [0.9, 0.91, 0.95]).add("good", [0.7], adaptation="knn")
    study.add("fair", [0.8, 0.82])
    study.compare("good", p=0.001, p_corrected=0.002, low=0.045, high=0.201, difference=0.123)
    study.compare("fair", p=0.2, p_corrected=0.2, low=-0.1, high=0.3)
    for name, states in (("random-vit", ["done"] * 3), ("good", ["done"] * 3)):
        study.ask(name, states)
    study.ask("fair", ["done", "done", "missing"]).ask("good", ["done"], adaptation="knn")
    study.ask("random-vit", ["done"] * 3, "e").ask("good", ["failed", "missing", "missing"], "e")
    return study


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small results folder."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        Results(folder, patch).report()
    return folder / "reports" / "report.html"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if installed() is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on the path")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser, report: Path) -> Iterator[Browser]:
    """A page just opened; at the end it must have been quiet and must have asked for nothing."""
    chromium.resize(1280, 900)
    chromium.prefer("light")
    chromium("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
    chromium.open(report)
    yield chromium
    assert chromium.run("document.querySelectorAll('script').length") == 2
    assert chromium.complaints() == []
    assert {address.partition("#")[0] for address in chromium.requests()} == {report.as_uri()}
