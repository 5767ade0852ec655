"""Where weight files are: below the data folder, in the hub's local cache, or still on the hub.

No torch here, so that `plan` and `weights list` can tell what is absent.
"""

import functools
import hashlib
import importlib.util
import socket
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from omnibench.cards import BackboneCard
from omnibench.data.checksums import sha256_of
from omnibench.errors import MissingWeightsError, RequestError, WeightsError

# Read in this order; the .bin of older repositories is a pickle, loaded with weights_only=True.
WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")
CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class WeightFiles:
    """A weights file on disk and, for hub repositories, the config.json beside it."""

    weights: Path
    config: Path | None = None


def hub_repository(card: BackboneCard) -> str | None:
    """OWNER/NAME of the hub repository a card's weights come from; None for other sources."""
    if card.source_kind == "timm":
        return f"timm/{card.source_name}"
    if card.source_kind in ("hf_hub", "transformers"):
        return card.source_name
    return None


def local_folder(card: BackboneCard, data: Path) -> Path:
    """The folder below the data folder in which a user may put a repository's files."""
    repository = hub_repository(card) or card.id
    return data / "weights" / repository.replace("/", "--")


def locate(card: BackboneCard, data: Path) -> WeightFiles | None:
    """Find the files of a hub card on this machine; None where they are absent.

    Args:
        card: of a `timm:`, `hf_hub:` or `transformers:` source.
        data: the data folder, looked at before the hub's own cache.
    """
    needs_config = card.source_kind != "timm"
    folder = local_folder(card, data)
    whole = all((folder / name).is_file() for name in card.companions)
    for name in WEIGHT_NAMES if whole else ():
        if (folder / name).is_file():
            config = folder / "config.json"
            if config.is_file() or not needs_config:
                return WeightFiles(folder / name, config if config.is_file() else None)
    whole = all(_cached(card, name) for name in card.companions)
    for name in WEIGHT_NAMES if whole else ():
        weights = _cached(card, name)
        if weights is not None:
            config_path = _cached(card, "config.json")
            if config_path is not None or not needs_config:
                return WeightFiles(weights, config_path)
    return None


def file_source(card: BackboneCard, data: Path) -> dict[str, str]:
    """Return {"file": SHA-256} of a hub card's weights file here, a part of its feature keys.

    A hub file that no card pins may be replaced, so its own hash decides what is its. Empty for
    other sources, and where the file is absent.
    """
    files = locate(card, data)
    return {"file": sha256_of(files.weights, data)} if files else {}


def way_out(card: BackboneCard, data: Path) -> str:
    """What to fetch and where to put it, for a card whose weights are absent."""
    names = ["model.safetensors", *card.companions]
    if card.source_kind != "timm":
        names.append("config.json")
    *first, last = names
    files = f"{', '.join(first)} and {last}" if first else last
    return (
        f"run `bench.py weights fetch {card.id}` with a network, or put {files} of the hub "
        f"repository {hub_repository(card)} into {local_folder(card, data)}"
    )


def fetch(card: BackboneCard, data: Path) -> WeightFiles:
    """Return the files of a hub card, downloading into the hub's cache what is absent.

    Raises:
        MissingWeightsError: the hub is out of reach, or has no such repository, revision or
            file, or asks for a login; the message says what to fetch and where to put it.
    """
    found = locate(card, data)
    if found is not None:
        return found
    repository = hub_repository(card)
    if repository is None:
        raise MissingWeightsError(f"{card.id}: {card.source} is not on a hub; nothing to fetch")
    reason = _unreachable()
    if reason is None:
        reason = _download(card, repository)
    found = locate(card, data)
    if found is None:
        raise MissingWeightsError(
            f"{card.id}: weights absent ({reason or 'no weights file'}); {way_out(card, data)}"
        )
    return found


def _download(card: BackboneCard, repository: str) -> str | None:
    """Download config and the first weights file there is; the reason where that fails."""
    import huggingface_hub
    from huggingface_hub import errors

    reason = f"the hub repository {repository} holds none of {', '.join(WEIGHT_NAMES)}"
    try:
        if card.source_kind != "timm":
            for name in ("config.json", *card.companions):
                huggingface_hub.hf_hub_download(repository, name, revision=card.revision)
        for name in WEIGHT_NAMES:
            try:
                huggingface_hub.hf_hub_download(repository, name, revision=card.revision)
                return None
            except errors.EntryNotFoundError as error:
                if isinstance(error, errors.LocalEntryNotFoundError):
                    raise
    except errors.GatedRepoError:
        return f"the hub repository {repository} is gated: accept its terms and log in to the hub"
    except errors.RevisionNotFoundError:
        return f"the hub repository {repository} has no revision '{card.revision}'"
    except errors.RepositoryNotFoundError:
        return f"the hub has no repository {repository}, or it is private"
    except errors.EntryNotFoundError:
        return f"the hub repository {repository} lacks a file that is needed beside its weights"
    except (errors.HfHubHTTPError, OSError) as error:
        return f"the hub did not answer: {type(error).__name__}"
    return reason


def _cached(card: BackboneCard, name: str) -> Path | None:
    """The hub cache's copy of a file, if it has one."""
    repository = hub_repository(card)
    if repository is None:
        return None
    import huggingface_hub  # on first use: most commands never ask the hub's cache

    try:
        found = huggingface_hub.try_to_load_from_cache(repository, name, revision=card.revision)
    except ValueError as error:
        raise RequestError(f"{card.id}: '{repository}' is no OWNER/NAME of a hub") from error
    return Path(found) if isinstance(found, str) else None


@functools.cache
def _unreachable() -> str | None:
    """Why the hub cannot be asked, found in seconds rather than in the client's retries."""
    from huggingface_hub import constants as hub_constants

    if hub_constants.HF_HUB_OFFLINE:
        return "the hub is switched off by HF_HUB_OFFLINE"
    address = urllib.parse.urlsplit(hub_constants.ENDPOINT)
    if address.scheme in urllib.request.getproxies():
        return None  # only the proxy can tell
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), CONNECT_SECONDS).close()
    except OSError:
        return "the hub is out of reach"
    return None


def packaged_file(package: str, name: str, checksum: str) -> Path:
    """Return a weights file that an installed Python package ships, its checksum verified.

    Raises:
        MissingWeightsError: the package is not installed or ships no such file.
        WeightsError: the file is not the pinned one.
    """
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(folders[0]) / name if folders else None
    if path is None or not path.is_file():
        raise MissingWeightsError(
            f"the weights file {name} is absent; install the package {package.replace('_', '-')}"
        )
    verify(path, checksum)
    return path


def verify(path: Path, checksum: str) -> None:
    """Hold a file to a pinned "sha256:..." or "md5:..." checksum.

    Raises:
        WeightsError: it differs.
    """
    kind, _, expected = checksum.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, kind).hexdigest()
    if found != expected:
        raise WeightsError(
            f"{path} has {kind} {found}, {expected} is pinned; delete the file and fetch it again"
        )
