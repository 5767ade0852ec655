"""The weight files of a folder: one file, or the index of a sharded one. No torch here."""

import json
from pathlib import Path

from omnibench.errors import MissingWeightsError, RequestError, WeightsError
from omnibench.files import read_regular

INDEX_SUFFIX = ".index.json"
# Read in this order; the .bin of older repositories is a pickle, loaded with weights_only=True.
WEIGHT_NAMES = (
    "model.safetensors",
    f"model.safetensors{INDEX_SUFFIX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX_SUFFIX}",
)
WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
CONFIG_NAMES = ("config.json", "preprocessor_config.json")


def weight_map(index: Path) -> dict[str, str]:
    """Return the name of the file, beside the index, of every key of a sharded checkpoint.

    Raises:
        MissingWeightsError: the index is absent.
        WeightsError: the index is none, or names a file outside of its folder.
    """
    try:
        files = json.loads(read_regular(index))["weight_map"]
        names = {str(name) for name in files.values()}
    except OSError as error:
        raise MissingWeightsError(
            f"{index} cannot be opened ({error.strerror}); put the file there"
        ) from error
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{index} is no index of a sharded checkpoint (it lacks a weight_map of keys to "
            "files); get it again"
        ) from error
    for name in sorted(names):
        # A backslash separates folders where Windows reads the index.
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise WeightsError(
                f"{index} is refused: it names {name!r}, which is not a file of its folder; get "
                "it again"
            )
        if name.endswith(INDEX_SUFFIX):
            raise WeightsError(
                f"{index} is refused: it names {name!r}, an index again, where weights are due; "
                "get it again"
            )
    return {str(key): str(name) for key, name in files.items()}


def with_shards(path: Path) -> tuple[Path, ...]:
    """Return a weights file alone, or an index and the files that it names.

    Raises:
        MissingWeightsError: one of these is absent.
        WeightsError: as `weight_map`.
    """
    if not path.name.endswith(INDEX_SUFFIX):
        return (path,)
    shards = [path.parent / name for name in sorted(set(weight_map(path).values()))]
    for shard in shards:
        if not shard.is_file():
            raise MissingWeightsError(f"{path} names {shard.name}, which is absent; put it there")
    return (path, *shards)


def weights_in(folder: Path) -> Path:
    """Return the weights file of a folder, or the index of its sharded weights.

    Raises:
        RequestError: there is none, or several whose names do not tell which is meant.
    """
    for name in WEIGHT_NAMES:
        if (folder / name).is_file():
            return folder / name
    files = sorted(path for path in folder.iterdir() if path.suffix in WEIGHT_SUFFIXES)
    files = [path for path in files if path.is_file()]
    if not files:
        raise RequestError(
            f"the folder {folder} holds no weights; put model.safetensors there, or a file ending "
            f"in {', '.join(WEIGHT_SUFFIXES)}"
        )
    if len(files) > 1:
        raise RequestError(
            f"the folder {folder} holds {len(files)} weights files "
            f"({', '.join(path.name for path in files[:3])}); name one: file:{files[0]}"
        )
    return files[0]


def weights_files(path: Path) -> tuple[Path, ...]:
    """Return the files that decide what a `file:` source loads, in a stable order.

    These are a file itself, or config.json, preprocessor_config.json and the weights file of a
    folder; of a sharded checkpoint its index and every shard.

    Raises:
        RequestError: there is none at this path, or several whose names do not tell which is meant.
        MissingWeightsError, WeightsError: a sharded index names what is absent or not of its
            folder.
    """
    if path.is_dir():
        configs = tuple(path / name for name in CONFIG_NAMES if (path / name).is_file())
        return (*configs, *with_shards(weights_in(path)))
    if path.is_file():
        return with_shards(path)
    raise RequestError(f"no weights file or folder at {path}; put it there or correct the path")
