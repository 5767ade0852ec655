"""Numbers as they are printed; a number that does not exist is never printed as one."""

import math

UNDEFINED = "undefined"


def points(fraction: float, signed: bool = False) -> str:
    """Return a fraction as points (x 100) with two decimals."""
    if not math.isfinite(fraction):
        return UNDEFINED
    return f"{100 * fraction:{'+' if signed else ''}.2f}"


def probability(p: float) -> str:
    """Return p with its relation, without a leading zero: "= .002", "< .001"."""
    if not math.isfinite(p):
        return UNDEFINED
    if p < 0.001:
        return "< .001"
    return f"= {p:.3f}".replace("= 0.", "= .")
