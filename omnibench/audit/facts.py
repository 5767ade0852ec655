"""Hold what a reader says of a published table that the table itself does not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from omnibench.audit.published import Row, in_order
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean

SPREADS = ("std", "se", "ci")
UNITS = ("percent", "fraction")


@dataclass(frozen=True)
class Facts:
    """What stands for what a table leaves out.

    Attributes:
        n: repetitions behind each number.
        images: test images of all datasets under "", or by a dataset's name.
        own: globs of the models that are the study's own.
        metric, unit: of every number that has none.
        spread: what stands behind ± or in brackets: "std", "se" or "ci"; "" where that is not said.
    """

    n: int | None = None
    images: Mapping[str, int] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    metric: str = ""
    unit: str = ""
    spread: str = ""

    @classmethod
    def from_options(
        cls,
        n: int | None,
        images: Iterable[str],
        own: Iterable[str],
        metric: str | None,
        unit: str | None,
        spread: str | None,
    ) -> "Facts":
        """Read the options of the command.

        Raises:
            RequestError: one is not what it must be, named as it is typed.
        """
        if n is not None and n < 1:
            raise RequestError(f"--n: {n} is not a whole number from 1")
        for name, text, choices in (("unit", unit, UNITS), ("spread", spread, SPREADS)):
            if text is not None and text not in choices:
                raise RequestError(f"--{name}: '{text}' is not one of {', '.join(choices)}")
        return cls(n, _images(images), tuple(own), metric or "", unit or "", spread or "")

    def images_of(self, dataset: str) -> int | None:
        """Return the test images of a dataset; None where that is not said."""
        return self.images.get(dataset, self.images.get(""))


def completed(rows: Iterable[Row], facts: Facts) -> tuple[list[Row], list[str]]:
    """Return rows with the facts in place of what they leave out, and what that was, in words.

    Raises:
        RequestError: a dataset or a model that an option names stands in no row.
    """
    rows = list(rows)
    datasets = in_order(row.dataset for row in rows)
    for name in facts.images:
        if name and name not in datasets:
            raise RequestError(
                f"--test-images: there is no dataset '{name}'{did_you_mean(name, datasets)}"
            )
    models = in_order(row.model for row in rows)
    for pattern in facts.own:
        if not any(fnmatchcase(model, pattern) for model in models):
            raise RequestError(
                f"--own: no model is called '{pattern}'{did_you_mean(pattern, models)}"
            )
    sentences = []
    if facts.n is not None and any(row.n is None for row in rows):
        sentences.append(f"n = {facts.n} where the table states no n (--n)")
        rows = [replace(row, n=facts.n) if row.n is None else row for row in rows]
    if facts.images and any(row.test_images is None for row in rows):
        sentences.append(
            "test images where the table states none (--test-images): "
            + ", ".join(f"{name or 'each dataset'} {count}" for name, count in facts.images.items())
        )
        rows = [
            replace(row, test_images=facts.images_of(row.dataset))
            if row.test_images is None
            else row
            for row in rows
        ]
    if facts.own:
        owned = [name for name in models if any(fnmatchcase(name, own) for own in facts.own)]
        sentences.append(f"the study's own are {', '.join(owned)} (--own)")
        rows = [
            replace(row, role="own" if row.model in owned else _not_own(row.role)) for row in rows
        ]
    if facts.unit and any(not row.unit_given for row in rows):
        sentences.append(f"numbers without a unit are in {facts.unit} (--unit)")
        rows = [
            row if row.unit_given else replace(row, unit=facts.unit, unit_given=True)
            for row in rows
        ]
    return rows, sentences


def unused(facts: Facts, sentences: Iterable[str]) -> list[str]:
    """Return a sentence for each option that no sentence on what was assumed names."""
    options = {
        "--n": facts.n, "--test-images": facts.images, "--own": facts.own,
        "--metric": facts.metric, "--unit": facts.unit, "--spread": facts.spread,
    }  # fmt: skip
    everything = " ".join(sentences)
    return [
        f"{option} changes nothing: the tables say it themselves, or have no use for it"
        for option, value in options.items()
        if value and f"({option})" not in everything
    ]


def _not_own(role: str) -> str:
    return "rerun" if role == "own" else role


def _images(texts: Iterable[str]) -> dict[str, int]:
    images: dict[str, int] = {}
    for text in texts:
        name, _, count = text.rpartition("=")
        if not (count.isascii() and count.isdecimal() and int(count[:10]) > 0 and len(count) < 10):
            raise RequestError(
                f"--test-images: '{text}' is neither a whole number from 1 nor DATASET=NUMBER"
            )
        if images.setdefault(name, int(count)) != int(count):
            raise RequestError(f"--test-images: {name or 'all'} is given as two numbers")
    return images
