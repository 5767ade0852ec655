"""The reference is made from the code: every field and every option has words of its own."""

from typing import Any

import pytest
import typer
from pydantic import BaseModel

from docs.site.fields import attributes, documented
from docs.site.pages import FILES, pages
from omnibench.catalogue import tasks
from omnibench.cli import app

MODELS: dict[type[BaseModel], None] = dict.fromkeys(
    [
        *(model for _, model, _ in FILES),
        *(
            model
            for task in map(tasks.get, tasks)
            for adaptation in task.adaptations.values()
            for model in (adaptation.options, *map(type, adaptation.recipes.values()))
        ),
    ]
)
COMMANDS: Any = typer.main.get_command(app)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_has_a_description(model: type[BaseModel]) -> None:
    assert [field.name for field in documented(model)] == list(model.model_fields)
    assert not [field.name for field in documented(model) if not field.description]


@pytest.mark.parametrize("name", COMMANDS.commands)
def test_every_command_and_every_option_has_words_of_its_own(name: str) -> None:
    command = COMMANDS.commands[name]
    context = command.context_class(command, info_name=name)
    assert command.help
    records = [parameter.get_help_record(context) for parameter in command.params]
    assert not [record for record in records if record and not record[1].partition("  [")[0]]


def test_the_pages_name_every_field_adaptation_and_command() -> None:
    text = pages()
    for model in MODELS:
        for field in model.model_fields:
            assert f"| `{field}` |" in text["files"] + text["recipes"]
    for task in map(tasks.get, tasks):
        assert f"\n## {task.name}\n" in text["recipes"]
        for adaptation in task.adaptations:
            assert f"| `{adaptation}` |" in text["recipes"]
    for name in COMMANDS.commands:
        assert f"\n## {name}\n" in text["commands"]


def test_a_field_is_described_by_its_own_class_before_its_base() -> None:
    class Base(BaseModel):
        """A base.

        Attributes:
            a, b: of the base, which says so
                in two lines.
            c: of the base.
        """

        a: int = 1
        b: str | None = None
        c: float

    class Own(Base):
        """A class.

        Attributes:
            b: its own.
        """

    assert attributes(Own) == {"b": "its own."}
    both = "of the base, which says so in two lines."
    assert [(f.name, f.kind, f.default, f.description) for f in documented(Own)] == [
        ("a", "integer", "1", both),
        ("b", "text or null", "null", "its own."),
        ("c", "number", None, "of the base."),
    ]
