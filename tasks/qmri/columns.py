"""What the report's table of costs says of exported networks, with the machine they ran on."""

from omnibench.catalogue import register_column
from omnibench.report.columns import FurtherColumn
from omnibench.tasks.deployment.timed import machines, timed

from .options import SLICE, TIMES

for answer, head in (("onnxruntime", "ONNX Runtime"), ("torch", "torch"), ("fit", "fit")):
    for voxels, of_how_many in (("1", "1 voxel"), (str(SLICE), "a slice")):
        register_column(
            FurtherColumn(
                f"{answer}-{voxels}-voxels",
                f"{head}, {of_how_many} at a time",
                timed(TIMES, answer, voxels, "p50_us"),
                "us/voxel",
                falling=True,
                table="costs",
            )
        )
register_column(
    FurtherColumn(
        "voxels-timed-on",
        "voxels timed on",
        lambda facts: "; ".join(machines(facts, TIMES)) or None,
        table="costs",
    )
)
