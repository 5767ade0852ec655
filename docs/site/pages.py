"""The pages of the reference, made from the models and the commands themselves."""

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import typer
from pydantic import BaseModel

import omnibench
from docs.site.fields import DocumentedField, documented, written
from omnibench.cards import BackboneCard, DatasetCard
from omnibench.catalogue import tasks
from omnibench.cli import app
from omnibench.data.declaration import Declaration
from omnibench.engines.slurm_profile import Profile
from omnibench.matrix import Entry
from omnibench.pretrained import PretrainedEntry, Pretraining
from omnibench.recipe import Recipe
from omnibench.suite import ReportSection, SuiteFile
from omnibench.task import Adaptation, Metric, Task
from omnibench.view_requests import CorruptionRequest, ExternalRequest, MixRequest

FILES: Sequence[tuple[str, type[BaseModel], str]] = (
    ("A suite file", SuiteFile, "What a suite's YAML file holds."),
    ("A block of the matrix", Entry, "An entry of `matrix`: each dataset with each adaptation."),
    ("Corrupted test images", CorruptionRequest, "An entry of a block's `test_on`."),
    ("Another test set", ExternalRequest, "An entry of a block's `test_on`."),
    ("A mix of qualities", MixRequest, "What stands under a block's `mix`."),
    ("The report", ReportSection, "What stands under `report`."),
    ("A backbone's card", BackboneCard, "A backbone in a plug-in's file, or in a suite's list."),
    ("A pretraining", PretrainedEntry, "A backbone of a suite's list that is made on the way."),
    (
        "How it is pretrained",
        Pretraining,
        "What stands under `pretrain`; further names are options of the method "
        "([Recipes](recipes.md#pretraining)).",
    ),
    (
        "A declaration beside the data",
        Declaration,
        "`omnibench.yaml` in a folder, or `NAME.yaml` beside `NAME.npz` "
        "([Data as it is found](../data.md)).",
    ),
    ("A SLURM profile", Profile, "What `run --engine slurm --profile FILE` reads."),
    (
        "A dataset's card",
        DatasetCard,
        "What a plug-in registers ([Add a dataset](../extending/dataset.md)).",
    ),
)
NULL = "Made from the code. What is `null` in YAML is None in Python, and in the words below."
MARKS = re.compile(r"([<*\[])")


def pages() -> dict[str, str]:
    """Return the Markdown of every page by its name."""
    return {
        "files": "\n\n".join(file_page()),
        "recipes": "\n\n".join(recipe_page()),
        "commands": "\n\n".join(command_page()),
        "python": "\n\n".join(python_page()),
    }


def file_page() -> Iterator[str]:
    """Yield the parts of the page on what is read from YAML, and on cards."""
    yield f"# Suites, cards and profiles\n\n{NULL} An unknown field is refused by its path."
    for title, model, text in FILES:
        yield f"## {title}\n\n{text}\n\n{field_table(documented(model))}"


def field_table(fields: Iterable[DocumentedField]) -> str:
    """Return a table of fields with their kinds and defaults."""
    return table(
        ("field", "is", "default", "what it says"),
        (
            (code(f.name), f.kind, code(f.default) if f.default else "needed", f.description)
            for f in fields
        ),
    )


def recipe_page() -> Iterator[str]:
    """Yield the parts of the page on tasks: their adaptations, recipes, options and metrics."""
    yield (
        f"# Recipes\n\n{NULL} A suite gives a recipe by its name, or the fields that differ: "
        "`recipe: {base: small, epochs: 5}`. Each column below is a recipe of that name; "
        "adaptations whose recipes are the same stand together."
    )
    for task in map(tasks.get, tasks):
        yield f"## {task.name}"
        yield table(("adaptation", "trains", "varies"), map(adaptation_row, of_task(task)))
        for group in groups(task):
            yield f"### {task.name}: {', '.join(group)}"
            yield recipe_table(task.adaptations[group[0]].recipes)
        for adaptation in of_task(task):
            if adaptation.options.model_fields:
                yield f"### {task.name}: options of {adaptation.name}"
                yield field_table(documented(adaptation.options))
        yield f"### {task.name}: metrics"
        yield table(("metric", "unit", "better"), map(metric_row, task.metrics))


def of_task(task: Task) -> list[Adaptation]:
    """Return a task's adaptations."""
    return list(task.adaptations.values())


def groups(task: Task) -> Iterator[list[str]]:
    """Yield the names of adaptations whose recipes are equal."""
    names = {name: adaptation.recipes for name, adaptation in task.adaptations.items()}
    for name, recipes in names.items():
        group = [other for other, equal in names.items() if equal == recipes]
        if group[0] == name:
            yield group


def adaptation_row(adaptation: Adaptation) -> Sequence[str]:
    """Return what is trained, and what differs between repetitions."""
    return f"`{adaptation.name}`", adaptation.trains, adaptation.varies


def metric_row(metric: Metric) -> Sequence[str]:
    """Return a metric's id, unit and direction."""
    better = {"up": "higher", "down": "lower", None: "neither"}
    return f"`{metric.id}`", metric.unit, better[metric.direction]


def recipe_table(recipes: Any) -> str:
    """Return a table of a model's fields with their values in each recipe."""
    models: dict[str, Recipe] = dict(recipes)
    fields = list(documented(type(next(iter(models.values())))))
    return table(
        ("field", "is", *models, "what it says"),
        (
            (
                f"`{f.name}`",
                f.kind,
                *(code(written(getattr(model, f.name))) for model in models.values()),
                f.description,
            )
            for f in fields
        ),
    )


def command_page() -> Iterator[str]:
    """Yield the parts of the page on commands: their arguments and options."""
    yield (
        "# Commands\n\nMade from the code; `omnibench COMMAND --help` prints the same. In a "
        "checkout `.venv/bin/python bench.py` is `omnibench`."
    )
    group: Any = typer.main.get_command(app)
    context = group.context_class(group, info_name="omnibench")
    yield parameter_table(group, context)
    for name, command in group.commands.items():
        inner = command.context_class(command, parent=context, info_name=name)
        usage = " ".join(command.collect_usage_pieces(inner))
        yield f"## {name}"
        yield f"`omnibench {name} {usage}`"
        yield prose(" ".join((command.help or "").split()))
        yield parameter_table(command, inner)


def parameter_table(command: Any, context: Any) -> str:
    """Return a table of a command's arguments and options."""
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [(code(name), text) for name, text in filter(None, records) if name != "--help"]
    return table(("argument or option", "what it says"), rows) if rows else ""


def python_page() -> Iterator[str]:
    """Yield the parts of the page on the public names of the package."""
    yield "# Python\n\nMade from the code: every name that `import omnibench` gives."
    for name in omnibench.__all__:
        value = getattr(omnibench, name)
        if inspect.isroutine(value) or inspect.isclass(value):
            head = f"{name}{inspect.signature(value)}\n\n" if inspect.isroutine(value) else ""
            yield f"## {name}"
            yield f"```text\n{head}{inspect.cleandoc(value.__doc__ or '')}\n```"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *(list(map(prose, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def prose(text: str) -> str:
    """Return a text so that Markdown shows it as it is, but for what stands in backticks."""
    parts = re.split(r"(`[^`]*`)", text.replace("|", r"\|"))
    return "".join(part if part[:1] == "`" else MARKS.sub(r"\\\1", part) for part in parts)


def code(text: str) -> str:
    """Return a text in backticks."""
    return f"`{text}`"
