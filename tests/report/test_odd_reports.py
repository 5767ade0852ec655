"""Reports of one unit, of attacking names and of records of a newer version."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from omnibench.errors import RequestError
from omnibench.record import SCHEMA, as_bytes
from omnibench.report.gather import gather
from omnibench.report.latex import breakable
from omnibench.report.screen import screen
from omnibench.states import states
from omnibench.terminal import printable
from tests.report.page_records import ATTACK, Results


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    return Results(tmp_path, monkeypatch)


def test_a_report_of_one_unit_has_its_mean_and_claims_no_lead(results: Results) -> None:
    units = [unit for unit in results.units if unit.name.endswith("good/knn")]
    study = gather(results.suite, states(units, results.store), results.store)  # type: ignore[arg-type]
    (answer,) = study.answers
    assert answer.headline == "One backbone alone has results."
    (contest,) = answer.contests
    assert contest.claim.startswith("good alone has a result: macro-f1 ")
    assert [table.title for table in study.tables] == ["classification: dots"]
    assert [texts[0] for texts in study.tables[0].texts] == ["good", "chance"]
    assert len(screen("s", study.answers, 60)) < 10


def test_attacking_names_are_escaped_on_terminals_and_in_latex(results: Results) -> None:
    study = gather(results.suite, states(results.units, results.store), results.store)  # type: ignore[arg-type]
    card = study.backbones[1].model_copy(update={"display": f"{ATTACK}\x1b[2J"[:60]})
    changed = replace(study, backbones=[study.backbones[0], card], states=[])
    assert changed.named("good").startswith("</script>")
    (answer, *_) = changed.answers
    lines = screen("s", [answer], 100)
    assert "\x1b" not in "".join(map(printable, lines))
    assert r"\textless{}/script\textgreater{}" in breakable(answer.headline)


def test_records_of_a_newer_version_are_named_where_nothing_else_is_there(
    results: Results,
) -> None:
    for path in results.folder.rglob("rep-*.json"):
        record = json.loads(path.read_text())
        path.write_bytes(as_bytes({**record, "schema": SCHEMA + 1}))
    with pytest.raises(RequestError, match=r"no finished cell .* newer omnibench"):
        results.report()


def test_a_suite_whose_cells_have_all_failed_is_to_be_tried_again(results: Results) -> None:
    failed = [unit for unit in results.units if (unit.backbone.id, unit.short) == ("lost", "full")]
    results.units = failed
    with pytest.raises(RequestError, match=r"all have failed: .* --retry-failed"):
        results.report()
