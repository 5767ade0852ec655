"""A YAML file as plain values; whatever else YAML knows is refused."""

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import BaseConstructor

from omnibench.errors import RequestError
from omnibench.files import read_regular

MERGE = "tag:yaml.org,2002:merge"


class _PlainKeys(BaseConstructor):
    """Refuses a key given twice, of which YAML keeps the last, and one that is no word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key is a list or a mapping; write a plain word before the colon",
                    problem_mark=key.start_mark,
                )
            if key.tag == MERGE:
                raise yaml.MarkedYAMLError(
                    problem="'<<', which merges mappings, is not read here; write its keys out",
                    problem_mark=key.start_mark,
                )
            name = self.construct_object(key, deep=True)
            if name in names:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{name}' stands twice", problem_mark=key.start_mark
                )
            names.add(name)
        return super().construct_mapping(node, deep)


class _Loader(_PlainKeys, yaml.SafeLoader):
    """Reads numbers, dates and yes or no as such."""


class _TextLoader(_PlainKeys, yaml.BaseLoader):
    """Reads every value as text."""


def read_yaml(path: Path, as_text: bool = False) -> Any:
    """Return what a YAML file holds.

    Args:
        as_text: read every value as text, so that a name may be `no`.

    Raises:
        RequestError: it cannot be read, is no YAML, or has a key twice.
    """
    try:
        return yaml.load(read_regular(path).decode(), Loader=_TextLoader if as_text else _Loader)
    # What is no date, no number, or nested without end is another error of yaml's each.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise RequestError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise RequestError(f"{path}: not a YAML file: it is nested too deep") from None
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from None
