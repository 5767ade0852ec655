"""What the report's table of costs says of exported graphs, with the machine they ran on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from omnibench.catalogue import register_column
from omnibench.report.columns import FurtherColumn, RowFacts


def _timed(runtime: str, batch: str, name: str) -> Callable[[RowFacts], float | None]:
    """Return what reads a time of a runtime; of records of several machines there is none."""

    def compute(facts: RowFacts) -> float | None:
        if len(_machines(facts)) != 1:
            return None
        latency: Mapping[str, Any] = facts.records[0]["cost"]["latency"]
        part = latency.get(runtime, {})
        value = part.get(name) if batch == "" else part.get(batch, {}).get(name)
        return float(value) if isinstance(value, int | float) else None

    return compute


def _machines(facts: RowFacts) -> list[str]:
    """Return the processors on which a row's latencies were measured."""
    timed = [record for record in facts.records if "latency" in record["cost"]]
    names = (str(record["environment"].get("device", "unknown")) for record in timed)
    return list(dict.fromkeys(names))


def _graph(name: str) -> Callable[[RowFacts], str | None]:
    def compute(facts: RowFacts) -> str | None:
        values = [record["notes"].get("graph", {}).get(name) for record in facts.records]
        return "; ".join(dict.fromkeys(str(value) for value in values if value)) or None

    return compute


def _cost(name: str) -> Callable[[RowFacts], float | None]:
    return lambda facts: max(facts.costs(name), default=None)


for column in (
    FurtherColumn(
        "ort-p50", "ONNX Runtime p50, 1 image", _timed("onnxruntime", "1", "p50_ms"), "ms"
    ),
    FurtherColumn(
        "ort-p95", "ONNX Runtime p95, 1 image", _timed("onnxruntime", "1", "p95_ms"), "ms"
    ),
    FurtherColumn("torch-p50", "torch p50, 1 image", _timed("torch", "1", "p50_ms"), "ms"),
    FurtherColumn("torch-p95", "torch p95, 1 image", _timed("torch", "1", "p95_ms"), "ms"),
    FurtherColumn("ort-load", "ONNX Runtime load", _timed("onnxruntime", "", "load_ms"), "ms"),
    FurtherColumn("torch-load", "torch load", _timed("torch", "", "load_ms"), "ms"),
    FurtherColumn("graph-mb", "graph", _cost("graph_mb"), "MB"),
    FurtherColumn("graph-nodes", "nodes", _cost("graph_nodes"), decimals=0),
):
    register_column(replace(column, falling=True, table="costs"))
for column in (
    FurtherColumn(
        "ort-rate",
        "ONNX Runtime, 8 at a time",
        _timed("onnxruntime", "8", "images_per_s"),
        "images/s",
    ),
    FurtherColumn(
        "torch-rate", "torch, 8 at a time", _timed("torch", "8", "images_per_s"), "images/s"
    ),
    FurtherColumn("prepared", "images are prepared", _graph("preprocess")),
    FurtherColumn("parity", "parity", _graph("verdict")),
    FurtherColumn("timed-on", "timed on", lambda facts: "; ".join(_machines(facts)) or None),
):
    register_column(replace(column, table="costs"))
