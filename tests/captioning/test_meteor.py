"""METEOR: nltk's documented example, where WordNet is found, and what happens without it."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nltk
import numpy as np
import pytest
from nltk.corpus import LazyCorpusLoader, WordNetCorpusReader

from omnibench.catalogue import datasets, tasks
from omnibench.context import default_data
from omnibench.record import as_bytes
from omnibench.tasks.captioning import meteor as meteor_module
from omnibench.tasks.captioning.meteor import meteor
from omnibench.tasks.captioning.metrics import METRICS
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("in_process")

REFERENCE = (
    "It is a guide to action that ensures that the military will forever heed Party commands"
)
TEXT = (
    "It is a guide to action which ensures that the military always obeys the commands of the party"
)


@pytest.fixture(scope="session")
def wordnet_home(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds WordNet where `bench.py` looks; nltk follows no link out of it."""
    home = tmp_path_factory.mktemp("home")
    corpora = home / "nltk_data" / "corpora"
    corpora.mkdir(parents=True)
    shutil.copy(real_data / "wordnet" / "wordnet.zip", corpora)
    return home


@pytest.fixture
def no_wordnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No WordNet anywhere, whatever this machine has and other tests have loaded."""
    fresh = LazyCorpusLoader("wordnet", WordNetCorpusReader, None)
    monkeypatch.setattr(nltk.corpus, "wordnet", fresh)
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setenv("OMNIBENCH_DATA", str(tmp_path))
    meteor_module._say_once.cache_clear()


@pytest.fixture
def with_wordnet(wordnet_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIBENCH_DATA", str(wordnet_home))


@pytest.mark.real_data
def test_nltks_example(with_wordnet: Any) -> None:
    assert meteor([REFERENCE], [TEXT]) == pytest.approx([0.6944], abs=5e-5)


@pytest.mark.real_data
def test_by_hand(with_wordnet: Any) -> None:
    """A synonym, a stem, m of m in one run: 1 - .5 / m^3; nothing alike and nothing said: 0."""
    references = ["a car", "two masses", "one two three four", "a mass", "a mass"]
    texts = ["a auto", "two mass", "One two three four", "nothing alike", ""]
    actual = meteor(references, texts)
    assert actual == pytest.approx([1 - 1 / 16, 1 - 1 / 16, 1 - 1 / 128, 0, 0])


@pytest.mark.real_data
def test_nltk_looks_stems_up(with_wordnet: Any) -> None:
    """Not a rule of METEOR: "automobil", a stem, is no word of WordNet. `a` alone matches."""
    assert meteor(["a car"], ["a automobile"]) == pytest.approx([0.25])


@pytest.mark.real_data
def test_precision_and_recall(with_wordnet: Any) -> None:
    """2 of 4 words of the text match 2 of 3 of the reference, in two runs."""
    p, r = 2 / 4, 2 / 3
    expected = p * r / (0.9 * p + 0.1 * r) * 0.5
    assert meteor(["large left mass"], ["large cyst and mass"]) == pytest.approx([expected])


@pytest.mark.real_data
@pytest.mark.parametrize("id_", ["omnirad-captioning", "omnibench-captioning"])
def test_definitions_hold_it(with_wordnet: Any, id_: str) -> None:
    texts = np.array([REFERENCE, TEXT, "a mass"], object)
    predictions = {
        "test_reference": texts,
        "test_reference_cut": texts,
        "test_text": np.array([TEXT, "", "a mass"], object),
    }
    values = DEFINITIONS[id_].per_case(predictions)["meteor"]
    assert values == pytest.approx([0.6944, 0, 0.9375], abs=5e-5)
    assert DEFINITIONS is not None
    assert DEFINITIONS[id_].compute(predictions)["meteor"] == values.mean()


@pytest.mark.real_data
def test_wordnet_is_found_in_nltks_own_folder_by_many_threads(
    wordnet_home: Path, tmp_path: Path
) -> None:
    """In a fresh process, from the zip, without the multilingual corpus and without a network."""
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from omnibench.tasks.captioning.meteor import meteor\n"
        "words = ['car', 'mass', 'lung', 'cut', 'organ', 'run', 'left', 'small'] * 4\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    found = list(pool.map(lambda w: meteor([w], ['auto'])[0], words))\n"
        "print([w for w, value in zip(words, found) if value])\n"
    )
    places = {"NLTK_DATA": str(wordnet_home / "nltk_data"), "OMNIBENCH_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(["car"] * 4)


# Metrics of a definition share one pass, and so its functions.
DEFINITIONS: Any = {metric.definition: metric for metric in METRICS}
PLUGIN = f'''
"""A task whose one metric is METEOR."""

import numpy as np

from omnibench import DatasetCard, register_dataset, register_task
from omnibench.recipe import Recipe
from omnibench.scoring import score
from omnibench.task import Adaptation, Metric, Outcome, Task
from omnibench.tasks.captioning.meteor import meteor


class Scoring(Task):
    name = "scoring"
    own = {{"nothing": Adaptation("nothing", "nothing", "nothing", {{"small": Recipe()}})}}
    metrics = (Metric("toy/meteor", lambda p: float(meteor(*p["pair"])[0])),)

    def run(self, unit, context):
        predictions = {{"pair": np.array([["{REFERENCE}"], ["{TEXT}"]])}}
        yield Outcome(0, score(self.name, predictions), predictions)


register_task(Scoring())
register_dataset(DatasetCard(id="of-scoring", reader="nowhere:nothing", tasks=("scoring",)))
'''
SUITE = """
name: scoring
backbones: [{id: control, source: 'random:test_vit'}]
matrix: [{task: scoring, datasets: [of-scoring], adaptations: [nothing]}]
"""


@pytest.mark.real_data
def test_a_units_process_and_rescore_look_into_the_data_folder_they_are_given(
    no_wordnet: Any,
    bench: Bench,
    wordnet_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While OMNIBENCH_DATA names a folder without WordNet."""
    monkeypatch.setattr(tasks, "_entries", dict(tasks._entries))
    monkeypatch.setattr(datasets, "_entries", dict(datasets._entries))
    plugin, suite = tmp_path / "task_of_meteor.py", tmp_path / "scoring.yaml"
    plugin.write_text(PLUGIN)
    suite.write_text(SUITE)
    places = ("--plugin", plugin, "--data", wordnet_home)
    assert bench("run", suite, *places)[0] == 0
    (path,) = (tmp_path / "results").rglob("rep-0-*.json")
    record = json.loads(path.read_text())
    assert record["metrics"] == {"toy/meteor": pytest.approx(0.6944, abs=5e-5)}

    path.write_bytes(as_bytes({**record, "metrics": {}}))
    assert "1 changed" in bench("rescore", suite, *places)[1]
    assert json.loads(path.read_text())["metrics"] == record["metrics"]
    assert default_data() != wordnet_home  # neither is left behind


def test_without_wordnet_the_rest_is_computed(
    no_wordnet: Any, caplog: pytest.LogCaptureFixture
) -> None:
    texts = np.array(["a small cyst there", "no lesion is seen"], object)
    predictions = dict.fromkeys(("test_reference", "test_reference_cut", "test_text"), texts)
    with caplog.at_level(logging.INFO):
        for id_ in ("omnirad-captioning", "omnibench-captioning"):
            values: Any = DEFINITIONS[id_].compute(predictions)
            assert values is not None
            assert values.pop("meteor") is None
            assert values is not None
            assert all(value is not None for value in values.values())
            assert "meteor" not in DEFINITIONS[id_].per_case(predictions)
    (record,) = caplog.records
    assert "bench.py doctor" in record.getMessage() and record.levelno == logging.INFO


def test_a_damaged_wordnet_is_as_none(
    no_wordnet: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "nltk_data" / "corpora"
    folder.mkdir(parents=True)
    (folder / "wordnet.zip").write_bytes(b"no zip")
    with caplog.at_level(logging.INFO):
        assert meteor(["a mass"], ["a mass"]) is None
    assert len(caplog.records) == 1
