"""What the report's table of costs says of exported graphs, with the machine they ran on."""

from collections.abc import Callable
from dataclasses import replace

from omnibench.catalogue import register_column
from omnibench.report.columns import FurtherColumn, RowFacts

from .timed import machines, timed

LATENCY = "latency"


def _graph(name: str) -> Callable[[RowFacts], str | None]:
    def compute(facts: RowFacts) -> str | None:
        values = [record["notes"].get("graph", {}).get(name) for record in facts.records]
        return "; ".join(dict.fromkeys(str(value) for value in values if value)) or None

    return compute


def _cost(name: str) -> Callable[[RowFacts], float | None]:
    return lambda facts: max(facts.costs(name), default=None)


for column in (
    FurtherColumn(
        "ort-p50", "ONNX Runtime p50, 1 image", timed(LATENCY, "onnxruntime", "1", "p50_ms"), "ms"
    ),
    FurtherColumn(
        "ort-p95", "ONNX Runtime p95, 1 image", timed(LATENCY, "onnxruntime", "1", "p95_ms"), "ms"
    ),
    FurtherColumn("torch-p50", "torch p50, 1 image", timed(LATENCY, "torch", "1", "p50_ms"), "ms"),
    FurtherColumn("torch-p95", "torch p95, 1 image", timed(LATENCY, "torch", "1", "p95_ms"), "ms"),
    FurtherColumn("ort-load", "ONNX Runtime load", timed(LATENCY, "onnxruntime", "load_ms"), "ms"),
    FurtherColumn("torch-load", "torch load", timed(LATENCY, "torch", "load_ms"), "ms"),
    FurtherColumn("graph-mb", "graph", _cost("graph_mb"), "MB"),
    FurtherColumn("graph-nodes", "nodes", _cost("graph_nodes"), decimals=0),
):
    register_column(replace(column, falling=True, table="costs"))
for column in (
    FurtherColumn(
        "ort-rate",
        "ONNX Runtime, 8 at a time",
        timed(LATENCY, "onnxruntime", "8", "images_per_s"),
        "images/s",
    ),
    FurtherColumn(
        "torch-rate", "torch, 8 at a time", timed(LATENCY, "torch", "8", "images_per_s"), "images/s"
    ),
    FurtherColumn("prepared", "images are prepared", _graph("preprocess")),
    FurtherColumn("parity", "parity", _graph("verdict")),
    FurtherColumn(
        "timed-on", "timed on", lambda facts: "; ".join(machines(facts, LATENCY)) or None
    ),
):
    register_column(replace(column, table="costs"))
