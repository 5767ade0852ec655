"""Findings of `check` and `doctor`: PASS, WARN or FAIL, with the fix."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["PASS", "WARN", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do."""

    name: str
    verdict: Verdict
    message: str
    fix: str = ""

    def __str__(self) -> str:
        fix = f" -> {self.fix}" if self.fix else ""
        return f"{self.verdict}  {self.name}: {self.message}{fix}"


def passed(name: str, good: bool, message: str, fix: str) -> Finding:
    """PASS, or FAIL with the fix."""
    return Finding(name, "PASS" if good else "FAIL", message, "" if good else fix)
