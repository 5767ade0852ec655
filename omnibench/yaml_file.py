"""A YAML file as plain values; whatever else YAML knows is refused."""

from pathlib import Path
from typing import Any

import yaml

from omnibench.errors import RequestError
from omnibench.files import read_regular

MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """The safe loader, refusing a key given twice (YAML would keep the last in silence)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
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
            if name in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{name}' stands twice", problem_mark=key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds.

    Raises:
        RequestError: it cannot be read, is no YAML, or has a key twice.
    """
    try:
        return yaml.load(read_regular(path).decode(), Loader=_Loader)
    # What is no date, no number, or nested without end is another error of yaml's each.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise RequestError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise RequestError(f"{path}: not a YAML file: it is nested too deep") from None
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from None
