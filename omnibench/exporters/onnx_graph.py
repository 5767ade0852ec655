"""A network as an ONNX graph, and the preprocessing of images as nodes before it."""

import logging
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn

from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError, one_line
from omnibench.exporters.opset import OLDEST, opset_refusal

IMAGES, PIXELS, OUTPUTS = "images", "pixels", "outputs"
LARGEST = 2 * 2**30  # bytes of a graph with its weights, which the format can hold
BATCH = 2  # of the inputs that a network is traced with; one would be taken for a constant
INSTALL = "pip install 'omnibench[onnx]'"


def require_onnx() -> None:
    """Be sure that what makes and runs graphs is installed.

    Raises:
        RequestError: naming the extra.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise RequestError(
            f"a graph of ONNX is made and run by packages of an extra; run `{INSTALL}`"
        ) from None


def to_onnx(
    network: nn.Module,
    shape: tuple[int, ...],
    name: str,
    opset: int = OLDEST,
    inputs: str = PIXELS,
) -> Any:
    """Return a network as an onnx.ModelProto, of float32 [batch, *shape].

    Args:
        shape: of one input: (3, size, size) of pixels.
        name: of the network, for messages.
        inputs: what the graph calls them.

    Raises:
        RequestError: an operator that ONNX lacks, an operator set that is too old or too new, or
            a network beyond the format's size.
    """
    require_onnx()
    from onnx import checker

    if refusal := opset_refusal(opset):
        raise RequestError(f"{name}: {refusal}")
    device = next(network.parameters()).device
    example = torch.zeros(BATCH, *shape, device=device)
    try:
        with torch.no_grad(), warnings.catch_warnings(), _silenced():
            warnings.simplefilter("ignore")  # of torch's own making
            # By itself, since torch.onnx would go on with a network of one batch size alone.
            traced = torch.export.export(
                network.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)
            )
            program = torch.onnx.export(
                traced,
                dynamo=True,
                opset_version=opset,
                input_names=[inputs],
                output_names=[OUTPUTS],
                verbose=False,
            )
            assert program is not None  # as of `dynamo`
            model: Any = program.model_proto
    except Exception as error:  # whatever a network's own code says to being traced
        raise RequestError(
            f"{name} cannot be written as a graph of ONNX ({_cause(error)}); leave it out, or "
            "change the layer that is named"
        ) from error
    written = max(own.version for own in model.opset_import if own.domain == "")
    if written != opset:
        raise RequestError(
            f"{name}: the installed packages write opset {written} where {opset} is asked for; "
            f"use opset {written}"
        )
    if (bytes_of := model.ByteSize()) > LARGEST:
        raise RequestError(
            f"{name}: its graph has {bytes_of / 2**30:.1f} GiB, and a file of ONNX holds 2 at most"
        )
    checker.check_model(model, full_check=True)
    return model


class _silenced:  # noqa: N801 - used as a function
    """Keep what torch's exporter and its optimiser log off the screen; what fails is raised."""

    LOGGERS = tuple(logging.getLogger(name) for name in ("torch.onnx", "onnxscript"))

    def __enter__(self) -> None:
        self.levels = [logger.level for logger in self.LOGGERS]
        for logger in self.LOGGERS:
            logger.setLevel(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        for logger, level in zip(self.LOGGERS, self.levels, strict=True):
            logger.setLevel(level)


def _cause(error: BaseException) -> str:
    """Return the first line of what an error stems from."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {one_line(Exception(lines[0] if lines else ''))[:300]}"


def with_preprocessing(model: Any, preprocess: Preprocess) -> Any:
    """Return a graph of `images` uint8 [batch, height, width, 1 or 3] that prepares its pixels.

    Bilinear resizing with antialiasing is written as two matrix products, whose filters come from
    the size of the images: ONNX Runtime's own `Resize` with `antialias` is off by up to 13 grey
    levels where images get smaller (1.32), and other runtimes have none.
    """
    from onnx import TensorProto, checker, compose, helper, numpy_helper

    size = preprocess.size
    channels = np.array([preprocess.mean, preprocess.std], np.float32)[:, None, :, None, None] * 255
    values = {
        "mean": channels[0],
        "std": channels[1],
        "centres": np.arange(size, dtype=np.float32)[:, None] + np.float32(0.5),
        "size": np.float32(size),
        "half": np.float32(0.5),
        "float-one": np.float32(1),
        "zero": np.int64(0),
        "one": np.int64(1),
        "last-axis": np.array([1], np.int64),
        "axis-rows": np.int64(2),
        "axis-columns": np.int64(3),
    }
    node = helper.make_node
    nodes = [
        node("Transpose", [IMAGES], ["planes"], perm=[0, 3, 1, 2]),
        node("Cast", ["planes"], ["grey"], to=TensorProto.FLOAT),
        node("Shape", ["grey"], ["shape"]),
        *(step for axis in ("rows", "columns") for step in _filter(axis)),
        node("Transpose", ["filter-columns"], ["filter-columns-t"], perm=[1, 0]),
        node("MatMul", ["grey", "filter-columns-t"], ["narrowed"]),
        node("MatMul", ["filter-rows", "narrowed"], ["resized"]),
        node("Sub", ["resized", "mean"], ["centred"]),
        node("Div", ["centred", "std"], ["prepared"]),
    ]
    shape = ["batch", "height", "width", "channels"]
    graph = helper.make_graph(
        nodes,
        "preprocessing",
        [helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("prepared", TensorProto.FLOAT, ["batch", 3, size, size])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    opset = max(own.version for own in model.opset_import if own.domain == "")
    before = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=model.ir_version
    )
    before = compose.add_prefix(before, "prepare/", rename_inputs=False)
    whole = compose.merge_models(before, model, io_map=[("prepare/prepared", PIXELS)])
    del whole.opset_import[:]  # both graphs' own, of which ONNX Runtime quantises none
    whole.opset_import.extend(model.opset_import)
    checker.check_model(whole, full_check=True)
    return whole


def _filter(axis: str) -> list[Any]:
    """Return the nodes that make `filter-AXIS` [size, n]: a triangle around each new pixel.

    Its half width is the larger of an old and a new pixel, and its weights sum to 1, as in Pillow.
    """
    from onnx import TensorProto, helper

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return helper.make_node(kind, inputs, [f"{output}-{axis}"], **attributes)

    return [
        node("Gather", ["shape", f"axis-{axis}"], "count"),
        node("Range", ["zero", f"count-{axis}", "one"], "place"),
        node("Cast", [f"place-{axis}"], "start", to=TensorProto.FLOAT),
        node("Add", [f"start-{axis}", "half"], "old"),
        node("Cast", [f"count-{axis}"], "length", to=TensorProto.FLOAT),
        node("Div", [f"length-{axis}", "size"], "scale"),
        node("Mul", ["centres", f"scale-{axis}"], "new"),
        node("Sub", [f"old-{axis}", f"new-{axis}"], "offset"),
        node("Abs", [f"offset-{axis}"], "distance"),
        node("Max", [f"scale-{axis}", "float-one"], "support"),
        node("Div", [f"distance-{axis}", f"support-{axis}"], "share"),
        node("Sub", ["float-one", f"share-{axis}"], "slope"),
        node("Relu", [f"slope-{axis}"], "weight"),
        node("ReduceSum", [f"weight-{axis}", "last-axis"], "sum", keepdims=1),
        node("Div", [f"weight-{axis}", f"sum-{axis}"], "filter"),
    ]


def session(model: bytes, threads: int = 1) -> Any:
    """Return ONNX Runtime's session of a graph, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors alone
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
