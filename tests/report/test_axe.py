"""The page by axe-core's rules of accessibility, in both themes and on both widths."""

import importlib.util
import json
from pathlib import Path

import pytest

from tests.report.browser import Browser

PACKAGE = importlib.util.find_spec("axe_core_python")  # a carrier of the script alone
RUN = (
    "axe.run(document, {resultTypes: ['violations']}).then(results => JSON.stringify("
    "results.violations.map(({id, nodes}) => [id, nodes.slice(0, 2).map(node => node.html)])))"
)


@pytest.mark.skipif(PACKAGE is None, reason="axe-core-python is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_rule_of_accessibility_is_violated(browser: Browser, width: int, scheme: str) -> None:
    assert PACKAGE is not None and PACKAGE.origin is not None
    axe = (Path(PACKAGE.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    browser.prefer(scheme)
    browser.resize(width, 844, mobile=width < 600)
    browser.run("for (const part of document.querySelectorAll('details')) part.open = true")
    browser.run("document.querySelector('td[tabindex]').focus()")  # with a tip
    browser.run(f"{axe};0")
    assert json.loads(browser.run(RUN)) == []
