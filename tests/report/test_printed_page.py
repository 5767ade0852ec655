"""The page on paper, and in a browser without a script."""

import base64
import re
from pathlib import Path

from tests.report.browser import Browser

SHOWN = "[...document.querySelectorAll('{}')].filter(e => e.checkVisibility()).length"


def test_paper_has_no_tip_no_controls_and_no_dark_ground(browser: Browser) -> None:
    browser.prefer("dark")
    browser.point("#theme", click=True)
    browser.point("#theme", click=True)
    browser.point("#t1 td[data-details]")
    assert browser.run(SHOWN.format("#tip")) == 1
    browser("Emulation.setEmulatedMedia", media="print")
    for controls in ("#tip", "nav", "#theme", "#selectors", ".tools", "#copy", ".hint"):
        assert browser.run(SHOWN.format(controls)) == 0, controls
    ground = "getComputedStyle(document.body).backgroundColor"
    assert browser.run(ground) == "rgb(255, 255, 255)"
    assert browser.run(SHOWN.format("details:not([open])")) == 0
    assert browser.run(SHOWN.format("#t1 tbody tr")) == 10
    browser("Emulation.setEmulatedMedia", media="")


def test_a_small_study_prints_on_few_pages(browser: Browser) -> None:
    pdf = base64.b64decode(browser("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 12


def test_without_a_script_all_is_readable_and_no_control_is_dead(
    browser: Browser, report: Path
) -> None:
    browser("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(report)
    browser("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.run("document.documentElement.classList.contains('scripted')") is False
    assert browser.run(SHOWN.format("#t1 tbody tr")) == 10
    for controls in ("#selectors", "#theme", "#copy", ".tools", ".more", "#tip"):
        assert browser.run(SHOWN.format(controls)) == 0, controls
    assert browser.run(SHOWN.format(".line")) > 0
    browser("Emulation.setScriptExecutionDisabled", value=False)
