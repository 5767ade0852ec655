"""Which operator sets of ONNX graphs are written in. No torch here."""

OLDEST = 18  # that torch writes


def opset_refusal(opset: int) -> str:
    """Return the sentence that refuses an operator set older than torch writes; "" for none."""
    if opset >= OLDEST:
        return ""
    return f"opset {opset} is too old: torch writes graphs of opset {OLDEST} and later; use those"
