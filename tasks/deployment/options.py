"""The options of `onnx`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from omnibench.exporters.opset import OLDEST, opset_refusal


def _opset(number: int) -> int:
    if refusal := opset_refusal(number):
        raise ValueError(refusal)
    return number


class OnnxOptions(BaseModel):
    """Options of `onnx`.

    Attributes:
        opset: ONNX's set of operators.
        precision: of the graph's weights: as torch has them, or those of matrix products as int8
            whose inputs are quantised as they come (ONNX Runtime's dynamic quantisation).
        threads: of torch and of ONNX Runtime, where they are timed.
        batches: how many images are given at a time, where they are timed.
        preprocess: where images are resized and normalised: in the graph, or outside of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    opset: Annotated[int, AfterValidator(_opset)] = OLDEST
    precision: Literal["fp32", "int8"] = "fp32"
    threads: Annotated[int, Field(gt=0)] = 1
    batches: Annotated[
        tuple[Annotated[int, Field(gt=0, le=512)], ...], Field(min_length=1, max_length=8)
    ] = (1, 8)
    preprocess: Literal["in-graph", "outside"] = "in-graph"
