"""Where weight files are: below the data folder, in the hub's local cache, or still on the hub.

No torch here, so that `plan` and `weights list` can tell what is absent.
"""

import hashlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from omnibench import hub_access
from omnibench.cards import WeightsCard
from omnibench.data.checksums import checksum_like, hash_file, sha256_of
from omnibench.errors import MissingWeightsError, RequestError, WeightsError
from omnibench.files import read_regular
from omnibench.weight_folders import INDEX_SUFFIX, WEIGHT_NAMES, weight_map, with_shards
from omnibench.weight_folders import weights_files as weights_files  # a part of this module, too


@dataclass(frozen=True)
class WeightFiles:
    """A weights file, or an index of shards, on disk, and the config.json beside it, if any."""

    weights: Path
    config: Path | None = None


def hub_repository(card: WeightsCard) -> str | None:
    """OWNER/NAME of the hub repository a card's weights come from; None for other sources."""
    if card.source_kind == "timm":
        return f"timm/{card.source_name}"
    if card.source_kind in ("hf_hub", "transformers"):
        return card.source_name
    return None


def weight_names(card: WeightsCard) -> tuple[str, ...]:
    """Return the names that a card's weights file may have in its repository, the first first."""
    return WEIGHT_NAMES if card.hub_file is None else (card.hub_file,)


def needs_config(card: WeightsCard) -> bool:
    """Return whether config.json tells the architecture: neither timm's name nor the card does."""
    return card.source_kind != "timm" and card.hub_file is None


def local_folder(card: WeightsCard, data: Path) -> Path:
    """The folder below the data folder in which a user may put a repository's files."""
    repository = hub_repository(card) or card.id
    return data / "weights" / repository.replace("/", "--")


def locate(card: WeightsCard, data: Path) -> WeightFiles | None:
    """Find the files of a hub card on this machine; None where they are absent.

    Args:
        card: of a `timm:`, `hf_hub:` or `transformers:` source.
        data: the data folder, looked at before the hub's own cache.
    """
    folder = local_folder(card, data)
    whole = all((folder / name).is_file() for name in card.companions)
    for name in weight_names(card) if whole else ():
        if (folder / name).is_file():
            config = folder / "config.json"
            if _whole(folder / name) and (config.is_file() or not needs_config(card)):
                return WeightFiles(folder / name, config if config.is_file() else None)
    whole = all(_cached(card, name) for name in card.companions)
    for name in weight_names(card) if whole else ():
        weights = _cached(card, name)
        if weights is not None and _whole(weights):
            config_path = _cached(card, "config.json")
            if config_path is not None or not needs_config(card):
                return WeightFiles(weights, config_path)
    return None


def _whole(weights: Path) -> bool:
    """Whether every shard is there; a damaged index is not absent, and loading it says so."""
    try:
        with_shards(weights)
    except MissingWeightsError:
        return False
    except WeightsError:
        return True
    return True


def file_source(card: WeightsCard, data: Path) -> dict[str, str]:
    """Return {"file": SHA-256} of a hub card's weights file here, a part of its feature keys.

    A sharded file adds the SHA-256 of each shard under its name.

    A hub file that no card pins may be replaced, so its own hash decides what is its. Empty for
    other sources, and where the file is absent.
    """
    files = locate(card, data)
    if files is None:
        return {}
    weights, *shards = with_shards(files.weights)
    return {
        "file": sha256_of(weights, data),
        **{path.name: sha256_of(path, data) for path in shards},
    }


def way_out(card: WeightsCard, data: Path) -> str:
    """What to fetch and where to put it, for a card whose weights are absent."""
    names = [weight_names(card)[0], *card.companions]
    if needs_config(card):
        names.append("config.json")
    *first, last = names
    files = f"{', '.join(first)} and {last}" if first else last
    return (
        f"run `bench.py weights fetch {card.id}` with a network, or put {files} of the hub "
        f"repository {hub_repository(card)} into {local_folder(card, data)}"
    )


def fetch(card: WeightsCard, data: Path) -> WeightFiles:
    """Return the files of a hub card, downloading into the hub's cache what is absent.

    Raises:
        MissingWeightsError: the hub is out of reach, or has no such repository, revision or
            file, or asks for a login; the message says what to fetch and where to put it.
        WeightsError: the file is not the pinned one; one that was fetched is deleted again.
    """
    files = locate(card, data)
    if files is not None:
        if difference := _difference(card, files, data):
            raise WeightsError(f"{difference}; delete the file and fetch it again")
        return files
    repository = hub_repository(card)
    if repository is None:
        raise MissingWeightsError(f"{card.id}: {card.source} is not on a hub; nothing to fetch")
    reason = hub_access.unreachable()
    if reason is None:
        reason = _download(card, repository)
    files = locate(card, data)
    if files is None:
        raise MissingWeightsError(
            f"{card.id}: weights absent ({reason or 'no weights file'}); {way_out(card, data)}"
        )
    if difference := _difference(card, files, data):
        files.weights.resolve().unlink()  # or the hub's client would take it for fetched
        raise WeightsError(
            f"{card.id}: the hub repository {repository} sends another file than the pinned one "
            f"({difference}), and it was deleted; correct the card's checksum or revision"
        )
    return files


def require_one_file(card: WeightsCard, path: Path) -> None:
    """Refuse a checksum on weights in several files, of which it would hold the index alone.

    Raises:
        WeightsError: naming card and index.
    """
    if card.checksum is not None and path.name.endswith(INDEX_SUFFIX):
        raise WeightsError(
            f"{card.id}: its checksum can hold one file, and {path} names several; remove the "
            "checksum from the card"
        )


def _difference(card: WeightsCard, files: WeightFiles, data: Path) -> str | None:
    """How a weights file differs from the pinned one, if the card pins one."""
    if card.checksum is None:
        return None
    require_one_file(card, files.weights)
    return _differs(files.weights, checksum_like(card.checksum, files.weights, data), card.checksum)


def _download(card: WeightsCard, repository: str) -> str | None:
    """Download config and the first weights file there is; the reason where that fails."""
    import huggingface_hub
    from huggingface_hub import errors

    try:
        if needs_config(card):
            for name in ("config.json", *card.companions):
                huggingface_hub.hf_hub_download(repository, name, revision=card.revision)
        for name in weight_names(card):
            try:
                path = huggingface_hub.hf_hub_download(repository, name, revision=card.revision)
            except errors.EntryNotFoundError as error:
                if isinstance(error, errors.LocalEntryNotFoundError):
                    raise
                continue
            if name.endswith(INDEX_SUFFIX):
                for shard in sorted(set(weight_map(Path(path)).values())):
                    huggingface_hub.hf_hub_download(repository, shard, revision=card.revision)
            return None
    except WeightsError:  # of the index
        raise
    except Exception as error:  # of its HTTP client, too, which is another one each version
        return hub_access.refusal(error, repository, card.revision)
    return f"the hub repository {repository} holds none of {', '.join(weight_names(card))}"


def _cached(card: WeightsCard, name: str) -> Path | None:
    """The hub cache's copy of a file, if it has one."""
    repository = hub_repository(card)
    if repository is None:
        return None
    import huggingface_hub  # on first use: most commands never ask the hub's cache

    try:
        path = huggingface_hub.try_to_load_from_cache(repository, name, revision=card.revision)
    except ValueError as error:
        raise RequestError(f"{card.id}: '{repository}' is no OWNER/NAME of a hub") from error
    return Path(path) if isinstance(path, str) else None


def packaged_file(package: str, name: str, checksum: str) -> Path:
    """Return a weights file that an installed Python package ships, its checksum verified.

    Raises:
        MissingWeightsError: the package is not installed or ships no such file.
        WeightsError: the file is not the pinned one.
    """
    path = _packaged(package, name)
    verify(path, checksum)
    return path


def packaged_parts(packages: Iterable[str], name: str, size: int, checksum: str) -> bytes:
    """Return a weights file of which installed Python packages ship a part each, joined.

    Nothing of the packages is run.

    Args:
        name: of each part in its package.
        size: of the whole in bytes.
        checksum: of the whole, "sha256:...".

    Raises:
        MissingWeightsError: a package is not installed or ships no such file.
        WeightsError: the parts do not make the pinned file.
    """
    paths = [_packaged(package, name) for package in packages]
    if sum(path.stat().st_size for path in paths) == size:  # or it is not even read
        content = b"".join(map(read_regular, paths))
        if f"sha256:{hashlib.sha256(content).hexdigest()}" == checksum:
            return content
    raise WeightsError(
        f"the parts {', '.join(map(str, paths))} do not make the pinned file of {size} bytes and "
        f"{checksum.replace(':', ' ')}; install their packages again"
    )


def _packaged(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(folders[0]) / name if folders else None
    if path is None or not path.is_file():
        raise MissingWeightsError(
            f"the weights file {name} is absent; install the package {package.replace('_', '-')}"
        )
    return path


def verify(path: Path, checksum: str) -> None:
    """Hold a file to a pinned "sha256:..." or "md5:..." checksum.

    Raises:
        WeightsError: it differs.
    """
    algorithm = checksum.partition(":")[0]
    if difference := _differs(path, f"{algorithm}:{hash_file(algorithm, path)}", checksum):
        raise WeightsError(f"{difference}; delete the file and fetch it again")


def _differs(path: Path, checksum: str, expected: str) -> str | None:
    if checksum == expected:
        return None
    # The hub's cache names its files by links, and only the file itself can be fetched anew.
    checksum, expected = checksum.replace(":", " "), expected.partition(":")[2]
    return f"{path.resolve()} has {checksum}, {expected} is pinned"
