"""The package `progression`: dynamics against scipy, simulations recovered, and its command."""

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from progression import NEEDS, Progression, over_patients, per_patient
from progression_dynamics import DYNAMICS, STEP, YEARS, Diffusion, Fkpp, StagedExperts
from progression_trial import Cohort, ProgressionTrial, at, cohorts_of
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.stats import spearmanr
from sklearn.metrics import r2_score
from torch import Tensor

import omnibench
from omnibench.catalogue import tasks
from omnibench.data.phantom.longitudinal import LOAD, SEED, graph, loads
from omnibench.errors import DataError, NumericError
from tests.systems import run_and_report

REGIONS = 16


def laplacian_of(edges: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    laplacian: np.ndarray[Any, Any] = np.diag(edges.sum(axis=1)) - edges
    return laplacian


def start() -> Tensor:
    return torch.linspace(0.05, 0.9, REGIONS)


@pytest.fixture(scope="module")
def laplacians() -> Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(np.array([laplacian_of(graph(random)) for _ in range(2)])).float()


def test_diffusion_is_scipys_matrix_exponential(laplacians: Tensor) -> None:
    dynamics = Diffusion(start())
    curve = dynamics.curve(laplacians)
    assert len(curve) == YEARS / STEP + 1
    k = dynamics.log_k.exp().item()
    for step in (0, 7, 28):
        for patient, laplacian in enumerate(laplacians.numpy()):
            expected = expm(-k * step * STEP * laplacian) @ start().numpy()
            np.testing.assert_allclose(curve[step, patient].detach(), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["fkpp", "ode", "ignd-moe"])
def test_curves_are_those_of_scipys_integrator(name: str, laplacians: Tensor) -> None:
    torch.manual_seed(0)
    dynamics = DYNAMICS[name](start())
    with torch.no_grad():
        for parameter in list(dynamics.parameters())[1:]:
            parameter.add_(0.1 * torch.randn_like(parameter))
    curve = dynamics.curve(laplacians)

    def rate(t: float, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        column = torch.from_numpy(x).float()[None, :, None]
        array: np.ndarray[Any, Any] = dynamics.rate(column, t, laplacians[:1]).detach().numpy()
        return array[0, :, 0]

    times = np.arange(len(curve)) * STEP
    solution = solve_ivp(rate, (0, YEARS), start().numpy(), t_eval=times, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(curve[:, 0].detach(), solution.y.T, atol=2e-3)


def test_diffusion_that_depends_on_states_flows_along_edges_and_loses_nothing(
    laplacians: Tensor,
) -> None:
    torch.manual_seed(0)
    dynamics = StagedExperts(start())
    for parameter in dynamics.diffusivity.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.rand(2, REGIONS, 1)
    k = torch.nn.functional.softplus(dynamics.diffusivity(x)).detach()
    rate = (dynamics.rate(x, 3.0, laplacians) / dynamics.weights(3.0)[0]).detach()
    torch.testing.assert_close(rate.sum(dim=1), torch.zeros(2, 1), atol=1e-4, rtol=0)
    for i in range(REGIONS):
        flow = sum(
            -laplacians[0, i, j] * (k[0, i, 0] + k[0, j, 0]) / 2 * (x[0, j, 0] - x[0, i, 0])
            for j in range(REGIONS)
            if j != i
        )
        assert float(rate[0, i, 0]) == pytest.approx(float(flow), abs=1e-4)
    assert dynamics.weights(3.0).sum().item() == pytest.approx(1)


def test_states_between_steps_lie_on_the_line_between_them() -> None:
    curve = torch.arange(3.0)[:, None, None] * torch.tensor([[[1.0, 10.0]], [[1.0, 10.0]]][:1])
    own = SimpleNamespace(patient=torch.tensor([0, 0]), times=torch.tensor([0.0, STEP / 2]))
    states = at(curve, own, torch.tensor([STEP / 4]))  # type: ignore[arg-type]
    torch.testing.assert_close(states, torch.tensor([[0.25, 2.5], [0.75, 7.5]]))


def simulated(states_of: Any, patients: int) -> Cohort:
    """Return patients of four visits each, whose states are those of a simulation."""
    random = np.random.default_rng(0)
    times = np.append(np.zeros((patients, 1)), random.uniform(0.8, 2, (patients, 3)).cumsum(1), 1)
    onset = -random.uniform(0, 7, patients)
    edges = [graph(random) for _ in range(patients)]
    states = np.concatenate(
        [
            states_of(own, visits - begun)
            for own, visits, begun in zip(edges, times, onset, strict=True)
        ]
    )
    arrays = (times.ravel(), np.arange(patients).repeat(4), 4 * np.arange(patients) + 3)
    laplacian = np.array([laplacian_of(own) for own in edges])
    parts = (*arrays, states, states, laplacian, onset)
    tensors = [torch.from_numpy(part) for part in parts]
    return Cohort(*(part.float() if part.is_floating_point() else part for part in tensors))


def trained(name: str, cohort: Cohort, steps: int) -> ProgressionTrial:
    """Return a trial after some steps on all patients."""
    torch.manual_seed(0)
    unit: Any = SimpleNamespace(recipe={}, adaptation=name)
    context: Any = SimpleNamespace(device="cpu")
    data: Any = None
    trial = ProgressionTrial(unit, context, ({"train": cohort, "test": cohort}, data, {}))
    rows = torch.arange(trial.count)
    batch: Any = SimpleNamespace(rows=rows, whole=rows)
    optimiser = torch.optim.AdamW(trial.model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        trial.loss(batch).backward()
        optimiser.step()
        schedule.step()
    return trial


def test_rates_and_onsets_that_were_simulated_are_recovered() -> None:
    k, a = 0.15, 0.8

    def states(edges: np.ndarray[Any, Any], times: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        laplacian = laplacian_of(edges)
        begun = LOAD * np.eye(REGIONS)[SEED]
        solved = solve_ivp(
            lambda t, x: a * x * (1 - x) - k * laplacian @ x, (0, times[-1]), begun, t_eval=times
        )
        solution: np.ndarray[Any, Any] = solved.y.T
        return solution

    cohort = simulated(states, 40)
    trial = trained("fkpp", cohort, 60)
    assert isinstance(trial.model, Fkpp)
    assert trial.model.log_k.exp().item() == pytest.approx(k, rel=0.15)
    assert trial.model.log_a.exp().item() == pytest.approx(a, rel=0.1)
    begun, _ = trial.forecast("test")
    assert spearmanr(-begun, cohort.onset).statistic > 0.95


def test_the_dominant_expert_switches_from_diffusion_to_reaction_as_simulated() -> None:
    cohort = simulated(loads, 20)
    trial = trained("ignd-moe", cohort, 40)
    assert isinstance(trial.model, StagedExperts)
    early, late = (trial.model.weights(t).tolist() for t in (YEARS / 6, YEARS * 5 / 6))
    assert early[0] == max(early)
    assert late[1] == max(late)
    begun, _ = trial.forecast("test")
    assert spearmanr(-begun, cohort.onset).statistic > 0.95


@pytest.mark.parametrize(("rate", "stable"), [(0.5, True), (8.0, False), (1e9, False)])
def test_rates_beyond_the_integrators_steps_fail(rate: float, stable: bool) -> None:
    cohort = simulated(loads, 8)
    trial = trained("fkpp", cohort, 0)
    trial.data = SimpleNamespace(splits={"test": SimpleNamespace(studies=np.arange(8))})  # type: ignore[assignment]
    with torch.no_grad():
        trial.model.log_a.fill_(math.log(rate))  # type: ignore[operator]
    if stable:
        assert np.isfinite(trial.predict()["test_predicted"]).all()
        return
    with pytest.raises(NumericError, match=r"halved steps change a state by .*; lower lr"):
        trial.predict()


VISITS = {"train": 2, "val": 2, "test": 2}
SHAPES = {"loads": [16], "graph": [16, 16], "onset": []}


@pytest.mark.parametrize(
    ("facts", "refused"),
    [
        ({}, False),
        ({"visits": {}, "numbers": {}}, False),  # not looked at
        ({"visits": VISITS, "numbers": SHAPES}, False),
        ({"visits": {**VISITS, "test": 1}, "numbers": SHAPES}, True),
        ({"visits": VISITS, "numbers": {"loads": [16]}}, True),
    ],
)
def test_what_a_local_dataset_lacks_is_refused_by_plan(facts: Any, refused: bool) -> None:
    unit: Any = None
    assert [*Progression().refusals(unit, facts)] == [NEEDS] * refused


@pytest.mark.parametrize("fault", ["one visit", "no square", "long"])
def test_what_does_not_fit_the_axis_or_the_graph_is_refused(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions, random = 15 if fault == "no square" else 4, np.random.default_rng(0)
    split = omnibench.Split(
        omnibench.ArrayImages(np.zeros((4, 8, 8), np.uint8)),
        {"loads": omnibench.Numbers(random.random((4, regions)))},
        study=np.array(["a", "a", "b", "c" if fault == "one visit" else "b"]),
        place=np.array([0, 1, 0, 7 if fault == "long" else 2.0]),
    )
    count = len(split.studies)
    graphs = omnibench.Numbers(np.ones((count, regions, regions)))
    split = replace(split, by_study={"graph": graphs, "onset": omnibench.Numbers(np.zeros(count))})
    card = omnibench.DatasetCard(id="mine", reader="a:b", tasks=("progression",))
    data = omnibench.Dataset(card, dict.fromkeys(("train", "val", "test"), split))
    level = torch.rand(4, 3, 2, 2)
    maps = SimpleNamespace(read=lambda name, rows: [level[rows]])
    monkeypatch.setattr(omnibench, "unit_dataset", lambda *_: data)
    monkeypatch.setattr(omnibench, "unit_maps", lambda *_: maps)
    unit: Any = None
    with pytest.raises(DataError, match="train of mine: it takes"):
        cohorts_of(unit, SimpleNamespace(device="cpu"))  # type: ignore[arg-type]


def test_what_this_module_imports_is_registered_for_no_test() -> None:
    assert over_patients.__module__ == "progression"
    assert "progression" not in tasks


def test_metrics_are_those_of_sklearn_and_of_onsets_whose_origin_is_free() -> None:
    random = np.random.default_rng(0)
    predicted, truth = random.random((2, 5, REGIONS))
    onset = random.random(5)
    predictions = {"test_predicted": predicted, "test_truth": truth}
    assert over_patients(predictions)["r2"] == pytest.approx(
        r2_score(truth.ravel(), predicted.ravel())
    )
    assert "onset-error" not in per_patient(predictions)
    shifted = {**predictions, "test_onset": onset + 3, "test_true_onset": onset}
    assert per_patient(shifted)["onset-error"] == pytest.approx(np.zeros(5))


@pytest.mark.systems
def test_the_command_runs_and_reports_dynamics_beside_persistence(tmp_path: Path) -> None:
    results = run_and_report("progression", tmp_path)
    records = [json.loads(path.read_text()) for path in results.glob("records/**/rep-*.json")]
    metrics = {record["spec"]["adaptation"]: record["metrics"] for record in records}
    diffusion, persistence = metrics["diffusion"], metrics["persistence"]
    assert diffusion["progression/spearman"] > persistence["progression/spearman"]
    assert diffusion["progression/onset-error"] > 0
    assert "progression/onset-error" not in persistence
    [path] = results.glob("reports/**/progression.md")
    report = path.read_text()
    assert "| Random ViT-nano/16 | diffusion |" in report
    assert "| Random ViT-nano/16 | persistence |" in report
