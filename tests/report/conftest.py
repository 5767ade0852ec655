"""Studies by hand, empty and with a few backbones in them."""

import pytest

from tests.report.by_hand import Study


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
