"""A network in ONNX Runtime: its graph, its parity with torch, and the times of a voxel."""

import importlib.util
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from omnibench.catalogue import tasks
from omnibench.task import Outcome
from omnibench.tasks.deployment import latency
from omnibench.tasks.deployment.timed import machines, timed
from omnibench.tasks.qmri import exported
from omnibench.tasks.qmri.metrics import parity
from omnibench.tasks.qmri.options import TIMES
from tests.qmri.conftest import Make

FEW: dict[str, Any] = {"epochs": 3, "starts": 2, "limit": 20}


@pytest.fixture
def outcome(make: Make, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """What a short training leaves, timed in a moment."""
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    for name, value in (("WARM_UPS", 1), ("RUNS", 4)):
        monkeypatch.setattr(latency, name, value)
    monkeypatch.setattr(exported, "SLICE", 8)
    unit, context = make("mlp", recipe=FEW, runtime="onnx")
    [outcome] = tasks.get("qmri").run(unit, context)
    return outcome


def test_three_implementations_agree_on_the_graph_beside_the_record(
    make: Make, outcome: Outcome
) -> None:
    import onnx
    from onnx.reference import ReferenceEvaluator

    from omnibench.data.subset import unit_dataset
    from omnibench.tasks.qmri.runner import flat, voxels_of

    assert outcome.metrics["onnx-parity/passed"] == 1
    model = onnx.load_from_string(outcome.files["onnx"])
    onnx.checker.check_model(model, full_check=True)
    signals = flat(voxels_of(unit_dataset(*make("mlp", recipe=FEW)), "test").signals)
    estimates: Any
    [estimates] = ReferenceEvaluator(model).run(None, {exported.SIGNALS: signals})
    for name in ("test_estimates", "test_torch_estimates"):
        expected = outcome.predictions[name].reshape(estimates.shape)
        bound = 1e-4 * np.abs(expected).max(axis=0)
        assert (bound > 0).all()
        assert (np.abs(estimates - expected) <= bound).all()
    assert outcome.notes["graph"]["verdict"].startswith("equal to torch: estimates differ by up to")
    times = outcome.cost[TIMES]
    assert {name: [*own] for name, own in times.items()} == {
        "onnxruntime": ["1", "8"],
        "torch": ["1", "8"],
        "fit": ["8"],
    }
    assert 0 < times["fit"]["8"]["p50_low_us"] <= times["fit"]["8"]["p95_us"]


def test_parity_is_of_each_parameters_largest_estimate() -> None:
    rng = np.random.default_rng(0)
    torch = rng.uniform(0.5, 1, (5, 3, 4)) * np.array([1, 0.3, 2, 100])
    for place, share, passed in ((1, 0.9e-4, 1), (1, 1.1e-4, 0), (3, 1.1e-4, 0)):
        own = torch.copy()
        own[2, 1, place] += share * torch[..., place].max()
        metrics = parity({"test_estimates": own, "test_torch_estimates": torch})
        assert metrics["max-rel-parameter"] == pytest.approx(share)
        assert metrics["passed"] == passed
    assert parity({"test_estimates": torch}) == {}  # torch alone answered
    zero = parity({"test_estimates": 0 * torch, "test_torch_estimates": 0 * torch})
    assert zero == {"passed": 1, "max-rel-parameter": None}


def test_a_graph_that_is_not_equal_is_a_doubt() -> None:
    metrics = {"onnx-parity/passed": 0.0, "onnx-parity/max-rel-parameter": 0.25}
    graph = {"verdict": "not equal to torch: estimates differ by up to 2.5e-01"}
    [doubt] = tasks.get("qmri").doubts([{"metrics": metrics, "notes": {"graph": graph}}], 125)
    assert doubt == f"the exported graph is {graph['verdict']}"


def test_absent_packages_are_refused_by_the_plan(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    unit, _ = make(runtime="onnx")
    [sentence] = tasks.get("qmri").refusals(unit, {})
    assert "onnxruntime, onnxscript not installed; run `pip install 'omnibench[onnx]'`" in sentence
    assert list(tasks.get("qmri").refusals(make()[0], {})) == []


def test_times_of_several_machines_are_not_averaged() -> None:
    def facts(*devices: str) -> Any:
        records = [
            {
                "cost": {TIMES: {"torch": {"1": {"p50_us": 10.0 + k}}}},
                "environment": {"device": device},
            }
            for k, device in enumerate(devices)
        ]
        return SimpleNamespace(records=[*records, {"cost": {}, "environment": {"device": "c"}}])

    read = timed(TIMES, "torch", "1", "p50_us")
    assert read(facts("a", "a", "a")) == 11
    assert read(facts("a", "b")) is None
    assert timed(TIMES, "fit", "1", "p50_us")(facts("a")) is None
    assert machines(facts("a", "b"), TIMES) == ["a", "b"]
