"""The Ray engine: two nodes on this machine, one of which is killed midway."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnibench.engines import engines
from tests.conftest import Bench
from tests.engines.cluster_suite import CELLS, PRETRAINING, command, metrics, run_here, write_suite
from tests.waiting import HUNG_SECONDS, wait_until

SOON = {  # a node that is gone counts as lost after one second, and one that is slow never
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": int(1000 * HUNG_SECONDS),
    "health_check_failure_threshold": 2,
}


@pytest.fixture
def ray_installed() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'omnibench[ray]'")


@pytest.fixture
def cluster(ray_installed: Any) -> Iterator[Any]:
    """A head without CPUs; nodes join it in a test."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": SOON},
    )
    yield cluster
    cluster.shutdown()


def test_a_lost_node_costs_time_alone(cluster: Any, tmp_path: Path) -> None:
    # What waits for a node gives up by the clock; the driver goes on once it is there.
    nodes = [cluster.add_node(num_cpus=1, wait=False) for _ in range(2)]
    suite = write_suite(tmp_path, epochs=20)
    results = tmp_path / "ray" / "results"
    options = ("--engine", "ray", "--address", cluster.address)
    driver = subprocess.Popen(
        command("run", suite, "ray", *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    # The pretraining runs on one of them; both are killed in turn, so that it is lost.
    wait_until(lambda: list((results / "checkpoints").rglob("step-*.pt")), driver)
    cluster.remove_node(nodes[0], allow_graceful=False)
    cluster.add_node(num_cpus=1, wait=False)
    cluster.remove_node(nodes[1], allow_graceful=False)
    said = driver.communicate()[0].decode()
    assert driver.returncode == 0, said
    assert f"{PRETRAINING}: its Ray node or worker was lost (NodeDiedError)" in said
    assert f"{CELLS} of {CELLS} cells done" in said
    run_here(suite, "here")
    assert metrics(results) == metrics(tmp_path / "here")
    assert not list((results / "leases").glob("*.lease"))


def test_ctrl_c_keeps_a_checkpoint_and_lets_all_go(ray_installed: Any, tmp_path: Path) -> None:
    suite, results = write_suite(tmp_path, epochs=200), tmp_path / "ray" / "results"
    driver = subprocess.Popen(
        command("run", suite, "ray", "--engine", "ray"),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_until(lambda: list((results / "checkpoints").rglob("step-*.pt")), driver)
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal sends it
    said = driver.communicate()[1].decode()
    assert driver.returncode == 128 + signal.SIGINT, said
    assert "the same command goes on from here" in said
    assert not list((results / "leases").glob("*.lease"))


def test_without_ray_the_way_out_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines._entries, "ray", "omnibench.engines.ray:run")
    monkeypatch.delitem(sys.modules, "omnibench.engines.ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    status, _, err = bench("run", "demo", "--engine", "ray")
    assert (status, err) == (2, "error: --engine ray needs Ray: pip install 'omnibench[ray]'\n")


def test_an_address_where_nothing_answers(ray_installed: Any, bench: Bench) -> None:
    status, _, err = bench("run", "demo", "--engine", "ray", "--address", "127.0.0.1:1")
    assert status == 2
    assert "no Ray cluster answers at '127.0.0.1:1'" in err
    assert bench("run", "demo", "--address", "127.0.0.1:1")[2].startswith("error: --address is of")
