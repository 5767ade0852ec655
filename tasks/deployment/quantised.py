"""A graph whose matrix products are of int8."""

import logging
import tempfile
from pathlib import Path
from typing import Any


def quantised(model: Any) -> Any:
    """Return a graph with the weights of its matrix products as int8.

    Convolutions stay as they are: ONNX Runtime has none of int8 on every CPU.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        root = logging.getLogger()
        root.addFilter(_no_advice)  # it advises to optimise first, which is done
        try:
            quantize_dynamic(
                path, path.with_name("int8.onnx"), ["MatMul"], weight_type=QuantType.QInt8
            )
        finally:
            root.removeFilter(_no_advice)
        return onnx.load(path.with_name("int8.onnx"))


def _no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing" not in record.getMessage()
