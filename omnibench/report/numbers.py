"""Numbers as they are printed; a number that does not exist is never printed as one."""

import math

UNDEFINED = "undefined"
POINTS = "points"


def number(value: float, unit: str = POINTS, signed: bool = False, decimals: int = 2) -> str:
    """Return a value's decimals: of a fraction as points (x 100), of others in their own unit."""
    if not math.isfinite(value):
        return UNDEFINED
    return f"{100 * value if unit == POINTS else value:{'+' if signed else ''}.{decimals}f}"


def probability(p: float) -> str:
    """Return p with its relation, without a leading zero: "= .002", "< .001"."""
    if not math.isfinite(p):
        return UNDEFINED
    if p < 0.001:
        return "< .001"
    return f"= {p:.3f}".replace("= 0.", "= .")
