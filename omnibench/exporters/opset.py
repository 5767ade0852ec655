"""What graphs of ONNX need: packages, and an operator set that torch writes. No torch here."""

import importlib.util

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
OLDEST = 18  # that torch writes


def packages_refusal() -> str:
    """Return the sentence that refuses a graph where packages are absent; "" for none."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if not absent:
        return ""
    return f"{', '.join(absent)} not installed; run `pip install 'omnibench[onnx]'`"


def opset_refusal(opset: int) -> str:
    """Return the sentence that refuses an operator set older than torch writes; "" for none."""
    if opset >= OLDEST:
        return ""
    return f"opset {opset} is too old: torch writes graphs of opset {OLDEST} and later; use those"
